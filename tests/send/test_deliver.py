"""Invariants 6 to 9 in one process; tests/crash has those that need a process to die."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import pytest

from newsletter.errors import TransportBusy, TransportProblem
from newsletter.model.delivery import DeliveryState, Envelope, Outcome, Verdict
from newsletter.model.issue import IssueState
from newsletter.model.rate import Rate
from newsletter.send import cancel_issue, pause_issue, recover, resume_issue, retry_failed, settle_unknown
from newsletter.send.deliver import WHY_NOT
from subscribers.model import Cadence, SubscriberState, SuppressionCause
from subscribers.segments import Filter
from tests.send.world import FakeTransport, World, accepted


def issue_state(world: World, issue_id: int) -> IssueState:
    with world.store.read() as unit:
        return unit.issues.get(issue_id).state


def test_each_subscriber_gets_an_issue_once_and_it_is_finished(world: World) -> None:
    issue_id = world.sending(50)
    transport = FakeTransport()

    delivered = world.deliver(issue_id, transport)

    assert delivered.finished
    assert delivered.accepted == 50
    assert len(set(transport.addresses)) == len(transport.addresses) == 50
    assert world.receipt(issue_id).accepted == 50
    assert issue_state(world, issue_id) is IssueState.FINISHED


def test_delivering_again_hands_over_nothing(world: World) -> None:
    issue_id = world.sending(5)
    world.deliver(issue_id, FakeTransport())
    transport = FakeTransport()
    world.deliver(issue_id, transport)
    assert transport.handed == []


def test_an_audience_is_drawn_in_pages_and_again_without_harm(world: World) -> None:
    world.subscribe(23)
    issue_id = world.approved()
    world.start(issue_id, page=10)
    with world.store.begin() as unit:
        unit.issues.advance_audience(issue_id, 0, False)
    assert world.expand(issue_id, page=7)
    assert world.receipt(issue_id).audience == 23


def test_an_issue_for_a_segment_is_drawn_from_those_in_it_alone(world: World) -> None:
    world.subscribe(12)
    inside = world.subscribe(5, prefix="inside")
    with world.store.begin() as unit:
        unit.subscribers.tag(inside, world.clock(), add=["vip"])
    issue_id = world.approved(segment=Filter(tags=("vip",)))
    world.start(issue_id, page=2)
    transport = FakeTransport()
    world.deliver(issue_id, transport)
    assert sorted(transport.addresses) == [f"inside{number}@readers.example" for number in range(5)]
    receipt = world.receipt(issue_id)
    assert (receipt.audience, receipt.accepted, receipt.skipped) == (5, 5, 0)


def test_who_leaves_a_segment_after_it_was_drawn_still_gets_the_issue(world: World) -> None:
    inside = world.subscribe(2)
    with world.store.begin() as unit:
        unit.subscribers.tag(inside, world.clock(), add=["vip"])
    issue_id = world.approved(segment=Filter(tags=("vip",)))
    world.start(issue_id)
    with world.store.begin() as unit:
        unit.subscribers.tag(inside[:1], world.clock(), remove=["vip"])
        unit.subscribers.unsubscribe(inside[1], world.clock())
    transport = FakeTransport()
    world.deliver(issue_id, transport)
    assert transport.addresses == ["reader0@readers.example"]


def test_whoever_is_outside_of_a_segment_may_get_its_posts_by_another_issue(world: World) -> None:
    world.subscribe(2, cadence=Cadence.WEEKLY)
    [inside] = world.subscribe(1, prefix="inside")
    with world.store.begin() as unit:
        unit.subscribers.tag([inside], world.clock(), add=["vip"])
    post = world.post()
    first = world.approved([post], segment=Filter(tags=("vip",)))
    world.start(first)
    world.deliver(first, FakeTransport())
    with world.store.begin() as unit:
        unit.subscribers.choose(
            inside, world.clock(), cadence=Cadence.WEEKLY, topics_off=(), paused_until=None
        )
    digest = world.approved([post], cadence=Cadence.WEEKLY)
    world.start(digest)
    transport = FakeTransport()
    world.deliver(digest, transport)
    assert sorted(transport.addresses) == ["reader0@readers.example", "reader1@readers.example"]


def test_who_comes_after_sending_began_is_not_in_the_audience(world: World) -> None:
    world.subscribe(3)
    issue_id = world.approved()
    world.start(issue_id, page=2)
    world.subscribe(2, prefix="late")
    with world.store.begin() as unit:
        unit.issues.advance_audience(issue_id, 0, False)
    world.expand(issue_id)
    assert world.receipt(issue_id).audience == 3


def test_a_subscriber_suppressed_after_the_audience_was_drawn_gets_nothing(world: World) -> None:
    issue_id = world.sending(3)
    with world.store.begin() as unit:
        unit.subscribers.suppress("reader1@readers.example", SuppressionCause.MANUAL, world.clock())
    transport = FakeTransport()
    world.deliver(issue_id, transport)
    assert "reader1@readers.example" not in transport.addresses
    receipt = world.receipt(issue_id)
    assert (receipt.accepted, receipt.skipped) == (2, 1)
    with world.store.read() as unit:
        (skipped,) = unit.deliveries.list(issue_id, states=[DeliveryState.SKIPPED])
    assert skipped.reason


@pytest.mark.parametrize("window", [1, 16])
def test_whoever_leaves_while_it_is_sent_gets_nothing_that_has_not_begun(world: World, window: int) -> None:
    issue_id = world.sending(40)
    with world.store.read() as unit:
        people = unit.subscribers.list(limit=40)
    last = people[-1]

    def leave(envelope: Envelope) -> Outcome:
        if envelope.key.number == people[0].id:
            with world.store.begin() as unit:
                unit.subscribers.unsubscribe(last.id, world.clock())
                unit.deliveries.unclaim(last.id)
        return accepted(envelope)

    transport = FakeTransport(leave, window=window, in_hand=2 * window)
    done = world.deliver(issue_id, transport)

    assert done.finished and last.address not in transport.addresses
    receipt = world.receipt(issue_id)
    assert (receipt.accepted, receipt.skipped, receipt.remaining) == (39, 1, 0)
    with world.store.read() as unit:
        assert unit.deliveries.get(issue_id, last.id).reason == "They unsubscribed."


def test_a_window_whose_people_all_left_ends_nothing_but_itself(world: World) -> None:
    issue_id = world.sending(3)
    with world.store.read() as unit:
        first, second, third = unit.subscribers.list(limit=3)

    def leave(envelope: Envelope) -> Outcome:
        if envelope.key.number == first.id:
            with world.store.begin() as unit:
                unit.subscribers.unsubscribe(second.id, world.clock())
                unit.deliveries.unclaim(second.id)
        return accepted(envelope)

    transport = FakeTransport(leave, window=1, in_hand=2)

    assert world.deliver(issue_id, transport).finished
    assert transport.addresses == [first.address, third.address]


def test_a_post_reaches_a_subscriber_once_when_they_change_their_rhythm(world: World) -> None:
    (subscriber_id,) = world.subscribe(1)
    old, new = world.post(), world.post()
    each = world.approved([old])
    world.start(each)
    world.deliver(each, FakeTransport())
    with world.store.begin() as unit:
        unit.subscribers.choose(
            subscriber_id, world.clock(), cadence=Cadence.WEEKLY, topics_off=(), paused_until=None
        )

    weekly = world.approved([old, new], cadence=Cadence.WEEKLY)
    world.start(weekly)
    transport = FakeTransport()
    world.deliver(weekly, transport)

    assert [envelope.letter.id for envelope in transport.handed] == ["letter-0-2"]


def test_nobody_gets_an_issue_of_posts_they_all_had(world: World) -> None:
    (subscriber_id,) = world.subscribe(1)
    post_id = world.post()
    each = world.approved([post_id])
    world.start(each)
    world.deliver(each, FakeTransport())
    with world.store.begin() as unit:
        unit.subscribers.choose(
            subscriber_id, world.clock(), cadence=Cadence.WEEKLY, topics_off=(), paused_until=None
        )
    weekly = world.approved([post_id], cadence=Cadence.WEEKLY)
    world.start(weekly)
    transport = FakeTransport()
    world.deliver(weekly, transport)
    assert transport.handed == []
    assert world.receipt(weekly).skipped == 1


def test_whatever_a_transport_holds_is_durably_submitting(world: World) -> None:
    issue_id = world.sending(40)
    seen: list[DeliveryState] = []

    def look(envelope: Envelope) -> Outcome:
        with world.store.read() as unit:
            seen.append(unit.deliveries.get(issue_id, envelope.key.number).state)
        return accepted(envelope)

    world.deliver(issue_id, FakeTransport(look))
    assert set(seen) == {DeliveryState.SUBMITTING}


def test_no_more_is_submitting_than_a_transport_may_hold(world: World) -> None:
    issue_id = world.sending(100)
    most = 0

    def count(envelope: Envelope) -> Outcome:
        nonlocal most
        with world.store.read() as unit:
            rows = unit.deliveries.list(issue_id, states=[DeliveryState.SUBMITTING], limit=1000)
        most = max(most, len(rows))
        return accepted(envelope)

    world.deliver(issue_id, FakeTransport(count))
    assert most <= 32


def refuse(verdict: Verdict, **more: object) -> FakeTransport:
    def script(envelope: Envelope) -> Outcome:
        return Outcome(key=envelope.key, verdict=verdict, code="550 5.1.1", reason="No such user.", **more)  # type: ignore[arg-type]  # keyword arguments of a dataclass

    return FakeTransport(script)


def test_a_refused_address_fails_and_is_never_mailed_again(world: World) -> None:
    issue_id = world.sending(1)
    world.deliver(issue_id, refuse(Verdict.FAILED, bad_address=True))
    assert world.receipt(issue_id).failed == 1
    with world.store.read() as unit:
        assert unit.subscribers.suppressions_of("reader0@readers.example")


def test_a_passing_refusal_waits_and_is_tried_again(world: World) -> None:
    issue_id = world.sending(1)
    first = world.deliver(issue_id, refuse(Verdict.RETRY))
    assert not first.finished
    assert first.wait_s is not None and first.wait_s >= 300
    early = FakeTransport()
    world.deliver(issue_id, early)
    assert early.handed == []

    world.clock.pass_by(minutes=6)
    second = world.deliver(issue_id, FakeTransport())
    assert second.finished
    with world.store.read() as unit:
        (subscriber_id,) = [d.subscriber_id for d in unit.deliveries.list(issue_id)]
        assert unit.deliveries.get(issue_id, subscriber_id).reason == ""


def test_after_about_three_days_of_refusals_a_delivery_fails(world: World) -> None:
    issue_id = world.sending(1)
    began = world.clock()
    for _ in range(20):
        if world.deliver(issue_id, refuse(Verdict.RETRY)).finished:
            break
        world.clock.pass_by(days=1, minutes=1)
    assert world.receipt(issue_id).failed == 1
    assert timedelta(days=2) < world.clock() - began < timedelta(days=12)


def test_an_unknown_is_counted_and_never_sent_again_by_itself(world: World) -> None:
    issue_id = world.sending(2)
    assert world.deliver(issue_id, refuse(Verdict.UNKNOWN)).finished
    again = FakeTransport()
    world.deliver(issue_id, again)
    assert again.handed == []
    assert world.receipt(issue_id).unknown == 2


def test_the_author_may_resend_what_is_unknown(world: World) -> None:
    issue_id = world.sending(2)
    world.deliver(issue_id, refuse(Verdict.UNKNOWN))
    with world.store.begin() as unit:
        assert settle_unknown(unit, issue_id, world.clock(), resend=False) == 0
        assert settle_unknown(unit, issue_id, world.clock(), resend=True) == 2
    assert world.deliver(issue_id, FakeTransport()).finished
    assert world.receipt(issue_id).accepted == 2


def test_the_author_may_retry_what_failed(world: World) -> None:
    issue_id = world.sending(2)
    world.deliver(issue_id, refuse(Verdict.FAILED))
    with world.store.begin() as unit:
        assert retry_failed(unit, issue_id, world.clock()) == 2
    transport = FakeTransport()
    world.deliver(issue_id, transport)
    assert len(transport.handed) == 2


def test_a_retry_leaves_alone_whose_address_does_not_exist(world: World) -> None:
    issue_id = world.sending(4)

    def script(envelope: Envelope) -> Outcome:
        gone = envelope.to.startswith(("reader1@", "reader2@"))
        code = "550 5.1.1" if gone else "554 5.6.0"
        return Outcome(key=envelope.key, verdict=Verdict.FAILED, code=code, bad_address=gone)

    world.deliver(issue_id, FakeTransport(script))
    assert world.receipt(issue_id).failed == 4
    with world.store.begin() as unit:
        assert retry_failed(unit, issue_id, world.clock()) == 2
    world.deliver(issue_id, FakeTransport())
    receipt = world.receipt(issue_id)
    assert (receipt.accepted, receipt.failed, receipt.skipped, receipt.bounced) == (2, 2, 0, 0)
    with world.store.read() as unit:
        failed = unit.deliveries.list(issue_id, states=[DeliveryState.FAILED])
    assert {one.code for one in failed} == {"550 5.1.1"}


def test_a_resend_keeps_its_message_id(world: World) -> None:
    issue_id = world.sending(1)
    first, second = refuse(Verdict.FAILED), FakeTransport()
    world.deliver(issue_id, first)
    with world.store.begin() as unit:
        retry_failed(unit, issue_id, world.clock())
    world.deliver(issue_id, second)
    assert first.handed[0].message_id == second.handed[0].message_id
    assert first.handed[0].attempt_id < second.handed[0].attempt_id


@pytest.mark.parametrize("problem", [TransportProblem, TransportBusy])
def test_a_transport_that_refuses_us_burns_nothing(world: World, problem: type[TransportProblem]) -> None:
    issue_id = world.sending(40)

    def script(envelope: Envelope) -> Outcome:
        if len(transport.handed) > 20:
            raise problem("The mail server does not accept our password.")
        return accepted(envelope)

    transport = FakeTransport(script)
    delivered = world.deliver(issue_id, transport)
    assert delivered.problem
    receipt = world.receipt(issue_id)
    # The one at which it raised has no outcome: this fake breaks the port's promise, so it is not known.
    assert (receipt.accepted, receipt.unknown, receipt.remaining) == (20, 1, 19)
    paused = problem is TransportProblem
    assert issue_state(world, issue_id) is (IssueState.PAUSED if paused else IssueState.SENDING)
    with world.store.read() as unit:
        pending = unit.deliveries.list(issue_id, states=[DeliveryState.PENDING])
    assert len(pending) == 19


def test_pausing_in_mid_send_hands_over_at_most_what_is_in_hand(world: World) -> None:
    issue_id = world.sending(200)

    def script(envelope: Envelope) -> Outcome:
        if len(transport.handed) == 20:
            with world.store.begin() as unit:
                pause_issue(unit, issue_id, world.clock())
        return accepted(envelope)

    transport = FakeTransport(script)
    world.deliver(issue_id, transport)
    assert 20 <= len(transport.handed) <= 52
    assert world.receipt(issue_id).remaining == 200 - len(transport.handed)

    with world.store.begin() as unit:
        resume_issue(unit, issue_id, world.clock())
    rest = FakeTransport()
    assert world.deliver(issue_id, rest).finished
    assert len(rest.handed) + len(transport.handed) == 200


def test_cancelling_in_mid_send_skips_the_rest(world: World) -> None:
    issue_id = world.sending(200)

    def script(envelope: Envelope) -> Outcome:
        if len(transport.handed) == 20:
            with world.store.begin() as unit:
                cancel_issue(unit, issue_id, world.clock())
        return accepted(envelope)

    transport = FakeTransport(script)
    world.deliver(issue_id, transport)
    receipt = world.receipt(issue_id)
    assert receipt.accepted == len(transport.handed) <= 52
    assert receipt.skipped == 200 - receipt.accepted
    assert receipt.remaining == 0


def test_who_was_refused_for_now_while_it_was_cancelled_is_left_out(world: World) -> None:
    issue_id = world.sending(40)

    def script(envelope: Envelope) -> Outcome:
        if len(transport.handed) == 3:
            with world.store.begin() as unit:
                cancel_issue(unit, issue_id, world.clock())
        return Outcome(key=envelope.key, verdict=Verdict.RETRY, code="451 4.3.0", reason="later")

    transport = FakeTransport(script)
    world.deliver(issue_id, transport)
    receipt = world.receipt(issue_id)
    assert (receipt.skipped, receipt.remaining) == (40, 0)


def test_stopping_drains_what_is_in_hand(world: World) -> None:
    issue_id = world.sending(100)
    stop = threading.Event()

    def script(envelope: Envelope) -> Outcome:
        if len(transport.handed) == 5:
            stop.set()
        return accepted(envelope)

    transport = FakeTransport(script)
    world.deliver(issue_id, transport, stop=stop)
    receipt = world.receipt(issue_id)
    assert receipt.accepted == len(transport.handed) <= 32
    assert receipt.remaining == 100 - receipt.accepted


def test_a_rate_is_kept_over_restarts(world: World) -> None:
    issue_id = world.sending(30)
    rate = Rate(count=10, seconds=60)
    first, second, third = FakeTransport(), FakeTransport(), FakeTransport()
    told = world.deliver(issue_id, first, rate=rate, budget_s=0.5)
    assert len(first.handed) == 10
    assert told.wait_s is not None and 50 < told.wait_s <= 62
    world.clock.pass_by(seconds=30)
    world.deliver(issue_id, second, rate=rate, budget_s=0.5)
    assert second.handed == []
    world.clock.pass_by(seconds=32)
    world.deliver(issue_id, third, rate=rate, budget_s=0.5)
    assert len(third.handed) == 10


def test_a_row_that_another_worker_tries_again_is_waited_for_no_more(world: World) -> None:
    issue_id = world.sending(1)
    refused = FakeTransport(lambda envelope: Outcome(key=envelope.key, verdict=Verdict.RETRY, code="450"))
    world.deliver(issue_id, refused)
    world.clock.pass_by(hours=12)
    with world.store.begin() as unit:
        assert unit.deliveries.next_retry_at(issue_id) is not None
        ids = [row.subscriber_id for row in unit.deliveries.claimable(issue_id, 1, world.clock())]
        lease_until = world.clock() + timedelta(seconds=20)
        attempt_id = unit.deliveries.open_attempt(issue_id, "fake", world.clock(), lease_until)
        unit.deliveries.claim(issue_id, attempt_id, ids)
        assert unit.deliveries.next_retry_at(issue_id) is None
    told = world.deliver(issue_id, FakeTransport())
    assert told.wait_s == 1.0  # not at once, over and over again


def test_recovery_never_requeues_what_a_provider_could_have_acted_upon(world: World) -> None:
    issue_id = world.sending(20)
    with world.store.begin() as unit:
        rows = unit.deliveries.claimable(issue_id, 20, world.clock())
        ids = [row.subscriber_id for row in rows]
        lease_until = world.clock() + timedelta(seconds=20)
        attempt_id = unit.deliveries.open_attempt(issue_id, "fake", world.clock(), lease_until)
        unit.deliveries.claim(issue_id, attempt_id, ids)
        unit.deliveries.mark_submitting(issue_id, attempt_id, ids[:8], lease_until)

    assert recover(world.store.begin, world.clock) == (0, 0)
    world.clock.pass_by(seconds=21)
    assert recover(world.store.begin, world.clock) == (12, 8)
    assert recover(world.store.begin, world.clock) == (0, 0)
    assert world.receipt(issue_id).unknown == 8
    transport = FakeTransport()
    assert world.deliver(issue_id, transport).finished
    assert {envelope.key.number for envelope in transport.handed} == set(ids[8:])


def test_who_is_pending_again_before_the_last_one_claimed_is_found_after_the_others(world: World) -> None:
    issue_id = world.sending(9)
    now = world.clock()
    with world.store.begin() as unit:
        ids = [one.subscriber_id for one in unit.deliveries.claimable(issue_id, 9, now)]
        attempt_id = unit.deliveries.open_attempt(issue_id, "fake", now, now + timedelta(seconds=20))
        unit.deliveries.claim(issue_id, attempt_id, ids[:6])
    with world.store.begin() as unit:
        unit.deliveries.give_back(issue_id, attempt_id, ids[1:3])
        later = unit.deliveries.claimable(issue_id, 2, now, after=ids[5])
        assert [one.subscriber_id for one in later] == ids[6:8]
        every = unit.deliveries.claimable(issue_id, 9, now, after=ids[5])
        assert [one.subscriber_id for one in every] == [*ids[1:3], *ids[6:]]


def half_begun(world: World, issue_id: int, count: int) -> tuple[list[int], int, datetime]:
    """So many rows claimed, the first half of them submitting; their attempt, and the end of its lease."""
    now = world.clock()
    until = now + timedelta(seconds=20)
    with world.store.begin() as unit:
        ids = [one.subscriber_id for one in unit.deliveries.claimable(issue_id, count, now)]
        attempt_id = unit.deliveries.open_attempt(issue_id, "fake", now, until)
        unit.deliveries.claim(issue_id, attempt_id, ids)
        unit.deliveries.mark_submitting(issue_id, attempt_id, ids[: count // 2], until)
    return ids, attempt_id, until


@pytest.mark.parametrize("begun", [False, True])
def test_a_window_records_what_was_accepted_before_it(world: World, begun: bool) -> None:
    """Also what was given up as unknown meanwhile, and whether or not its transaction has begun already."""
    issue_id = world.sending(8)
    ids, attempt_id, until = half_begun(world, issue_id, 8)
    with world.store.begin() as unit:
        unit.deliveries.move(issue_id, ids[:1], DeliveryState.UNKNOWN)
    with world.store.begin() as unit:
        if begun:
            unit.issues.state(issue_id)
        marked = unit.deliveries.mark_submitting(issue_id, attempt_id, ids[4:], until, ids[:4])
    assert marked.ids == set(ids[4:])
    with world.store.read() as unit:
        assert [one.state for one in unit.deliveries.list(issue_id)] == (
            [DeliveryState.ACCEPTED] * 4 + [DeliveryState.SUBMITTING] * 4
        )


def test_a_window_of_a_lease_that_was_taken_over_still_records_what_was_accepted(world: World) -> None:
    issue_id = world.sending(4)
    ids, attempt_id, until = half_begun(world, issue_id, 4)
    world.clock.pass_by(seconds=21)
    assert recover(world.store.begin, world.clock) == (2, 2)
    with world.store.begin() as unit:
        assert not unit.deliveries.mark_submitting(issue_id, attempt_id, ids[2:], until, ids[:2]).held
    receipt = world.receipt(issue_id)
    assert (receipt.accepted, receipt.unknown, receipt.remaining) == (2, 0, 2)


def test_a_worker_whose_lease_was_taken_over_hands_over_nothing_more(world: World) -> None:
    issue_id = world.sending(60)

    def script(envelope: Envelope) -> Outcome:
        if len(stale.handed) == 16:
            world.clock.pass_by(seconds=60)
            recover(world.store.begin, world.clock)
            world.deliver(issue_id, other)
        return accepted(envelope)

    stale, other = FakeTransport(script), FakeTransport()
    world.deliver(issue_id, stale)
    assert not set(stale.addresses) & set(other.addresses)
    assert len(stale.handed) == 16
    # Its late news is evidence: what was given up as unknown turns out to be accepted.
    assert world.receipt(issue_id).accepted == 60


def test_every_reason_of_the_list_has_words_in_the_receipt() -> None:
    """A reason without words would read as "no longer on the list"."""
    reasons = {"paused", "consent_expired"}
    reasons |= {state.value for state in SubscriberState} - {SubscriberState.ACTIVE.value}
    reasons |= {cause.value for cause in SuppressionCause}
    assert set(WHY_NOT) == reasons


@pytest.mark.parametrize("broken", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_hand_over_that_breaks_off_leaves_nothing_submitting(
    world: World, broken: type[BaseException]
) -> None:
    """Invariant 8: what was pulled and never answered may have been handed over."""

    class Broken(FakeTransport):
        def hand_over(self, envelopes: Iterable[Envelope]) -> Iterator[Outcome]:
            source = iter(envelopes)
            yield accepted(next(source))
            next(source)
            raise broken

    issue_id = world.sending(5)
    with pytest.raises(broken):
        world.deliver(issue_id, Broken())
    receipt = world.receipt(issue_id)
    assert (receipt.accepted, receipt.unknown, receipt.remaining) == (1, 1, 3)
    assert world.deliver(issue_id, FakeTransport()).finished
    assert world.receipt(issue_id).accepted == 4
