"""Rows are claimed while others, claimed before, are still to leave: whatever comes in between, nobody
is lost, stranded or mailed twice."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from sqlalchemy import Connection, select

from newsletter.errors import Conflict, NewsletterError, StoreProblem
from newsletter.model.delivery import DeliveryState, Envelope, Outcome, Verdict
from newsletter.model.issue import IssueState
from newsletter.send import attempt, pause_issue, recover, resume_issue
from newsletter.send.attempt import HandOver
from newsletter.send.deliver import _Run
from newsletter.store import deliveries as store
from newsletter.store.sql import straight
from newsletter.store.tables import attempts, deliveries
from newsletter.store.unit import Unit
from tests.send.world import FakeTransport, World, accepted

BATCH = 240

on_postgres = pytest.mark.parametrize(
    "database_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@dataclass
class Several(FakeTransport):
    """Keeps many in hand and answers a few at a time, as SMTP does."""

    def hand_over(self, envelopes: Iterable[Envelope]) -> Iterator[Outcome]:
        source, flying = iter(envelopes), deque[Envelope]()
        pulling, problem = True, None
        while True:
            while pulling and len(flying) <= self.in_hand - self.window:
                for _ in range(self.window):
                    try:
                        envelope = next(source)
                    except StopIteration:
                        pulling = False
                        break
                    except Exception as error:
                        pulling, problem = False, error
                        break
                    self.handed.append(envelope)
                    flying.append(envelope)
            if not flying:
                break
            for _ in range(min(len(flying), 5)):
                yield self.script(flying.popleft())
        if problem:
            raise problem


def twice(*transports: FakeTransport) -> list[int]:
    handed = Counter(envelope.key.number for transport in transports for envelope in transport.handed)
    return [who for who, times in handed.items() if times > 1]


def end(world: World, issue_id: int) -> Several:
    """After the leases of whoever broke off, somebody else sends the rest."""
    world.clock.pass_by(seconds=21)
    recover(world.store.begin, world.clock)
    last = Several(window=20)
    assert world.deliver(issue_id, last, batch=BATCH).finished
    return last


def once_in(monkeypatch: pytest.MonkeyPatch, which: int, happens: Callable[[HandOver], None]) -> None:
    """Puts something in the place of the hand-over's claim ahead of that number."""
    ahead, calls = HandOver._claim_ahead, [0]

    def claimed(self: HandOver) -> None:
        calls[0] += 1
        if calls[0] == which:
            happens(self)
        else:
            ahead(self)

    monkeypatch.setattr(HandOver, "_claim_ahead", claimed)


def test_every_attempt_of_a_long_send_is_closed_with_what_its_deliveries_became(world: World) -> None:
    issue_id = world.sending(3000)
    transport = Several(window=20)
    with structlog.testing.capture_logs() as said:
        assert world.deliver(issue_id, transport, batch=BATCH).finished
    assert not [line for line in said if line["event"] == "lease lost"]
    with world.store.read() as unit:
        rows = unit.conn.execute(select(deliveries.c.subscriber_id, deliveries.c.attempt_id)).all()
        holders = {row.subscriber_id: row.attempt_id for row in rows}
        told = unit.conn.execute(select(attempts.c.id, attempts.c.closed_at, attempts.c.accepted)).all()
    assert {envelope.key.number: envelope.attempt_id for envelope in transport.handed} == holders
    assert len(told) >= 3
    assert all(row.closed_at is not None for row in told)
    assert {row.id: row.accepted for row in told} == Counter(holders.values())


@pytest.mark.parametrize("where", ["before the commit", "the commit's answer is lost"])
@pytest.mark.parametrize("what", ["claim", "mark"])
def test_a_transaction_that_fails_strands_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str, where: str
) -> None:
    issue_id = world.sending(2400)
    method = {"claim": "_claim_ahead", "mark": "_mark"}[what]
    original, calls = getattr(HandOver, method), [0]

    @contextmanager
    def failing(work: Callable[[], Any]) -> Iterator[Unit]:
        with work() as unit:
            yield unit
            if where == "before the commit":
                raise StoreProblem("The database cannot be used: for this test.")
        raise StoreProblem("The database cannot be used: for this test.")

    def once(self: HandOver, *args: Any) -> Any:
        calls[0] += 1
        if calls[0] != 6:
            return original(self, *args)
        work, self._work = self._work, lambda: failing(work)
        try:
            return original(self, *args)
        finally:
            self._work = work

    monkeypatch.setattr(HandOver, method, once)
    first = Several(window=20)
    with pytest.raises(StoreProblem):
        world.deliver(issue_id, first, batch=BATCH)
    receipt = world.receipt(issue_id)
    assert (receipt.accepted, receipt.unknown) == (len(first.handed), 0)
    last = end(world, issue_id)
    assert len(first.handed) + len(last.handed) == 2400
    assert not twice(first, last)


def test_a_mark_file_that_cannot_be_written_strands_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue_id = world.sending(2400)
    opened = [0]

    def full(_self: object, _attempt_id: int) -> None:
        opened[0] += 1
        if opened[0] == 2:
            raise StoreProblem("The disk is full: for this test.")

    monkeypatch.setattr(_Run, "opened", full)
    first = Several(window=20)
    with pytest.raises(StoreProblem):
        world.deliver(issue_id, first, batch=BATCH)
    last = end(world, issue_id)
    assert len(first.handed) + len(last.handed) == 2400
    assert not twice(first, last)


@on_postgres
def test_the_server_ends_the_connection_in_the_middle_of_a_window(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue_id = world.sending(1200)
    close_done, calls = HandOver._close_done, [0]

    def gone(self: HandOver, unit: Any, *args: Any) -> Any:
        calls[0] += 1
        if calls[0] == 20:
            pid = unit.conn.connection.driver_connection.info.backend_pid
            with world.store.begin() as other:
                other.conn.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
            unit.issues.state(issue_id)
        return close_done(self, unit, *args)

    monkeypatch.setattr(HandOver, "_close_done", gone)
    first = Several(window=16)
    with pytest.raises(StoreProblem):
        world.deliver(issue_id, first, batch=BATCH)
    last = end(world, issue_id)
    assert len(first.handed) + len(last.handed) == 1200
    assert not twice(first, last)


def test_who_pauses_and_resumes_at_any_moment_strands_nobody(world: World) -> None:
    issue_id = world.sending(2000)
    over = threading.Event()

    def author() -> None:
        while not over.wait(0.002):
            with suppress(Conflict):  # it is finished
                with world.store.begin() as unit:
                    pause_issue(unit, issue_id, world.clock())
                with world.store.begin() as unit:
                    resume_issue(unit, issue_id, world.clock())

    thread = threading.Thread(target=author)
    transport = Several(window=16)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not world.deliver(issue_id, transport, batch=BATCH, budget_s=2).finished:
            assert time.monotonic() < deadline, world.receipt(issue_id)
    finally:
        over.set()
        thread.join()
    assert world.receipt(issue_id).accepted == 2000
    assert not twice(transport)


@on_postgres
def test_a_pause_that_ends_just_after_a_window_was_not_marked_for_it_strands_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue_id = world.sending(200)
    looks = [0]

    def paused_for_one_look(conn: Connection, sql: str, values: Mapping[str, object]) -> Any:
        looks[0] += sql == store._ADVANCE
        if sql != store._ADVANCE or looks[0] != 3:
            return straight(conn, sql, values)
        with world.store.begin() as unit:
            pause_issue(unit, issue_id, world.clock())
        found = straight(conn, sql, values)
        with world.store.begin() as unit:
            resume_issue(unit, issue_id, world.clock())
        return found

    monkeypatch.setattr(store, "straight", paused_for_one_look)
    first = Several(window=16)
    world.deliver(issue_id, first, batch=64)
    last = end(world, issue_id)
    assert len(first.handed) + len(last.handed) == 200
    assert not twice(first, last)


def test_a_pause_that_ended_before_the_next_window_is_no_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue_id = world.sending(200)
    ahead = HandOver._claim_ahead
    stop = threading.Event()

    def paused_meanwhile(self: HandOver) -> None:
        with world.store.begin() as unit:
            pause_issue(unit, issue_id, world.clock())
        ahead(self)
        with world.store.begin() as unit:
            resume_issue(unit, issue_id, world.clock())

    def script(envelope: Envelope) -> Outcome:
        if len(transport.handed) > 60:
            stop.set()
        return accepted(envelope)

    once_in(monkeypatch, 1, paused_meanwhile)
    transport = Several(script, window=16)
    told = world.deliver(issue_id, transport, batch=32, stop=stop)
    assert len(transport.handed) > 60
    assert told.wait_s == 0.0, "there is more to do"


def test_whoever_lost_the_lease_while_claiming_hands_over_nobody_any_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue_id = world.sending(96)
    ahead = HandOver._claim_ahead
    first = Several(window=16)
    before: list[int] = []

    def taken_over(self: HandOver) -> None:
        before.append(len(first.handed))
        world.clock.pass_by(seconds=21)
        recover(world.store.begin, world.clock)
        ahead(self)
        before.append(len(first.handed))

    once_in(monkeypatch, 1, taken_over)
    stop = threading.Event()
    run = HandOver.run

    def runs_once(self: HandOver, *args: Any) -> None:
        try:
            run(self, *args)
        finally:
            stop.set()

    monkeypatch.setattr(HandOver, "run", runs_once)
    world.deliver(issue_id, first, batch=32, stop=stop)
    assert before == [31, 31]
    assert len(first.handed) == 31


@pytest.mark.parametrize("seed", [1])
def test_two_senders_among_pauses_leavers_and_take_overs(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(attempt, "MOST_HELD", 100)
    monkeypatch.setattr(attempt, "_FLUSH_S", 0.02)
    readers, chance = 1000, random.Random(seed)
    issue_id = world.sending(readers)
    over = threading.Event()
    unsent: Counter[int] = Counter()
    broken: list[BaseException] = []

    def script(envelope: Envelope) -> Outcome:
        lot = random.random()
        if lot < 0.01:
            time.sleep(0.05)
        if lot < 0.02:
            unsent[envelope.key.number] += 1
            return Outcome(key=envelope.key, verdict=Verdict.UNSENT)
        if lot < 0.03:
            return Outcome(key=envelope.key, verdict=Verdict.UNKNOWN, reason="It broke.")
        if lot < 0.04:
            return Outcome(key=envelope.key, verdict=Verdict.FAILED, code="550", reason="No.")
        return accepted(envelope)

    def send(transport: Several) -> None:
        while not over.is_set():
            try:
                if world.deliver(issue_id, transport, batch=40, budget_s=1.0).finished:
                    over.set()
            except NewsletterError:
                pass  # two at once may stumble over each other on PostgreSQL, and go on
            except BaseException as error:
                broken.append(error)
                over.set()

    senders = [Several(script, window=chance.choice([5, 16, 20])) for _ in range(2)]
    threads = [threading.Thread(target=send, args=(transport,)) for transport in senders]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while not over.is_set() and time.monotonic() < deadline:
        lot = chance.random()
        try:
            if lot < 0.15:
                with world.store.begin() as unit:
                    if unit.issues.state(issue_id) is IssueState.SENDING:
                        pause_issue(unit, issue_id, world.clock())
                time.sleep(chance.random() * 0.05)
                with world.store.begin() as unit:
                    if unit.issues.state(issue_id) is IssueState.PAUSED:
                        resume_issue(unit, issue_id, world.clock())
            elif lot < 0.6:
                with world.store.begin() as unit:
                    unit.deliveries.unclaim(*(chance.randint(1, readers) for _ in range(4)))
            elif lot < 0.7:
                world.clock.pass_by(minutes=1)
                recover(world.store.begin, world.clock)
        except NewsletterError:
            pass
        time.sleep(0.02)
    over.set()
    for thread in threads:
        thread.join(30)
    assert not broken
    with world.store.read() as unit:
        finished = unit.issues.state(issue_id) is IssueState.FINISHED
    last = Several() if finished else end(world, issue_id)
    handed = Counter(one.key.number for transport in (*senders, last) for one in transport.handed)
    assert not [who for who, times in handed.items() if times - unsent[who] > 1]
    receipt = world.receipt(issue_id)
    assert receipt.remaining == 0
    assert receipt.accepted + receipt.failed + receipt.unknown == readers
    with world.store.read() as unit:
        open_ones = select(deliveries.c.state).where(
            deliveries.c.state.in_([DeliveryState.CLAIMED.value, DeliveryState.SUBMITTING.value])
        )
        assert not unit.conn.execute(open_ones).all()
