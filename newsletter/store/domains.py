"""Domains whose servers wanted less mail from us: until when nothing goes to them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from newsletter.model.slowdown import FORGIVEN_AFTER, rest_of
from newsletter.model.times import from_ms, to_ms
from newsletter.store.sql import insert, straight_rows
from newsletter.store.tables import domains

# Few ever rest, however many domains a list has. It is asked for each window of a send, hence as SQL.
_RESTING: Final = "SELECT name, until FROM domains WHERE until > :now"


class Domains:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def slow(self, name: str, now: datetime) -> datetime:
        """Its server wants less: the domain rests, longer each time. Returns until when.

        What is told while it rests is of messages that were on their way already, and changes nothing.
        """
        name = name.lower()
        row = self._conn.execute(
            select(domains).where(domains.c.name == name).with_for_update()
        ).one_or_none()
        if row is not None and row.until > to_ms(now):
            return from_ms(row.until)
        step = 0 if row is None or row.until < to_ms(now - FORGIVEN_AFTER) else row.step + 1
        until = now + rest_of(step)
        values = {"name": name, "until": to_ms(until), "step": step}
        self._conn.execute(
            insert(self._conn, domains)
            .values(values)
            .on_conflict_do_update(index_elements=["name"], set_=values)
        )
        return until

    def resting(self, names: Collection[str], now: datetime) -> dict[str, datetime]:
        """Those of them that rest, and until when."""
        rows = straight_rows(self._conn, _RESTING, ("name", "until"), {"now": to_ms(now)})
        return {name: from_ms(until) for name, until in rows if name in names}
