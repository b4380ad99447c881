"""The timeline and the time to finish, from what attempts did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.learn.progress import MOST_BARS, seconds_left, timeline
from newsletter.model.receipt import Receipt, Stretch

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def stretch(
    began_s: float, ended_s: float, accepted: int = 0, *, failed: int = 0, unknown: int = 0
) -> Stretch:
    return Stretch(
        began=NOW + timedelta(seconds=began_s),
        ended=NOW + timedelta(seconds=ended_s),
        accepted=accepted,
        failed=failed,
        unknown=unknown,
    )


def account(remaining: int, *, waiting: int = 0) -> Receipt:
    return Receipt(
        issue_id=1,
        audience=1000,
        accepted=1000 - remaining,
        failed=0,
        skipped=0,
        unknown=0,
        remaining=remaining,
        waiting=waiting,
    )


@given(
    st.lists(
        st.tuples(st.integers(0, 10**7), st.integers(0, 10**5), st.integers(0, 10**6), st.integers(0, 50)),
        max_size=40,
    )
)
def test_the_bars_hold_everything_and_are_never_too_many(parts: list[tuple[int, int, int, int]]) -> None:
    line = timeline([stretch(at, at + length, good, failed=bad) for at, length, good, bad in parts])
    assert len(line.bars) <= MOST_BARS
    assert sum(bar.accepted for bar in line.bars) == sum(good for _, _, good, _ in parts)
    assert sum(bar.failed for bar in line.bars) == sum(bad for _, _, _, bad in parts)
    assert all(bar.total >= 0 for bar in line.bars)


def test_what_took_long_is_spread_over_its_time() -> None:
    line = timeline([stretch(0, 40, 40)], most=4)
    assert [bar.accepted for bar in line.bars] == [10, 10, 10, 10]
    assert line.step == timedelta(seconds=10)


def test_a_break_between_two_days_is_seen() -> None:
    line = timeline([stretch(0, 60, 100), stretch(86_400, 86_460, 100)])
    assert line.bars[0].total == 100 and line.bars[-1].total == 100
    assert sum(bar.total for bar in line.bars[1:-1]) == 0


def test_where_nothing_was_handed_over_there_is_no_line() -> None:
    assert timeline([stretch(0, 5)]).bars == ()


@pytest.mark.parametrize(
    ("stretches", "by_rate", "left"),
    [
        ([stretch(0, 10, 100)], None, 10.0),
        ([stretch(0, 10, 100), stretch(3600, 3610, 100)], None, 10.0),  # the pause does not count
        ([stretch(0, 10, 50), stretch(0, 10, 50)], None, 10.0),  # two processes side by side
        ([stretch(0, 1, 60)], 60.0, 60.0),
        ([], 600.0, 600.0),
        ([], None, None),
    ],
)
def test_the_time_left_is_by_the_pace_and_by_the_rate(
    stretches: list[Stretch], by_rate: float | None, left: float | None
) -> None:
    assert seconds_left(account(100), stretches, lambda count: by_rate) == left


def test_who_waits_for_another_try_had_their_turn() -> None:
    done = [stretch(0, 10, 100)]
    assert seconds_left(account(13, waiting=3), done, lambda count: 0.1 * count) == 1.0
    assert seconds_left(account(3, waiting=3), done, lambda count: 0.0) is None
    assert seconds_left(account(0), done, lambda count: 0.0) is None
