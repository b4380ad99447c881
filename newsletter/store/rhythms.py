"""Since when each cadence has been wanted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from newsletter.model.times import from_ms, maybe_from_ms, to_ms
from newsletter.store.sql import insert
from newsletter.store.tables import rhythms
from subscribers.model import Cadence


class Rhythms:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def get(self, cadence: Cadence) -> tuple[datetime, datetime] | None:
        """Since when posts are news to a cadence, and when somebody last wanted it; None: never yet."""
        row = self._conn.execute(select(rhythms).where(rhythms.c.cadence == cadence.value)).one_or_none()
        return None if row is None else (from_ms(row.since), from_ms(row.used_at))

    def noted(self) -> datetime | None:
        """When it was last written down that any cadence is wanted."""
        return maybe_from_ms(self._conn.scalar(select(func.max(rhythms.c.used_at))))

    def set(self, cadence: Cadence, *, since: datetime, used_at: datetime) -> None:
        values = {"since": to_ms(since), "used_at": to_ms(used_at)}
        self._conn.execute(
            insert(self._conn, rhythms)
            .values(cadence=cadence.value, **values)
            .on_conflict_do_update(index_elements=["cadence"], set_=values)
        )
