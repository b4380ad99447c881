"""Named leases: at most one process runs a step at a time, and a dead one lets go by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, or_, select

from newsletter.model.times import to_ms
from newsletter.store.sql import insert
from newsletter.store.tables import leases


class Leases:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def take(self, name: str, token: str, *, now: datetime, length: timedelta) -> bool:
        """Takes or renews the lease; False while another token holds it."""
        statement = insert(self._conn, leases).values(name=name, token=token, until=to_ms(now + length))
        taken = self._conn.execute(
            statement.on_conflict_do_update(
                index_elements=["name"],
                set_={"token": token, "until": to_ms(now + length)},
                where=or_(leases.c.until <= to_ms(now), leases.c.token == token),
            ).returning(leases.c.name)
        ).one_or_none()
        return taken is not None

    def held(self, name: str, now: datetime) -> bool:
        """Whether anybody has it."""
        until = self._conn.scalar(select(leases.c.until).where(leases.c.name == name))
        return until is not None and until > to_ms(now)

    def drop(self, name: str, token: str) -> None:
        self._conn.execute(delete(leases).where(leases.c.name == name, leases.c.token == token))

    def clean(self, now: datetime) -> None:
        """Forgets leases that ran out: nobody holds them, whether they are remembered or not."""
        self._conn.execute(delete(leases).where(leases.c.until <= to_ms(now)))
