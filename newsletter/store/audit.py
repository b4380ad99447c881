"""Who did what, append-only, without addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from newsletter.model.times import from_ms, to_ms
from newsletter.store.tables import audit


@dataclass(frozen=True, kw_only=True)
class Act:
    at: datetime
    who: str  #: author, pipeline, subscriber
    action: str  #: approve, send, import, ...
    subject: str  #: issue 3, feed 1, setting RATE
    detail: str = ""


class Audit:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(self, *, who: str, action: str, subject: str, now: datetime, detail: str = "") -> None:
        self._conn.execute(
            audit.insert().values(at=to_ms(now), who=who, action=action, subject=subject, detail=detail)
        )

    def of(self, subject: str, limit: int = 50) -> Sequence[Act]:
        """The newest acts upon one thing."""
        rows = self._conn.execute(
            select(audit).where(audit.c.subject == subject).order_by(audit.c.id.desc()).limit(limit)
        )
        return [
            Act(at=from_ms(row.at), who=row.who, action=row.action, subject=row.subject, detail=row.detail)
            for row in rows
        ]

    def clean(self, before: datetime) -> None:
        self._conn.execute(delete(audit).where(audit.c.at < to_ms(before)))
