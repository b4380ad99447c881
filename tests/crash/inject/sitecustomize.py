"""What the crash tests do to a command that is otherwise the one a user starts.

Python imports this at its start where its folder is on PYTHONPATH; ``CRASH_PLAN`` says, in JSON, what is to
happen. ``die``: a point and how often it is passed before the process kills itself there. ``jump``: a point,
how often, and by how many seconds the clock jumps there. ``ahead_s``: how far the clock is ahead from the
start. ``mutation``: one of the bugs that the harness must catch. ``unwatched``: it is not asked whether its
commits reach the disk, since somebody else looks.

A point is ``before`` or ``after`` and what the transaction whose commit is meant does: ``start``, ``draw``,
``claim``, ``mark``, ``record``, ``close``, ``finish``; or ``before reply`` and ``after reply``, around the
moment in which a mail server's answer to a message is taken down.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter
from typing import Any

FULL = 2  # PRAGMA synchronous: a commit reaches the disk before it returns
NOT_SYNCED = 9  # exit status: a commit would not have reached the disk


def install(plan: dict[str, Any]) -> None:
    from contextlib import contextmanager
    from datetime import UTC, datetime, timedelta

    from sqlalchemy import text

    from newsletter import wiring
    from newsletter.send.transports.smtp_wire import Wire
    from newsletter.store.deliveries import Deliveries
    from newsletter.store.issues import Issues
    from newsletter.store.unit import Store

    passed: Counter[str] = Counter()
    ahead_s = [float(plan.get("ahead_s", 0))]
    here = threading.local()
    lock = threading.Lock()

    def point(name: str) -> None:
        with lock:
            passed[name] += 1
            if plan.get("die") == [name, passed[name]]:
                os.kill(os.getpid(), signal.SIGKILL)
            if plan.get("jump", [])[:2] == [name, passed[name]]:
                ahead_s[0] += plan["jump"][2]

    def named(owner: type, method: str, what: str) -> None:
        original = getattr(owner, method)

        def noted(self: Any, *args: Any, **more: Any) -> Any:
            here.does.add(what)
            return original(self, *args, **more)

        setattr(owner, method, noted)

    if plan.get("mutation"):
        mutate(plan["mutation"])
    for owner, method, what in (
        (Issues, "start", "start"),
        (Deliveries, "add", "draw"),
        (Deliveries, "claim", "claim"),
        (Deliveries, "mark_submitting", "mark"),
        (Deliveries, "settle", "record"),
        (Deliveries, "accept", "record"),
        (Deliveries, "close_attempt", "close"),
        (Issues, "finish", "finish"),
    ):
        if hasattr(owner, method):
            named(owner, method, what)

    begin = Store.begin

    @contextmanager
    def begun(self: Any) -> Any:
        with begin(self) as unit:
            here.does = set()
            if not plan.get("unwatched") and unit.conn.dialect.name == "sqlite":
                if unit.conn.scalar(text("PRAGMA synchronous")) != FULL:
                    os._exit(NOT_SYNCED)
            yield unit
            does = sorted(here.does)
            for what in does:
                point(f"before {what}")
        for what in does:
            point(f"after {what}")

    setattr(Store, "begin", begun)  # noqa: B010  (a type checker need not know)

    answered = Wire.answered

    def replied(self: Any, *args: Any) -> bool:
        point("before reply")
        result = answered(self, *args)
        point("after reply")
        return result

    setattr(Wire, "answered", replied)  # noqa: B010
    setattr(wiring, "now", lambda: datetime.now(UTC) + timedelta(seconds=ahead_s[0]))  # noqa: B010


def mutate(name: str) -> None:
    """Seeds a bug that a careless change could bring."""
    from sqlalchemy import event, text, update

    from newsletter.model.delivery import DeliveryState
    from newsletter.store import database
    from newsletter.store.audience import Audience
    from newsletter.store.deliveries import Deliveries
    from newsletter.store.tables import deliveries

    def turned(conn: Any, attempt_id: int, to: DeliveryState) -> None:
        conn.execute(
            update(deliveries)
            .where(deliveries.c.attempt_id == attempt_id)
            .where(deliveries.c.state == DeliveryState.SUBMITTING.value)
            .values(state=to.value, **({"attempt_id": 0} if to is DeliveryState.PENDING else {}))
        )

    if name == "record before send":
        mark = Deliveries.mark_submitting

        def recorded(self: Any, issue_id: int, attempt_id: int, *args: Any) -> Any:
            found = mark(self, issue_id, attempt_id, *args)
            turned(self._conn, attempt_id, DeliveryState.ACCEPTED)
            return found

        setattr(Deliveries, "mark_submitting", recorded)  # noqa: B010
    elif name == "requeue submitting":
        recover = Deliveries.recover

        def requeued(self: Any, attempt_id: int, now: Any) -> tuple[int, int]:
            turned(self._conn, attempt_id, DeliveryState.PENDING)
            return recover(self, attempt_id, now)

        setattr(Deliveries, "recover", requeued)  # noqa: B010
    elif name == "non-unique expansion":

        def drawn_again(self: Any, issue_id: int, masks: Any, skipped: Any, now: Any) -> None:
            for who, mask in masks.items():
                self._conn.execute(
                    text(
                        "INSERT INTO deliveries (issue_id, subscriber_id, state, flags, attempt_id, blocks) "
                        "VALUES (:issue, :who, 0, 0, 0, :mask) "
                        "ON CONFLICT (issue_id, subscriber_id) DO UPDATE SET state = 0, attempt_id = 0"
                    ),
                    {"issue": issue_id, "who": who, "mask": mask},
                )

        setattr(Audience, "add", drawn_again)  # noqa: B010
    elif name == "no fsync":
        engine_of = database._sqlite_engine

        def unsynced(url: Any) -> Any:
            engine = engine_of(url)

            @event.listens_for(engine, "connect")
            def quick(connection: Any, _record: Any) -> None:
                connection.execute("PRAGMA synchronous=NORMAL")

            return engine

        setattr(database, "_sqlite_engine", unsynced)  # noqa: B010
    else:
        raise ValueError(name)


if "newsletter.cli" in sys.orig_argv and os.environ.get("CRASH_PLAN"):
    install(json.loads(os.environ["CRASH_PLAN"]))
