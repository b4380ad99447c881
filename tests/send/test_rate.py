from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.errors import Invalid
from newsletter.model.rate import UNLIMITED, Rate, warming
from newsletter.send.rate import parse
from newsletter.store.tables import rates
from tests.send.world import NOW, World


def test_a_plan_is_told_by_its_days() -> None:
    assert str(warming((20, 50), "news.example")) == "20, 50 on the first days"


@pytest.mark.parametrize("text", ["60/minute", "100/day", "10/second", "500/hour", "unlimited"])
def test_a_rate_reads_back_as_it_was_written(text: str) -> None:
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "60", "0/day", "-1/day", "60/fortnight", "many", "1e3/day", "60/minute/2"]
)
def test_what_is_no_rate_is_told(text: str) -> None:
    with pytest.raises(Invalid):
        parse(text)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.floats(0, 40), st.integers(1, 30), st.integers(0, 5)), min_size=1, max_size=25
    ),
    count=st.integers(1, 50),
)
def test_no_interval_sees_more_than_the_rate_allows(
    world: World, steps: list[tuple[float, int, int]], count: int
) -> None:
    rate = Rate(count=count, seconds=60)
    now = NOW
    taken: list[tuple[float, int]] = []
    with world.store.begin() as unit:
        unit.conn.execute(rates.delete())
        for pause, wanted, reserved in steps:
            now += timedelta(seconds=pause)
            granted = unit.rates.take(rate, wanted, now, reserved=reserved)
            assert granted <= max(0, count - reserved)
            taken.append(((now - NOW).total_seconds(), granted))
            if not granted and not reserved:
                wait_s = unit.rates.wait_s(rate, now)
                assert 0 < wait_s <= 62
                assert unit.rates.take(rate, 1, now + timedelta(seconds=wait_s)) == 1
                unit.rates.give_back(rate, 1)
    for start, _ in taken:
        assert sum(granted for at, granted in taken if start <= at < start + 60) <= count


def test_what_did_not_leave_is_given_back(world: World) -> None:
    rate = Rate(count=10, seconds=86400)
    with world.store.begin() as unit:
        assert unit.rates.take(rate, 25, NOW) == 10
        unit.rates.give_back(rate, 4)
        assert unit.rates.take(rate, 25, NOW) == 4


def test_giving_back_never_lets_more_leave_than_the_rate(world: World) -> None:
    rate = Rate(count=60, seconds=60)
    with world.store.begin() as unit:
        assert unit.rates.take(rate, 59, NOW) == 59
        assert unit.rates.take(rate, 1, NOW + timedelta(seconds=30)) == 1
        unit.rates.give_back(rate, 59)
        assert unit.rates.take(rate, 200, NOW + timedelta(seconds=62)) == 59
        unit.rates.give_back(rate, 1000)
        assert unit.rates.take(rate, 200, NOW + timedelta(seconds=63)) <= 60


def test_unlimited_keeps_no_books(world: World) -> None:
    with world.store.begin() as unit:
        assert unit.rates.take(UNLIMITED, 10**6, NOW) == 10**6
        assert unit.conn.execute(rates.select()).all() == []


def test_how_long_it_takes_until_the_last_may_leave_is_by_what_left_already(world: World) -> None:
    day = 86_400.0
    rate = parse("20/second, 60/day")
    with world.store.begin() as unit:
        assert unit.rates.lasts_s(UNLIMITED, 1000, NOW) is None
        assert unit.rates.lasts_s(rate, 20, NOW) == 0.0
        assert unit.rates.lasts_s(rate, 60, NOW) == 2.0
        assert unit.rates.lasts_s(rate, 61, NOW) == day
        assert unit.rates.take(rate, 60, NOW) == 20
        later = NOW + timedelta(seconds=5)
        assert unit.rates.take(rate, 60, later) == 20
        last = later + timedelta(seconds=5)
        assert unit.rates.take(rate, 60, last) == 20
        full_s = unit.rates.wait_s(rate, last)
        assert day - 60 < full_s <= day * 62 / 60
        assert unit.rates.lasts_s(rate, 10, last) == full_s
        assert unit.rates.lasts_s(rate, 61, last) == full_s + day


def test_a_plan_tells_how_many_days_it_takes(world: World) -> None:
    plan = warming((5, 10), "news.example")
    midnight_s = (24 - NOW.hour) * 3600.0
    with world.store.begin() as unit:
        assert unit.rates.lasts_s(plan, 5, NOW) == 0.0
        assert unit.rates.take(plan, 5, NOW) == 5
        assert unit.rates.lasts_s(plan, 10, NOW) == midnight_s
        assert unit.rates.lasts_s(plan, 1000, NOW) == midnight_s + 86_400
