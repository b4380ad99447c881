"""Paces: several limits at once, a plan for a new sender, and domains that get a little at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from newsletter.learn import apply_events, take_in
from newsletter.model.delivery import DeliveryState, Envelope, Outcome, Verdict
from newsletter.model.event import Event, EventKind
from newsletter.model.rate import Rate, warming
from newsletter.model.slowdown import FORGIVEN_AFTER, RESTS
from newsletter.send import cancel_issue
from newsletter.send.rate import parse, parse_at_once, parse_domains, parse_plan
from tests.send.test_deliver import issue_state
from tests.send.world import FakeTransport, World, accepted


def to_two_domains(world: World, count: int) -> int:
    """An issue to so many readers at each of two domains."""
    with world.store.begin() as unit:
        for number in range(count):
            for domain in ("big.example", "small.example"):
                unit.subscribers.add(f"r{number}@{domain}", source="test", now=world.clock())
    issue_id = world.approved()
    world.start(issue_id)
    return issue_id


def domains(transport: FakeTransport) -> Counter[str]:
    return Counter(address.rpartition("@")[2] for address in transport.addresses)


# Several limits


@pytest.mark.parametrize("text", ["60/minute", "60/minute, 500/day", "unlimited"])
def test_rates_read_back_as_they_were_written(text: str) -> None:
    assert str(parse(text)) == text


def test_of_several_limits_the_narrowest_counts_at_every_moment(world: World) -> None:
    rate = parse("3/minute, 5/day")
    with world.store.begin() as unit:
        assert unit.rates.take(rate, 10, world.clock()) == 3
        assert unit.rates.take(rate, 10, world.clock()) == 0
        assert 60 <= unit.rates.wait_s(rate, world.clock()) <= 62
    world.clock.pass_by(minutes=2)
    with world.store.begin() as unit:
        assert unit.rates.take(rate, 10, world.clock()) == 2
        assert unit.rates.wait_s(rate, world.clock()) > 80_000
        unit.rates.give_back(rate, 1)
        assert unit.rates.take(rate, 10, world.clock()) == 1


def test_one_limit_does_not_use_up_another_one_of_its_length(world: World) -> None:
    mail, domain = Rate(count=2, seconds=60), Rate(count=2, seconds=60, scope="to:a_b.example")
    other = Rate(count=2, seconds=60, scope="to:axb.example")
    with world.store.begin() as unit:
        for rate in (mail, domain, other):
            assert unit.rates.take(rate, 9, world.clock()) == 2


# A plan for a new sender


def test_a_plan_grows_with_the_days_on_which_something_was_sent(world: World) -> None:
    plan = warming(parse_plan("2, 5, 9"), "news.example")
    assert world.clock().hour == 8
    given = []
    for day, wanted in enumerate((10, 0, 10, 1, 10, 1000)):
        with world.store.begin() as unit:
            given.append(unit.rates.take(plan, wanted, world.clock()) if wanted else 0)
            if day == 0:
                assert unit.rates.wait_s(plan, world.clock()) == pytest.approx(16 * 3600, abs=1)
        world.clock.pass_by(days=1)
    assert given == [2, 0, 5, 1, 10, 1000], "a day of rest is no day of the plan, and after it all may go"


def test_a_plan_is_kept_over_restarts_and_after_a_week_away(world: World) -> None:
    plan = warming((2, 5), "news.example")
    with world.store.begin() as unit:
        assert unit.rates.take(plan, 10, world.clock()) == 2
    world.clock.pass_by(days=7)
    again = World(world.store.database)
    with again.store.begin() as unit:
        assert unit.rates.take(plan, 10, world.clock()) == 5
        unit.rates.give_back(plan, 3)
        assert unit.rates.take(plan, 10, world.clock()) == 3
    with again.store.begin() as unit:
        assert unit.rates.take(warming((2, 5), "other.example"), 10, world.clock()) == 2, "another domain"


def test_an_issue_goes_on_the_next_day_of_its_plan(world: World) -> None:
    issue_id = world.sending(10)
    rate = warming((4, 100), "news.example")
    first = FakeTransport()
    done = world.deliver(issue_id, first, rate=rate, budget_s=2.0)
    assert (len(first.handed), done.finished) == (4, False)
    assert done.wait_s is not None and done.wait_s > 3600
    world.clock.pass_by(days=1)
    rest = FakeTransport()
    assert world.deliver(issue_id, rest, rate=rate).finished
    assert len(rest.handed) == 6


# Domains


def test_a_domains_rate_holds_back_its_readers_and_nobody_else(world: World) -> None:
    issue_id = to_two_domains(world, 20)
    limits = parse_domains("big.example=5/minute")
    transport = FakeTransport()
    done = world.deliver(issue_id, transport, domain_rates=limits)
    assert domains(transport) == {"big.example": 5, "small.example": 20}
    assert not done.finished and done.wait_s is not None and 0 < done.wait_s <= 62
    assert world.receipt(issue_id).remaining == 15
    sent_at: list[datetime] = []
    for _ in range(20):
        world.clock.pass_by(seconds=31)
        before = len(transport.handed)
        world.deliver(issue_id, transport, domain_rates=limits)
        sent_at += [world.clock()] * (len(transport.handed) - before)
    assert domains(transport) == {"big.example": 20, "small.example": 20}
    assert all(
        sum(moment <= one < moment + timedelta(minutes=1) for one in sent_at) <= 5 for moment in sent_at
    )
    assert issue_state(world, issue_id).value == "finished"
    with world.store.read() as unit:
        assert unit.deliveries.next_retry_at(issue_id) is None, "no remark is left behind"


def test_a_domain_whose_server_wants_less_rests_and_the_others_do_not(world: World) -> None:
    issue_id = to_two_domains(world, 20)

    def script(envelope: Envelope) -> Outcome:
        if envelope.to.endswith("@big.example"):
            return Outcome(
                key=envelope.key, verdict=Verdict.RETRY, code="421 4.7.28", slow_domain="big.example"
            )
        return accepted(envelope)

    transport = FakeTransport(script)
    world.deliver(issue_id, transport, batch=4)
    assert domains(transport)["small.example"] == 20
    assert domains(transport)["big.example"] == 2, "those of the first batch; the rest was held back"
    with world.store.read() as unit:
        held = unit.deliveries.list(issue_id, states=[DeliveryState.RETRY_WAIT])
    assert len(held) == 20
    assert sorted({delivery.tries for delivery in held}) == [0, 1], "who is only held back was not refused"

    transport = FakeTransport()
    world.clock.pass_by(minutes=6)
    assert world.deliver(issue_id, transport).finished
    assert domains(transport) == {"big.example": 20}


def test_rests_grow_and_a_day_of_peace_forgives(world: World) -> None:
    rests = []
    for _ in range(len(RESTS) + 2):
        with world.store.begin() as unit:
            until = unit.domains.slow("Big.example", world.clock())
            assert unit.domains.slow("big.example", world.clock()) == until, (
                "of messages already on their way"
            )
            assert unit.domains.resting({"big.example", "x"}, world.clock()) == {"big.example": until}
        rests.append(until - world.clock())
        world.clock.now = until + timedelta(seconds=1)
        with world.store.read() as unit:
            assert unit.domains.resting({"big.example"}, world.clock()) == {}
    assert rests == [*RESTS, RESTS[-1], RESTS[-1]]
    world.clock.now += FORGIVEN_AFTER
    with world.store.begin() as unit:
        assert unit.domains.slow("big.example", world.clock()) - world.clock() == RESTS[0]


@pytest.mark.parametrize(
    ("kind", "reason", "minutes_ago", "rests"),
    [
        (EventKind.DEFERRED, "421 4.7.28 unusual rate of unsolicited mail", 1, True),
        (EventKind.BLOCKED, "421 Message from (198.51.100.7) temporarily deferred", 1, True),
        (EventKind.DEFERRED, "450 4.2.2 over quota", 1, False),
        (EventKind.DEFERRED, "421 4.7.28 unusual rate of unsolicited mail", 120, False),
        (EventKind.DELIVERED, "250 unusual rate of unsolicited mail", 1, False),
    ],
)
def test_what_a_provider_tells_of_a_domain_makes_it_rest(
    world: World, kind: EventKind, reason: str, minutes_ago: int, rests: bool
) -> None:
    issue_id = to_two_domains(world, 1)
    transport = FakeTransport()
    world.deliver(issue_id, transport)
    (who,) = [one.key.number for one in transport.handed if one.to.endswith("@big.example")]
    told = Event(
        provider="test",
        key="1",
        kind=kind,
        at=world.clock() - timedelta(minutes=minutes_ago),
        issue_id=issue_id,
        subscriber_id=who,
        reason=reason,
    )
    with world.store.begin() as unit:
        take_in(unit, [(told, "{}")], world.clock())
    apply_events(world.store.begin, world.clock)
    with world.store.read() as unit:
        resting = unit.domains.resting({"big.example", "small.example"}, world.clock())
    assert set(resting) == ({"big.example"} if rests else set())


def test_who_did_not_leave_after_all_leaves_the_room_of_their_domain_to_others(world: World) -> None:
    issue_id = to_two_domains(world, 20)
    hourly = parse_domains("big.example=10/hour")
    busy = FakeTransport(lambda envelope: Outcome(key=envelope.key, verdict=Verdict.UNSENT))
    for _ in range(3):  # everything comes back, three times over
        world.deliver(issue_id, busy, budget_s=0.2, batch=5, domain_rates=hourly)
    stopped = FakeTransport()
    world.deliver(issue_id, stopped, rate=Rate(count=1, seconds=3600), budget_s=0.2, domain_rates=hourly)
    assert len(stopped.handed) == 1  # the others were claimed, and given back
    world.clock.pass_by(hours=1, minutes=2)
    rest = FakeTransport()
    world.deliver(issue_id, rest, domain_rates=hourly)
    assert domains(rest)["big.example"] == 10


def test_who_is_held_back_can_be_cancelled(world: World) -> None:
    issue_id = to_two_domains(world, 5)
    world.deliver(issue_id, FakeTransport(), domain_rates=parse_domains("big.example=1/day"))
    with world.store.begin() as unit:
        cancel_issue(unit, issue_id, world.clock())
    receipt = world.receipt(issue_id)
    assert (receipt.accepted, receipt.skipped, receipt.remaining) == (6, 4, 0)


# How many at once


@dataclass
class Slow(FakeTransport):
    """Answers when as many as it may have in hand are on their way, or nobody comes any more."""

    most: Counter[str] = field(default_factory=Counter)  #: that were on their way at once, by domain

    def hand_over(self, envelopes: Iterable[Envelope]) -> Iterator[Outcome]:
        source = iter(envelopes)
        flying: list[Envelope] = []
        while True:
            envelope = next(source, None)
            if envelope is not None:
                self.handed.append(envelope)
                flying.append(envelope)
                self.most |= Counter(one.to.rpartition("@")[2] for one in flying)
            if envelope is None or len(flying) == self.in_hand:
                yield from map(self.script, flying)
                flying = []
            if envelope is None:
                return


def test_a_domain_never_has_more_on_their_way_than_it_may_and_nobody_else_waits(world: World) -> None:
    issue_id = to_two_domains(world, 40)
    at_once = parse_at_once("big.example=3")
    transport = Slow()
    done = world.deliver(issue_id, transport, batch=20, domains_at_once=at_once)
    assert domains(transport)["small.example"] == 40, "everybody else is mailed at once"
    assert 3 <= domains(transport)["big.example"] < 40
    assert not done.finished and done.wait_s is not None and 0 < done.wait_s <= 2
    assert transport.most["big.example"] == 3 and transport.most["small.example"] > 3
    for _ in range(40):
        world.clock.pass_by(seconds=1)
        if world.deliver(issue_id, transport, batch=20, domains_at_once=at_once).finished:
            break
    assert domains(transport) == {"big.example": 40, "small.example": 40}
    assert transport.most["big.example"] == 3
    assert issue_state(world, issue_id).value == "finished"
    with world.store.read() as unit:
        assert unit.deliveries.next_retry_at(issue_id) is None, "no remark is left behind"


def test_who_waits_for_room_takes_nothing_of_the_rate_of_their_domain(world: World) -> None:
    issue_id = to_two_domains(world, 20)
    hourly = parse_domains("big.example=10/hour")
    first = Slow()
    world.deliver(issue_id, first, domain_rates=hourly, domains_at_once={"big.example": 4})
    assert domains(first)["big.example"] == 4
    world.clock.pass_by(minutes=1)
    second = Slow()
    world.deliver(issue_id, second, domain_rates=hourly)
    assert domains(second)["big.example"] == 6, "ten in this hour, and not one less"


def test_of_very_many_who_wait_some_are_put_down_and_the_next_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.send.deliver._MOST_LOOKS", 2)
    issue_id = to_two_domains(world, 20)
    transport = Slow()
    told = world.deliver(issue_id, transport, batch=5, domains_at_once={"big.example": 1, "small.example": 1})
    assert set(domains(transport)) == {"big.example", "small.example"}
    assert max(transport.most.values()) == 1
    assert told.wait_s is not None and told.wait_s > 0, "all were looked at"
    with world.store.read() as unit:
        held = unit.deliveries.list(issue_id, states=[DeliveryState.RETRY_WAIT])
    assert len(held) == 40 - len(transport.handed)
