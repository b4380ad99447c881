from __future__ import annotations

import threading

import pytest

from newsletter.learn import apply_events, take_in
from newsletter.model.delivery import DeliveryState, Envelope, Outcome, Verdict
from newsletter.model.event import Event, EventKind
from newsletter.model.issue import IssueState
from subscribers.model import SubscriberState
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
