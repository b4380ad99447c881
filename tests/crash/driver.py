"""The process that is killed: sends one issue until it is finished, as ``newsletter send`` would.

    python -m tests.crash.driver '{"database": …, "issue": 1, "smtp": …}'

``ahead_s`` shifts its clock, so that a second start need not wait for the first one's lease. ``die`` names a
commit (counted from 1) and whether the process dies just before or just after it. ``mutation`` seeds one of
the bugs that the harness must catch.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import event, text, update

from newsletter.model.delivery import DeliveryState, Settled
from newsletter.model.rate import UNLIMITED
from newsletter.send import deliver_issue, expand_audience, recover
from newsletter.send.attempt import LEASE, HandOver
from newsletter.send.ports import Transport
from newsletter.send.transports.sendgrid import SendGrid
from newsletter.send.transports.smtp import Smtp
from newsletter.send.transports.smtp_url import relay_of
from newsletter.store.audience import Audience
from newsletter.store.database import Database
from newsletter.store.deliveries import Deliveries
from newsletter.store.tables import deliveries
from newsletter.store.unit import Store, Unit
from subscribers.model import Cadence
from tests.send.world import KEY, PlainLinks, letter

FULL = 2  #: PRAGMA synchronous: a commit reaches the disk before it returns
NOT_SYNCED = 9  #: exit status: a commit would not have reached the disk


@dataclass(frozen=True, kw_only=True)
class Order:
    database: str
    issue: int
    smtp: str = ""
    sendgrid: str = ""
    connections: int = 2
    ahead_s: float = 0.0
    die: tuple[str, int] | None = None
    mutation: str = ""
    page: int = 100
    batch: int = 200


def main(order: Order) -> None:
    structlog.configure(processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)])
    _mutate(order.mutation)
    database = Database(order.database)
    if order.mutation == "no fsync":
        event.listen(database.engine, "connect", _unsynced)
    store = Store(database, subscriber_keys=[KEY])
    commits = 0
    with store.begin() as unit:
        # As if the place where drawing stood had been lost: drawing again must change nothing.
        unit.issues.advance_audience(order.issue, 0, False)

    @contextmanager
    def work() -> Iterator[Unit]:
        nonlocal commits
        with store.begin() as unit:
            commits += 1
            number = commits
            if unit.conn.dialect.name == "sqlite" and unit.conn.scalar(text("PRAGMA synchronous")) != FULL:
                os._exit(NOT_SYNCED)
            yield unit
            if order.die == ("before", number):
                os.kill(os.getpid(), signal.SIGKILL)
        if order.die == ("after", number):
            os.kill(os.getpid(), signal.SIGKILL)

    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=order.ahead_s)

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    transport = _transport(order)
    while not stop.is_set():
        recover(work, clock)
        expand_audience(
            order.issue, work=work, default_cadence=Cadence.EACH, clock=clock, stop=stop, page=order.page
        )
        told = deliver_issue(
            order.issue,
            work=work,
            transport=transport,
            letters=letter,
            links=PlainLinks(),
            rate=UNLIMITED,
            clock=clock,
            stop=stop,
            budget_s=60.0,
            batch=order.batch,
        )
        if told.wait_s is None:
            return
        time.sleep(min(told.wait_s, 0.2))


def _transport(order: Order) -> Transport:
    if order.smtp:
        return Smtp(relay_of(order.smtp), connections=order.connections)
    return SendGrid("SG.test", base_url=order.sendgrid)


def _unsynced(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")


def _mutate(name: str) -> None:
    """Seeds a bug that a careless change could bring."""
    if name == "record before send":
        mark = HandOver._mark

        def marked_as_done(self: HandOver, room: int) -> bool:
            going = mark(self, room)
            with self._work() as unit:
                conn = unit.deliveries._conn  # type: ignore[attr-defined]  # the seeded bug is not polite
                conn.execute(
                    update(deliveries)
                    .where(deliveries.c.attempt_id == self._id)
                    .where(deliveries.c.state == DeliveryState.SUBMITTING.value)
                    .values(state=DeliveryState.ACCEPTED.value)
                )
            return going

        HandOver._mark = marked_as_done  # type: ignore[method-assign]  # a seeded bug
    elif name == "requeue submitting":
        taken_over = Deliveries.recover

        def requeued(self: Deliveries, attempt_id: int, now: datetime) -> tuple[int, int]:
            self._conn.execute(
                update(deliveries)
                .where(deliveries.c.attempt_id == attempt_id)
                .where(deliveries.c.state == DeliveryState.SUBMITTING.value)
                .values(state=DeliveryState.PENDING.value)
            )
            return taken_over(self, attempt_id, now)

        Deliveries.recover = requeued  # type: ignore[method-assign]  # a seeded bug
    elif name == "draw again":

        def drawn_again(
            self: Audience,
            issue_id: int,
            masks: Mapping[int, int],
            skipped: Mapping[int, str],
            now: datetime,
        ) -> None:
            for who, mask in masks.items():
                self._conn.execute(
                    text(
                        "INSERT INTO deliveries (issue_id, subscriber_id, state, flags, attempt_id, blocks) "
                        "VALUES (:issue, :who, 0, 0, 0, :mask) "
                        "ON CONFLICT (issue_id, subscriber_id) DO UPDATE SET state = 0"
                    ),
                    {"issue": issue_id, "who": who, "mask": mask},
                )

        Audience.add = drawn_again  # type: ignore[method-assign]  # a seeded bug
    elif name == "hand over before commit":
        mark_now, settle, accept = Deliveries.mark_submitting, Deliveries.settle, Deliveries.accept

        def only_said(
            self: Deliveries,
            issue_id: int,
            attempt_id: int,
            subscriber_ids: Sequence[int],
            lease_until: datetime,
        ) -> set[int] | None:
            return set(subscriber_ids) if self.renew(attempt_id, lease_until) else None

        def marked_late(
            self: Deliveries, issue_id: int, attempt_id: int, settled: Sequence[Settled], now: datetime
        ) -> None:
            ids = [one.subscriber_id for one in settled]
            mark_now(self, issue_id, attempt_id, ids, now + LEASE)
            settle(self, issue_id, attempt_id, settled, now)

        def accepted_late(
            self: Deliveries, issue_id: int, attempt_id: int, subscriber_ids: Sequence[int]
        ) -> None:
            mark_now(self, issue_id, attempt_id, sorted(subscriber_ids), datetime.now(UTC) + LEASE)
            accept(self, issue_id, attempt_id, subscriber_ids)

        Deliveries.mark_submitting = only_said  # type: ignore[method-assign]  # a seeded bug
        Deliveries.accept = accepted_late  # type: ignore[method-assign]  # a seeded bug
        Deliveries.settle = marked_late  # type: ignore[method-assign]  # a seeded bug


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    main(Order(**{**given, "die": tuple(given["die"]) if given.get("die") else None}))
