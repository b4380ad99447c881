"""Which forms were sent lately, by whom: what their limits count, over restarts and in every web process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, case, delete, func, select, text

from newsletter.model.times import to_ms
from newsletter.store.tables import form_hits

_LOCK_KEY: Final = 0x666F_726D  # "form": PostgreSQL advisory locks are numbers


@dataclass(frozen=True, kw_only=True)
class Sent:
    """How many forms were taken: all of them, those from one place, and of each those without proof."""

    altogether: int = 0
    from_one: int = 0
    unproven: int = 0
    unproven_from_one: int = 0


class Forms:
    """Takes an open connection and never commits. ``whence`` is a seal of where a form came from."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def sent(self, whence: str, since: datetime) -> Sent:
        here, bare = form_hits.c.whence == whence, form_hits.c.proven == 0
        counted = select(
            func.count(),
            *(func.coalesce(func.sum(case((one, 1), else_=0)), 0) for one in (here, bare, and_(here, bare))),
        ).where(form_hits.c.at > to_ms(since))
        altogether, from_one, unproven, unproven_from_one = self._conn.execute(counted).one()
        return Sent(
            altogether=altogether,
            from_one=int(from_one),
            unproven=int(unproven),
            unproven_from_one=int(unproven_from_one),
        )

    def add(self, whence: str, now: datetime, *, proven: bool) -> None:
        self._conn.execute(form_hits.insert().values(at=to_ms(now), whence=whence, proven=int(proven)))

    def alone(self) -> None:
        """Until the transaction ends nobody else counts: two at once must not both be the last that may."""
        if self._conn.dialect.name != "sqlite":  # where one writes at a time anyway
            self._conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})

    def clean(self, before: datetime) -> None:
        self._conn.execute(delete(form_hits).where(form_hits.c.at <= to_ms(before)))
