from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from newsletter.learn import apply_events, take_in
from newsletter.model.delivery import DeliveryState, Envelope, Outcome, Verdict
from newsletter.model.event import Event, EventKind
from newsletter.model.issue import IssueState
from newsletter.model.notice import NewNotice, NoticeKind
from newsletter.send import recover, settle_unknown
from subscribers.model import SubscriberState, SuppressionCause
from tests.send.world import FakeTransport, World


def event(
    world: World, kind: EventKind, issue_id: int, subscriber_id: int, *, key: str = "", code: str = ""
) -> Event:
    return Event(
        provider="test",
        key=key or f"{kind}{issue_id}.{subscriber_id}",
        kind=kind,
        at=world.clock(),
        issue_id=issue_id,
        subscriber_id=subscriber_id,
        code=code,
        reason="It was full.",
    )


def learn(world: World, *events: Event) -> int:
    with world.store.begin() as unit:
        new = take_in(unit, [(one, "{}") for one in events], world.clock())
    apply_events(world.store.begin, world.clock)
    return new


def sent(world: World, verdict: Verdict = Verdict.ACCEPTED) -> tuple[int, int]:
    """An issue sent to one subscriber: (issue, subscriber)."""
    issue_id = world.sending(1)

    def script(envelope: Envelope) -> Outcome:
        return Outcome(key=envelope.key, verdict=verdict)

    transport = FakeTransport(script)
    world.deliver(issue_id, transport)
    return issue_id, transport.handed[0].key.number


def subscriber_state(world: World, subscriber_id: int) -> SubscriberState:
    with world.store.read() as unit:
        return unit.subscribers.get(subscriber_id).state


def test_an_event_settles_an_unknown(world: World) -> None:
    issue_id, who = sent(world, Verdict.UNKNOWN)
    learn(world, event(world, EventKind.PROCESSED, issue_id, who))
    receipt = world.receipt(issue_id)
    assert (receipt.accepted, receipt.unknown) == (1, 0)


def test_a_drop_turns_accepted_into_failed_with_its_reason(world: World) -> None:
    issue_id, who = sent(world)
    learn(world, event(world, EventKind.BLOCKED, issue_id, who, code="5.7.1"))
    assert world.receipt(issue_id).failed == 1
    with world.store.read() as unit:
        delivery = unit.deliveries.get(issue_id, who)
    assert (delivery.state, delivery.code, delivery.reason) == (DeliveryState.FAILED, "5.7.1", "It was full.")
    assert subscriber_state(world, who) is SubscriberState.ACTIVE


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (EventKind.BOUNCED, SubscriberState.BOUNCED),
        (EventKind.COMPLAINED, SubscriberState.COMPLAINED),
        (EventKind.UNSUBSCRIBED, SubscriberState.UNSUBSCRIBED),
    ],
)
def test_who_bounces_complains_or_leaves_is_never_mailed_again(
    world: World, kind: EventKind, state: SubscriberState
) -> None:
    issue_id, who = sent(world)
    learn(world, event(world, kind, issue_id, who))
    assert subscriber_state(world, who) is state
    receipt = world.receipt(issue_id)
    assert receipt.accepted == 1
    assert receipt.bounced + receipt.complained + receipt.unsubscribed == 1


def test_five_full_mailboxes_in_a_row_count_as_a_bounce_and_an_arrival_forgets_them(world: World) -> None:
    issue_id, who = sent(world)
    full = [event(world, EventKind.SOFT_BOUNCED, issue_id, who, key=f"full{n}") for n in range(9)]
    learn(world, *full[:4], event(world, EventKind.DELIVERED, issue_id, who), *full[4:8])
    assert subscriber_state(world, who) is SubscriberState.ACTIVE
    learn(world, full[8])
    assert subscriber_state(world, who) is SubscriberState.BOUNCED


def test_the_same_event_is_taken_in_once(world: World) -> None:
    issue_id, who = sent(world)
    full = event(world, EventKind.SOFT_BOUNCED, issue_id, who)
    assert learn(world, full, full) == 1
    for _ in range(10):
        assert learn(world, full) == 0
    assert subscriber_state(world, who) is SubscriberState.ACTIVE


def test_an_event_about_a_delivery_that_never_was_moves_nothing(world: World) -> None:
    issue_id, who = sent(world)
    learn(world, event(world, EventKind.BOUNCED, issue_id + 1, who, key="other"))
    learn(world, event(world, EventKind.COMPLAINED, issue_id, who + 1, key="stranger"))
    assert subscriber_state(world, who) is SubscriberState.ACTIVE


def test_a_replayed_event_lifts_nothing(world: World) -> None:
    issue_id, who = sent(world)
    learn(world, event(world, EventKind.COMPLAINED, issue_id, who))
    learn(world, event(world, EventKind.DELIVERED, issue_id, who))
    assert subscriber_state(world, who) is SubscriberState.COMPLAINED


def test_a_provider_out_of_quota_pauses_the_issue(world: World) -> None:
    world.subscribe(2)
    issue_id = world.approved()
    world.start(issue_id)
    with world.store.read() as unit:
        who = unit.deliveries.list(issue_id)[0].subscriber_id
    learn(world, event(world, EventKind.DROPPED, issue_id, who, code="quota"))
    with world.store.read() as unit:
        issue = unit.issues.get(issue_id)
    assert issue.state is IssueState.PAUSED
    assert "quota" in issue.problem


def begun(world: World, subscribers: int) -> tuple[int, list[int]]:
    """An issue that went to half of its subscribers so far: (issue, those)."""
    issue_id = world.sending(subscribers)
    transport = FakeTransport()
    stop = threading.Event()

    def script(envelope: Envelope) -> Outcome:
        if len(transport.handed) >= subscribers // 2:
            stop.set()
        return Outcome(key=envelope.key, verdict=Verdict.ACCEPTED)

    transport.script = script
    world.deliver(issue_id, transport, stop=stop)
    with world.store.read() as unit:
        assert unit.issues.get(issue_id).state is IssueState.SENDING
    return issue_id, [envelope.key.number for envelope in transport.handed]


@pytest.mark.parametrize(("kind", "few", "many"), [(EventKind.BOUNCED, 2, 3), (EventKind.COMPLAINED, 1, 2)])
def test_too_many_bounces_or_complaints_pause_an_issue_once(
    world: World, kind: EventKind, few: int, many: int
) -> None:
    issue_id, who = begun(world, 100)
    learn(world, *(event(world, kind, issue_id, one) for one in who[:few]))
    with world.store.read() as unit:
        assert unit.issues.get(issue_id).state is IssueState.SENDING
    learn(world, *(event(world, kind, issue_id, one) for one in who[:many]))
    with world.store.begin() as unit:
        issue = unit.issues.get(issue_id)
        assert issue.state is IssueState.PAUSED
        assert issue.problem.startswith(f"Sending stopped by itself: {many} of")
        unit.issues.resume(issue_id, world.clock())
    learn(world, event(world, kind, issue_id, who[many]))
    with world.store.read() as unit:
        assert unit.issues.get(issue_id).state is IssueState.SENDING, "the author has decided"


def test_the_same_bounce_told_again_and_again_counts_once(world: World) -> None:
    issue_id, who = begun(world, 100)
    learn(world, *(event(world, EventKind.BOUNCED, issue_id, who[0], key=f"k{n}") for n in range(20)))
    with world.store.read() as unit:
        assert unit.issues.get(issue_id).state is IssueState.SENDING


def moved(world: World, subscriber_id: int, address: str) -> str:
    """They change their address an hour after what was sent, and a day passes; the former one."""
    world.clock.pass_by(hours=1)
    with world.store.begin() as unit:
        former = unit.subscribers.get(subscriber_id).address
        unit.subscribers.readdress(subscriber_id, address, world.clock())
    world.clock.pass_by(days=1)
    return former


def causes(world: World, address: str) -> list[SuppressionCause]:
    with world.store.read() as unit:
        return [one.cause for one in unit.subscribers.suppressions_of(address)]


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (EventKind.BOUNCED, [SuppressionCause.BOUNCED]),
        (EventKind.COMPLAINED, [SuppressionCause.COMPLAINED]),
        (EventKind.SOFT_BOUNCED, []),
    ],
)
def test_what_comes_back_late_is_about_the_address_that_was_mailed(
    world: World, kind: EventKind, cause: list[SuppressionCause]
) -> None:
    issue_id, who = sent(world)
    former = moved(world, who, "moved@readers.example")
    learn(world, *(event(world, kind, issue_id, who, key=f"late{n}") for n in range(9)))
    assert causes(world, former) == cause
    assert causes(world, "moved@readers.example") == []
    assert subscriber_state(world, who) is SubscriberState.ACTIVE

    second = world.approved()
    world.start(second)
    transport = FakeTransport()
    world.deliver(second, transport)
    assert transport.addresses == ["moved@readers.example"]
    learn(world, event(world, EventKind.BOUNCED, second, who))
    assert causes(world, "moved@readers.example") == [SuppressionCause.BOUNCED]
    assert subscriber_state(world, who) is SubscriberState.BOUNCED


def test_a_bounce_names_the_hand_over_it_is_about_although_there_was_a_later_one(world: World) -> None:
    issue_id, who = sent(world, Verdict.UNKNOWN)
    with world.store.read() as unit:
        first = unit.deliveries.get(issue_id, who).attempt_id
    former = moved(world, who, "moved@readers.example")
    with world.store.begin() as unit:
        settle_unknown(unit, issue_id, world.clock(), resend=True)
    transport = FakeTransport()
    world.deliver(issue_id, transport)
    assert transport.addresses == ["moved@readers.example"]
    learn(world, replace(event(world, EventKind.BOUNCED, issue_id, who), attempt_id=first))
    assert causes(world, former) == [SuppressionCause.BOUNCED]
    assert subscriber_state(world, who) is SubscriberState.ACTIVE


def test_a_refusal_during_the_hand_over_is_about_the_address_that_was_claimed(world: World) -> None:
    issue_id = world.sending(1)
    former = ""

    def script(envelope: Envelope) -> Outcome:
        nonlocal former
        former = moved(world, envelope.key.number, "moved@readers.example")
        return Outcome(key=envelope.key, verdict=Verdict.FAILED, code="550 5.1.1", bad_address=True)

    world.deliver(issue_id, FakeTransport(script))
    assert causes(world, former) == [SuppressionCause.BOUNCED]
    assert causes(world, "moved@readers.example") == []


def test_who_leaves_by_an_old_message_leaves_whatever_their_address_is_now(world: World) -> None:
    issue_id, who = sent(world)
    moved(world, who, "moved@readers.example")
    learn(world, event(world, EventKind.UNSUBSCRIBED, issue_id, who))
    assert subscriber_state(world, who) is SubscriberState.UNSUBSCRIBED


def test_a_new_address_begins_without_strikes(world: World) -> None:
    issue_id, who = sent(world)
    learn(world, *(event(world, EventKind.SOFT_BOUNCED, issue_id, who, key=f"a{n}") for n in range(4)))
    moved(world, who, "moved@readers.example")
    second = world.approved()
    world.start(second)
    world.deliver(second, FakeTransport())
    learn(world, event(world, EventKind.SOFT_BOUNCED, second, who))
    assert subscriber_state(world, who) is SubscriberState.ACTIVE


@pytest.mark.parametrize(
    ("kind", "cause"),
    [(EventKind.BOUNCED, SuppressionCause.BOUNCED), (EventKind.COMPLAINED, SuppressionCause.COMPLAINED)],
)
def test_what_comes_back_of_a_notice_counts_for_its_address(
    world: World, kind: EventKind, cause: SuppressionCause
) -> None:
    with world.store.begin() as unit:
        for number, subscriber_id in enumerate((7, None)):
            unit.notices.queue(
                NewNotice(
                    key=str(number),
                    kind=NoticeKind.CONFIRM,
                    to=f"{number}@readers.example",
                    subscriber_id=subscriber_id,
                ),
                world.clock(),
            )
    for number in (1, 2, 3):
        learn(world, Event(provider="test", key=f"n{number}", kind=kind, at=world.clock(), notice_id=number))
    assert causes(world, "0@readers.example") == [cause]
    assert causes(world, "1@readers.example") == [], "that was the author's"


def handing_over(world: World, subscribers: int) -> tuple[int, int, list[int]]:
    """An issue whose messages are being handed over: (issue, attempt, subscribers)."""
    issue_id = world.sending(subscribers)
    lease_until = world.clock() + timedelta(seconds=20)
    with world.store.begin() as unit:
        ids = [row.subscriber_id for row in unit.deliveries.claimable(issue_id, subscribers, world.clock())]
        attempt_id = unit.deliveries.open_attempt(issue_id, "fake", world.clock(), lease_until)
        unit.deliveries.claim(issue_id, attempt_id, ids)
        unit.deliveries.mark_submitting(issue_id, attempt_id, ids, lease_until)
    return issue_id, attempt_id, ids


def test_what_is_told_during_a_hand_over_counts_where_that_never_ended(world: World) -> None:
    issue_id, _, ids = handing_over(world, 3)
    learn(
        world,
        event(world, EventKind.PROCESSED, issue_id, ids[0]),
        event(world, EventKind.DROPPED, issue_id, ids[1], code="content"),
    )
    assert world.receipt(issue_id).remaining == 3
    world.clock.pass_by(seconds=21)
    assert recover(world.store.begin, world.clock) == (0, 3)
    learn(world)
    receipt = world.receipt(issue_id)
    assert (receipt.accepted, receipt.failed, receipt.unknown) == (1, 1, 1)


def test_what_is_told_during_a_hand_over_counts_once_it_ended(world: World) -> None:
    issue_id, attempt_id, (who,) = handing_over(world, 1)
    learn(world, event(world, EventKind.DROPPED, issue_id, who, code="bounced"))
    with world.store.begin() as unit:
        unit.deliveries.accept(issue_id, attempt_id, [who])
    learn(world)
    assert world.receipt(issue_id).failed == 1
    assert subscriber_state(world, who) is SubscriberState.BOUNCED


def test_what_waits_for_a_hand_over_keeps_nothing_else_waiting(world: World) -> None:
    issue_id, _, ids = handing_over(world, 5)
    with world.store.begin() as unit:
        waiting = [event(world, EventKind.DELIVERED, issue_id, who) for who in ids]
        take_in(unit, [(one, "{}") for one in waiting], world.clock())
    other, who = sent(world, Verdict.UNKNOWN)
    with world.store.begin() as unit:
        take_in(unit, [(event(world, EventKind.DELIVERED, other, who), "{}")], world.clock())
    assert apply_events(world.store.begin, world.clock, page=2) == {"delivered": 1}
    assert world.receipt(other).delivered == 1
