"""Whom SendGrid already never mails is not mailed by us either."""

from __future__ import annotations

import pytest

from newsletter.errors import TransportBusy, TransportProblem
from newsletter.send.ports import KnowsSuppressions
from newsletter.send.suppressions import take_suppressions
from newsletter.send.transports.sendgrid import SendGrid
from subscribers.model import SubscriberState
from tests.send.world import FakeTransport, World
from tests.support.sendgrid import SendGridStandIn


def take(world: World, standin: SendGridStandIn) -> int:
    source = SendGrid("SG.test", base_url=standin.url, timeout_s=5.0)
    assert isinstance(source, KnowsSuppressions)
    return take_suppressions(source, source.name, work=world.store.begin, clock=world.clock)


def test_its_lists_are_taken_over_and_who_is_on_them_is_not_mailed(
    world: World, sendgrid_standin: SendGridStandIn
) -> None:
    ids = world.subscribe(6)
    sendgrid_standin.suppressed = {
        "bounces": ["reader0@readers.example"],
        "invalid_emails": ["Reader1@readers.example"],
        "spam_reports": ["reader2@readers.example"],
        "unsubscribes": ["reader3@readers.example", "stranger@readers.example"],
        "blocks": ["reader4@readers.example"],
    }
    assert take(world, sendgrid_standin) == 5
    with world.store.read() as unit:
        states = [unit.subscribers.get(one).state for one in ids]
    assert states == [
        SubscriberState.BOUNCED,
        SubscriberState.BOUNCED,
        SubscriberState.COMPLAINED,
        SubscriberState.UNSUBSCRIBED,
        SubscriberState.ACTIVE,
        SubscriberState.ACTIVE,
    ]
    with world.store.read() as unit:
        strikes = [unit.subscribers.get(one).strikes for one in ids]
    assert strikes == [0, 0, 0, 0, 1, 0], "a block is a strike"
    issue_id = world.approved()
    world.start(issue_id)
    transport = FakeTransport()
    world.deliver(issue_id, transport)
    assert sorted(transport.addresses) == ["reader4@readers.example", "reader5@readers.example"]


def test_they_are_taken_once(world: World, sendgrid_standin: SendGridStandIn) -> None:
    sendgrid_standin.suppressed = {"bounces": ["a@readers.example"]}
    assert take(world, sendgrid_standin) == 1
    sendgrid_standin.suppressed = {"bounces": ["a@readers.example", "b@readers.example"]}
    assert take(world, sendgrid_standin) == 0


def test_lists_longer_than_a_page_are_read_whole(world: World, sendgrid_standin: SendGridStandIn) -> None:
    sendgrid_standin.suppressed = {"unsubscribes": [f"gone{n}@readers.example" for n in range(1001)]}
    assert take(world, sendgrid_standin) == 1001


@pytest.mark.parametrize(("status", "problem"), [(403, TransportProblem), (503, TransportBusy)])
def test_a_list_that_is_not_shown_is_asked_for_again(
    world: World, sendgrid_standin: SendGridStandIn, status: int, problem: type[TransportProblem]
) -> None:
    sendgrid_standin.suppressed = {"bounces": ["a@readers.example"]}
    sendgrid_standin.suppressions_status = status
    with pytest.raises(problem):
        take(world, sendgrid_standin)
    sendgrid_standin.suppressions_status = 200
    assert take(world, sendgrid_standin) == 1


def test_what_is_no_address_keeps_nobody_else_from_being_taken(
    world: World, sendgrid_standin: SendGridStandIn
) -> None:
    sendgrid_standin.suppressed = {"bounces": ["not an address", "a@readers.example"]}
    assert take(world, sendgrid_standin) == 1
