"""Who may enter the studio: one-time links and sessions. Only hashes of their tokens are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from newsletter.model.times import from_ms, to_ms
from newsletter.store.tables import logins, sessions


@dataclass(frozen=True, kw_only=True)
class Session:
    token_sha: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    agent: str


class Doors:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add_login(self, token_sha: str, *, now: datetime, expires_at: datetime) -> None:
        self._conn.execute(
            logins.insert().values(token_sha=token_sha, created_at=to_ms(now), expires_at=to_ms(expires_at))
        )

    def use_login(self, token_sha: str, now: datetime) -> bool:
        """Whether the link was good; it never is a second time."""
        return (
            self._conn.execute(
                update(logins)
                .where(
                    logins.c.token_sha == token_sha,
                    logins.c.used_at.is_(None),
                    logins.c.expires_at > to_ms(now),
                )
                .values(used_at=to_ms(now))
            ).rowcount
            == 1
        )

    def open(self, token_sha: str, *, agent: str, now: datetime, expires_at: datetime) -> None:
        self._conn.execute(
            sessions.insert().values(
                token_sha=token_sha,
                agent=agent,
                created_at=to_ms(now),
                seen_at=to_ms(now),
                expires_at=to_ms(expires_at),
            )
        )

    def session(self, token_sha: str, now: datetime, idle: timedelta) -> Session | None:
        """The session, unless it is over or has been idle for too long."""
        row = self._conn.execute(
            select(sessions).where(
                sessions.c.token_sha == token_sha,
                sessions.c.expires_at > to_ms(now),
                sessions.c.seen_at > to_ms(now - idle),
            )
        ).one_or_none()
        return None if row is None else _session(row)

    def seen(self, token_sha: str, now: datetime) -> None:
        self._conn.execute(
            update(sessions).where(sessions.c.token_sha == token_sha).values(seen_at=to_ms(now))
        )

    def sessions(self, now: datetime) -> Sequence[Session]:
        rows = self._conn.execute(
            select(sessions).where(sessions.c.expires_at > to_ms(now)).order_by(sessions.c.seen_at.desc())
        )
        return [_session(row) for row in rows]

    def close(self, token_sha: str) -> bool:
        return self._conn.execute(delete(sessions).where(sessions.c.token_sha == token_sha)).rowcount == 1

    def close_all(self, *, but: str = "") -> None:
        """Ends every session but one: a changed password revokes the others."""
        self._conn.execute(delete(sessions).where(sessions.c.token_sha != but))

    def clean(self, now: datetime) -> None:
        self._conn.execute(delete(sessions).where(sessions.c.expires_at <= to_ms(now)))
        self._conn.execute(delete(logins).where(logins.c.expires_at <= to_ms(now)))


def _session(row: Row[Any]) -> Session:
    return Session(
        token_sha=row.token_sha,
        created_at=from_ms(row.created_at),
        seen_at=from_ms(row.seen_at),
        expires_at=from_ms(row.expires_at),
        agent=row.agent,
    )
