"""Notices: the queue of messages outside any issue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, or_, select, update

from newsletter.errors import NotFound
from newsletter.model.notice import NewNotice, Notice, NoticeKind, NoticeState, notice_states_before
from newsletter.model.times import from_ms, maybe_from_ms, to_ms
from newsletter.store.sql import chunks, insert
from newsletter.store.tables import notices

_ON_RECOVERY = "The program stopped while this message was being handed over."


class Notices:
    def __init__(self, conn: Connection, forgotten: list[str] | None = None) -> None:
        """``forgotten`` is told the addresses of those who are erased."""
        self._conn = conn
        self._forgotten = [] if forgotten is None else forgotten

    def queue(self, notice: NewNotice, now: datetime, *, due_at: datetime | None = None) -> bool:
        """Queues a notice once: False where its key was used before, and nothing changes."""
        statement = insert(self._conn, notices).values(
            key=notice.key,
            kind=notice.kind.value,
            to=notice.to,
            subscriber_id=notice.subscriber_id,
            issue_id=notice.issue_id,
            data=json.dumps(dict(notice.data), ensure_ascii=False),
            state=NoticeState.PENDING.value,
            created_at=to_ms(now),
            due_at=to_ms(due_at or now),
        )
        added = self._conn.execute(statement.on_conflict_do_nothing().returning(notices.c.id))
        return added.one_or_none() is not None

    def get(self, notice_id: int) -> Notice:
        """Raises NotFound."""
        row = self._conn.execute(select(notices).where(notices.c.id == notice_id)).one_or_none()
        if row is None:
            raise NotFound(f"There is no notice {notice_id}.")
        return _notice(row)

    def by_key(self, key: str) -> Notice:
        """Raises NotFound."""
        row = self._conn.execute(select(notices).where(notices.c.key == key)).one_or_none()
        if row is None:
            raise NotFound("There is no such notice.")
        return _notice(row)

    def list(self, *, limit: int = 50, after: int = 0) -> Sequence[Notice]:
        """Newest first; ``after`` is the last id of the page before."""
        query = select(notices).order_by(notices.c.id.desc()).limit(limit)
        if after:
            query = query.where(notices.c.id < after)
        return [_notice(row) for row in self._conn.execute(query)]

    def of_subscriber(self, subscriber_id: int, *, limit: int) -> Sequence[Notice]:
        """The newest ones to somebody, newest first."""
        query = (
            select(notices)
            .where(notices.c.subscriber_id == subscriber_id)
            .order_by(notices.c.id.desc())
            .limit(limit)
        )
        return [_notice(row) for row in self._conn.execute(query)]

    def due(self, now: datetime, limit: int) -> Sequence[Notice]:
        """What waits to be sent, oldest first."""
        query = (
            select(notices)
            .where(notices.c.state == NoticeState.PENDING.value, notices.c.due_at <= to_ms(now))
            .order_by(notices.c.due_at, notices.c.id)
            .limit(limit)
        )
        return [_notice(row) for row in self._conn.execute(query)]

    def waiting(self, now: datetime) -> int:
        return (
            self._conn.scalar(
                select(func.count())
                .select_from(notices)
                .where(notices.c.state == NoticeState.PENDING.value, notices.c.due_at <= to_ms(now))
            )
            or 0
        )

    def mark_submitting(self, notice_id: int, now: datetime, lease_until: datetime) -> bool:
        """False where somebody else has it already."""
        changed = self._conn.execute(
            update(notices)
            .where(
                notices.c.id == notice_id,
                notices.c.state == NoticeState.PENDING.value,
                notices.c.due_at <= to_ms(now),
            )
            .values(state=NoticeState.SUBMITTING.value, lease_until=to_ms(lease_until))
        )
        return changed.rowcount == 1

    def renew(self, lease_until: datetime, notice_ids: Sequence[int]) -> None:
        self._conn.execute(
            update(notices)
            .where(notices.c.id.in_(notice_ids), notices.c.state == NoticeState.SUBMITTING.value)
            .values(lease_until=to_ms(lease_until))
        )

    def accepted(self, notice_id: int, now: datetime, code: str) -> None:
        """Also settles one that was unknown: it is evidence."""
        self._settle(
            notice_id,
            NoticeState.ACCEPTED,
            sent_at=to_ms(now),
            code=code,
            reason="",
        )

    def failed(self, notice_id: int, now: datetime, code: str, reason: str) -> None:
        self._settle(
            notice_id,
            NoticeState.FAILED,
            code=code,
            reason=reason,
        )

    def unknown(self, notice_id: int, now: datetime, reason: str) -> None:
        self._settle(notice_id, NoticeState.UNKNOWN, reason=reason)

    def again(self, notice_id: int, due_at: datetime, *, code: str, reason: str, tried: bool) -> None:
        """Back to pending: a definite refusal that may pass, or nothing was handed over."""
        self._settle(
            notice_id,
            NoticeState.PENDING,
            due_at=to_ms(due_at),
            code=code,
            reason=reason,
            tries=notices.c.tries + int(tried),
        )

    def forget(self, subscriber_id: int, address: str) -> None:
        """Removes every notice to somebody who is erased."""
        self._forgotten.append(address)
        self._conn.execute(
            delete(notices).where(or_(notices.c.subscriber_id == subscriber_id, notices.c.to == address))
        )

    def forget_all(self, subscriber_ids: Sequence[int]) -> None:
        """Removes every notice to people who never confirmed and are forgotten."""
        for part in chunks(subscriber_ids):
            self._conn.execute(delete(notices).where(notices.c.subscriber_id.in_(part)))

    def recover(self, now: datetime) -> int:
        """What a dead process was handing over may or may not have arrived: it is unknown."""
        changed = self._conn.execute(
            update(notices)
            .where(
                notices.c.state == NoticeState.SUBMITTING.value,
                or_(notices.c.lease_until.is_(None), notices.c.lease_until < to_ms(now)),
            )
            .values(state=NoticeState.UNKNOWN.value, lease_until=None, reason=_ON_RECOVERY)
        )
        return changed.rowcount

    def _settle(self, notice_id: int, to: NoticeState, **values: Any) -> None:
        before = [state.value for state in notice_states_before(to)]
        self._conn.execute(
            update(notices)
            .where(notices.c.id == notice_id, notices.c.state.in_(before))
            .values(state=to.value, lease_until=None, **values)
        )


def _notice(row: Row[Any]) -> Notice:
    return Notice(
        id=row.id,
        key=row.key,
        kind=NoticeKind(row.kind),
        to=row.to,
        subscriber_id=row.subscriber_id,
        issue_id=row.issue_id,
        data=json.loads(row.data),
        state=NoticeState(row.state),
        created_at=from_ms(row.created_at),
        due_at=from_ms(row.due_at),
        tries=row.tries,
        sent_at=maybe_from_ms(row.sent_at),
        code=row.code,
        reason=row.reason,
    )
