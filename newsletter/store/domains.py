"""Domains whose servers wanted less mail from us: until when nothing goes to them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select

from newsletter.model.slowdown import FORGIVEN_AFTER, rest_of
from newsletter.model.times import from_ms, to_ms
from newsletter.store.sql import insert
from newsletter.store.tables import domains


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
        rows = self._conn.execute(
            select(domains.c.name, domains.c.until).where(domains.c.until > to_ms(now))
        ).all()  # few ever do, however many domains a list has
        return {row.name: from_ms(row.until) for row in rows if row.name in names}
