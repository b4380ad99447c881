"""The receipt's details, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from newsletter.model.delivery import DeliveryState, Envelope, Outcome, Verdict
from newsletter.model.receipt import DomainLine, Receipt, Stretch
from newsletter.send import recover
from newsletter.store.database import Database
from subscribers.personal import erase
from tests.send.world import FakeTransport, World

_S = DeliveryState
FULL = "552 5.2.2"


@pytest.fixture
def world(migrated: Database) -> Iterator[World]:
    made = World(migrated)
    yield made


def answered(envelope: Envelope) -> Outcome:
    """By who is asked: the second is gone, the third full, the fourth unclear, the fifth too late."""
    number = envelope.key.number % 5
    verdict = (Verdict.ACCEPTED, Verdict.ACCEPTED, Verdict.FAILED, Verdict.UNKNOWN, Verdict.RETRY)[number]
    code = {2: FULL, 4: "451 4.3.0"}.get(number, "")
    return Outcome(key=envelope.key, verdict=verdict, code=code, reason=f"said of {envelope.key.number}")


def sent(world: World) -> int:
    """Twenty readers of three domains, with every kind of end among them."""
    with world.store.begin() as unit:
        for number in range(20):
            domain = ("big.example", "big.example", "small.example", "tiny.example")[number % 4]
            unit.subscribers.add(f"reader{number}@{domain}", source="test", now=world.clock())
    issue_id = world.approved()
    world.start(issue_id)
    world.deliver(issue_id, FakeTransport(script=answered))
    return issue_id


def test_the_domains_add_up_to_the_receipt(world: World) -> None:
    issue_id = sent(world)
    receipt = world.receipt(issue_id)
    for limit in (1, 2, 8):
        with world.store.read() as unit:
            lines = unit.account.by_domain(receipt, limit=limit)
        assert len(lines) == min(limit + 1, 3)
        assert lines[0].domain == "big.example"
        for name in ("audience", "accepted", "failed", "skipped", "unknown", "remaining", "bounced"):
            assert sum(getattr(line, name) for line in lines) == getattr(receipt, name), (limit, name)
    assert receipt.waiting == 4


def test_an_erased_subscriber_is_still_counted(world: World) -> None:
    issue_id = sent(world)
    with world.store.begin() as unit:
        erase(unit.subscribers, 3, world.clock())
    receipt = world.receipt(issue_id)
    with world.store.read() as unit:
        lines: list[DomainLine] = list(unit.account.by_domain(receipt))
        named = dict(
            (row.subscriber_id, address) for row, address in unit.account.named(issue_id, [_S.UNKNOWN])
        )
    assert sum(line.audience for line in lines) == 20
    assert named[3] == ""
    assert named[8].startswith("reader7@")


def test_who_is_named_comes_in_pages_with_the_reason(world: World) -> None:
    issue_id = sent(world)
    seen: list[int] = []
    after = 0
    with world.store.read() as unit:
        while page := unit.account.named(issue_id, [_S.FAILED, _S.UNKNOWN], limit=3, after=after):
            after = page[-1][0].subscriber_id
            seen += [row.subscriber_id for row, _ in page]
            assert all(row.reason == f"said of {row.subscriber_id}" for row, _ in page)
    assert seen == sorted(number for number in range(1, 21) if number % 5 in (2, 3))


def test_the_same_code_is_one_trouble(world: World) -> None:
    issue_id = sent(world)
    with world.store.read() as unit:
        found = {(one.state, one.code): one.count for one in unit.account.troubles(issue_id, limit=50)}
    assert found[(_S.FAILED, FULL)] == 4
    assert found[(_S.RETRY_WAIT, "451 4.3.0")] == 4


def totals(stretches: list[Stretch]) -> tuple[int, int, int]:
    return (
        sum(one.accepted for one in stretches),
        sum(one.failed for one in stretches),
        sum(one.unknown for one in stretches),
    )


def test_the_timeline_knows_what_each_attempt_did(world: World) -> None:
    issue_id = sent(world)
    receipt: Receipt = world.receipt(issue_id)
    with world.store.read() as unit:
        stretches = list(unit.account.stretches(issue_id))
    assert totals(stretches) == (receipt.accepted, receipt.failed, receipt.unknown)


def test_the_timeline_knows_what_an_attempt_did_whose_process_died(world: World) -> None:
    issue_id = world.sending(3)
    with world.store.begin() as unit:
        until = world.clock() + timedelta(seconds=20)
        attempt_id = unit.deliveries.open_attempt(issue_id, "fake", world.clock(), until)
        who = [claimed.subscriber_id for claimed in unit.deliveries.claimable(issue_id, 3, world.clock())]
        unit.deliveries.claim(issue_id, attempt_id, who)
        unit.deliveries.mark_submitting(issue_id, attempt_id, who[:2], until)
    world.clock.pass_by(seconds=21)
    recover(world.store.begin, world.clock)
    with world.store.read() as unit:
        assert totals(list(unit.account.stretches(issue_id))) == (0, 0, 2)
