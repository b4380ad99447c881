"""Sending that stops by itself: refusals that are about us, and the first share of an issue."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.delivery import DeliveryState, Envelope, Outcome, Verdict
from newsletter.model.issue import IssueState
from newsletter.model.rate import UNLIMITED
from newsletter.send import deliver_issue, resume_issue
from newsletter.send.guards import MOST_REFUSALS, canary_size, is_about_us
from newsletter.send.ports import Transport
from tests.send.test_deliver import issue_state
from tests.send.world import FakeTransport, World, accepted, letter


def refused(envelope: Envelope, code: str = "550 5.7.1") -> Outcome:
    return Outcome(key=envelope.key, verdict=Verdict.FAILED, code=code, reason="Message rejected")


def deliver(
    world: World, issue_id: int, transport: Transport, *, canary: float = 0.0, batch: int = 1000
) -> str:
    return deliver_issue(
        issue_id,
        work=world.store.begin,
        transport=transport,
        letters=letter,
        links=world.links,
        rate=UNLIMITED,
        clock=world.clock,
        stop=threading.Event(),
        budget_s=60.0,
        batch=batch,
        canary=canary,
    ).problem


@pytest.mark.parametrize("batch", [1000, 4])
def test_refusals_for_policy_one_after_another_pause_and_give_up_nobody(world: World, batch: int) -> None:
    issue_id = world.sending(60)
    transport = FakeTransport(refused)
    problem = deliver(world, issue_id, transport, batch=batch)
    assert "policy" in problem
    assert issue_state(world, issue_id) is IssueState.PAUSED
    receipt = world.receipt(issue_id)
    assert (receipt.failed, receipt.remaining) == (0, 60)
    assert len(transport.handed) <= MOST_REFUSALS + transport.in_hand
    with world.store.begin() as unit:
        resume_issue(unit, issue_id, world.clock())
    assert deliver(world, issue_id, FakeTransport()) == ""
    assert world.receipt(issue_id).accepted == 60


def no_such_user(envelope: Envelope) -> Outcome:
    return Outcome(key=envelope.key, verdict=Verdict.FAILED, code="550 5.1.1", bad_address=True)


def test_too_many_addresses_that_are_none_pause_an_issue_once(world: World) -> None:
    issue_id = world.sending(200)
    transport = FakeTransport(lambda one: no_such_user(one) if one.key.number % 5 == 0 else accepted(one))
    assert "addresses do not exist" in deliver(world, issue_id, transport)
    receipt = world.receipt(issue_id)
    assert issue_state(world, issue_id) is IssueState.PAUSED
    assert receipt.failed >= 3 and receipt.remaining > 100 and receipt.bounced == 0
    with world.store.begin() as unit:
        resume_issue(unit, issue_id, world.clock())
    assert deliver(world, issue_id, transport) == ""  # the author has decided
    assert world.receipt(issue_id).remaining == 0


def test_a_few_addresses_that_are_none_stop_nothing(world: World) -> None:
    issue_id = world.sending(200)
    transport = FakeTransport(lambda one: no_such_user(one) if one.key.number % 100 == 0 else accepted(one))
    assert deliver(world, issue_id, transport) == ""
    assert (world.receipt(issue_id).failed, world.receipt(issue_id).remaining) == (2, 0)


def test_a_message_that_cannot_be_written_for_anybody_pauses_and_gives_up_nobody(world: World) -> None:
    issue_id = world.sending(60)
    transport = FakeTransport(
        lambda envelope: Outcome(
            key=envelope.key, verdict=Verdict.FAILED, code="invalid", reason="The header Subject is too long."
        )
    )
    assert "cannot be written: The header Subject" in deliver(world, issue_id, transport)
    assert issue_state(world, issue_id) is IssueState.PAUSED
    receipt = world.receipt(issue_id)
    assert (receipt.failed, receipt.remaining) == (0, 60)


def test_a_few_refusals_for_policy_among_others_are_about_those_recipients(world: World) -> None:
    issue_id = world.sending(60)

    def script(envelope: Envelope) -> Outcome:
        return refused(envelope) if envelope.key.number % 3 == 0 else accepted(envelope)

    assert deliver(world, issue_id, FakeTransport(script)) == ""
    receipt = world.receipt(issue_id)
    assert (receipt.accepted, receipt.failed) == (40, 20)
    assert issue_state(world, issue_id) is IssueState.FINISHED


def test_bad_addresses_one_after_another_pause_nothing(world: World) -> None:
    issue_id = world.sending(40)
    assert deliver(world, issue_id, FakeTransport(lambda one: refused(one, "550 5.1.1"))) == ""
    assert world.receipt(issue_id).failed == 40


def test_the_first_share_goes_and_the_rest_waits_for_the_author(world: World) -> None:
    issue_id = world.sending(200)
    first = FakeTransport()
    assert "10 recipients first" in deliver(world, issue_id, first, canary=0.05)
    assert len(first.handed) == 10
    assert issue_state(world, issue_id) is IssueState.PAUSED
    with world.store.begin() as unit:
        resume_issue(unit, issue_id, world.clock())
    rest = FakeTransport()
    assert deliver(world, issue_id, rest, canary=0.05) == ""
    assert len(rest.handed) == 190
    assert issue_state(world, issue_id) is IssueState.FINISHED


def test_a_share_that_is_set_when_most_had_their_turn_stops_nobody(world: World) -> None:
    issue_id = world.sending(100)
    later = FakeTransport(
        lambda envelope: (
            Outcome(key=envelope.key, verdict=Verdict.RETRY, code="450")
            if envelope.to.startswith("reader99@")
            else accepted(envelope)
        )
    )
    assert not world.deliver(issue_id, later).finished
    world.clock.pass_by(hours=1)
    assert deliver(world, issue_id, FakeTransport(), canary=0.05) == ""
    assert issue_state(world, issue_id) is IssueState.FINISHED


def test_one_recipient_needs_no_first_share(world: World) -> None:
    issue_id = world.sending(1)
    assert deliver(world, issue_id, FakeTransport(), canary=0.01) == ""
    assert issue_state(world, issue_id) is IssueState.FINISHED


def test_somebody_who_is_left_out_does_not_count_in_the_share(world: World) -> None:
    issue_id = world.sending(20)
    with world.store.begin() as unit:
        first = [claimed.subscriber_id for claimed in unit.deliveries.claimable(issue_id, 10, world.clock())]
        unit.deliveries.skip(issue_id, dict.fromkeys(first, "They unsubscribed."), world.clock())
    transport = FakeTransport()
    deliver(world, issue_id, transport, canary=0.5)
    assert len(transport.handed) == 5
    with world.store.read() as unit:
        assert len(unit.deliveries.list(issue_id, states=[DeliveryState.PENDING])) == 5


@given(st.floats(0, 0.5), st.integers(0, 10**7))
def test_a_share_is_at_least_one_and_never_all_of_many(share: float, audience: int) -> None:
    size = canary_size(share, audience)
    assert 0 <= size <= max(1, audience)
    if share and audience:
        assert size >= 1


@pytest.mark.parametrize(
    ("code", "policy"),
    [
        ("invalid", True),
        ("550 5.7.1", True),
        ("554 5.7.509", True),
        ("550 5.1.1", False),
        ("421 4.7.28", False),
        ("550", False),
    ],
)
def test_which_refusals_name_a_policy(code: str, policy: bool) -> None:
    assert is_about_us(code) is policy
    assert is_about_us("invalid")
