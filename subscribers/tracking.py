"""Whose own opens and clicks may be kept: each consent with its wording, and until when it held.

A consent of its own: it says nothing about being mailed, and being mailed never depends on it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from subscribers.sql import MANY, chunks
from subscribers.tables import subscribers, tracking_consents
from subscribers.times import from_ms, maybe_from_ms, to_ms

_c = subscribers.c
_t = tracking_consents.c


@dataclass(frozen=True, kw_only=True)
class Agreed:
    """``withdrawn_at`` is None while it holds. ``source``, ``origin`` and ``wording`` as in a Consent."""

    at: datetime
    source: str
    origin: str
    wording: str
    withdrawn_at: datetime | None


def agree(conn: Connection, id: int, now: datetime, *, source: str, wording: str, origin: str = "") -> bool:
    """From now on; False where they had agreed already, or are not on the list. Raises ValueError without
    the words that they agreed to."""
    if not wording:
        raise ValueError("a consent needs its wording")
    fresh = update(subscribers).where(_c.id == id, _c.tracked_at.is_(None), _c.state == "active")
    if not conn.execute(fresh.values(tracked_at=to_ms(now))).rowcount:
        return False
    conn.execute(
        tracking_consents.insert().values(
            subscriber_id=id, at=to_ms(now), source=source, origin=origin, wording=wording
        )
    )
    return True


def withdraw(conn: Connection, id: int, now: datetime) -> bool:
    """Not any more, and when they last read is forgotten; False where they had not agreed.

    Whoever keeps what they read forgets it too.
    """
    agreed = update(subscribers).where(_c.id == id, _c.tracked_at.is_not(None))
    if not conn.execute(agreed.values(tracked_at=None, engaged_at=None)).rowcount:
        return False
    still = update(tracking_consents).where(_t.subscriber_id == id, _t.withdrawn_at.is_(None))
    conn.execute(still.values(withdrawn_at=to_ms(now)))
    return True


def agreeing(conn: Connection, ids: Collection[int]) -> set[int]:
    """Those of them who agree and have not left. On PostgreSQL they cannot withdraw before the commit."""
    found: set[int] = set()
    for few in chunks(sorted(ids), MANY):
        query = select(_c.id).where(_c.id.in_(few), _c.tracked_at.is_not(None), _c.state == "active")
        found.update(conn.execute(query.with_for_update(read=True)).scalars())
    return found


def of(conn: Connection, id: int) -> list[Agreed]:
    """Oldest first."""
    rows = conn.execute(select(tracking_consents).where(_t.subscriber_id == id).order_by(_t.id))
    return [
        Agreed(
            at=from_ms(row.at),
            source=row.source,
            origin=row.origin,
            wording=row.wording,
            withdrawn_at=maybe_from_ms(row.withdrawn_at),
        )
        for row in rows
    ]


def forget(conn: Connection, id: int) -> None:
    conn.execute(delete(tracking_consents).where(_t.subscriber_id == id))
