"""Events: what providers told us, stored once each, applied afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, func, select, update

from newsletter.model.delivery import DeliveryState
from newsletter.model.event import Event, EventKind
from newsletter.model.times import from_ms, to_ms
from newsletter.store.sql import insert
from newsletter.store.tables import deliveries, events


class Events:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, news: Sequence[tuple[Event, str]], now: datetime) -> int:
        """Stores events with their raw form (no addresses in it); returns how many were new."""
        if not news:
            return 0
        new = self._conn.execute(
            insert(self._conn, events).on_conflict_do_nothing().returning(events.c.id),
            [
                {
                    "provider": event.provider,
                    "key": event.key,
                    "kind": event.kind.value,
                    "at": to_ms(event.at),
                    "received_at": to_ms(now),
                    "issue_id": event.issue_id,
                    "subscriber_id": event.subscriber_id,
                    "notice_id": event.notice_id,
                    "attempt_id": event.attempt_id,
                    "code": event.code,
                    "reason": event.reason,
                    "raw": raw,
                }
                for event, raw in news
            ],
        )
        return len(new.all())

    def open(self, limit: int) -> Sequence[tuple[int, Event]]:
        """``(row id, event)`` of those not applied yet, in the order they came.

        What was told of a delivery that is being handed over waits until that has ended: only then is
        there a state that it can be merged into.
        """
        under_way = exists().where(
            deliveries.c.issue_id == events.c.issue_id,
            deliveries.c.subscriber_id == events.c.subscriber_id,
            deliveries.c.state == DeliveryState.SUBMITTING.value,
        )
        rows = self._conn.execute(
            select(events)
            .where(events.c.applied_at.is_(None), ~under_way)
            .order_by(events.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        return [(row.id, _event(row)) for row in rows]

    def applied(self, row_ids: Sequence[int], now: datetime) -> None:
        self._conn.execute(update(events).where(events.c.id.in_(row_ids)).values(applied_at=to_ms(now)))

    def subscribers_with(self, issue_id: int, kind: EventKind) -> int:
        """Of how many subscribers such a thing was told for this issue."""
        return (
            self._conn.scalar(
                select(func.count(func.distinct(events.c.subscriber_id))).where(
                    events.c.issue_id == issue_id, events.c.kind == kind.value
                )
            )
            or 0
        )

    def of_subscriber(self, subscriber_id: int, *, limit: int = 100) -> Sequence[tuple[Event, str]]:
        """What was told of one subscriber with its raw form, newest first."""
        rows = self._conn.execute(
            select(events)
            .where(events.c.subscriber_id == subscriber_id)
            .order_by(events.c.at.desc(), events.c.id.desc())
            .limit(limit)
        )
        return [(_event(row), row.raw) for row in rows]


def _event(row: Row[Any]) -> Event:
    return Event(
        provider=row.provider,
        key=row.key,
        kind=EventKind(row.kind),
        at=from_ms(row.at),
        issue_id=row.issue_id,
        subscriber_id=row.subscriber_id,
        notice_id=row.notice_id,
        attempt_id=row.attempt_id,
        code=row.code,
        reason=row.reason,
    )
