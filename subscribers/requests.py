"""What an address was asked to confirm: a row is a link that works once.

A request remembers what was agreed to and where, so that it becomes the proof of consent when it is
confirmed. Ids are never given out twice, so an old link never means somebody else's request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select, update

from subscribers.tables import requests
from subscribers.times import from_ms, maybe_from_ms, to_ms

LASTS: Final = timedelta(days=30)
REMIND_AFTER: Final = timedelta(hours=48)
ONE_IN: Final = timedelta(hours=24)
THREE_IN: Final = timedelta(days=30)
TO_ONE_MAILBOX: Final = 3  #: in 24 hours, however its address is spelt


class RequestKind(StrEnum):
    SIGN_UP = "sign_up"
    ADDRESS = "address"  #: a new address says that it is theirs


@dataclass(frozen=True, kw_only=True)
class Form:
    """What somebody saw and sent. ``origin`` is a truncated network address, or empty. ``tracking`` is the
    wording under which they let their own opens and clicks be kept; empty: they did not."""

    source: str
    wording: str
    origin: str = ""
    tracking: str = ""


@dataclass(frozen=True, kw_only=True)
class Request:
    id: int
    subscriber_id: int
    kind: RequestKind
    at: datetime
    expires_at: datetime
    form: Form
    address: str  #: the new one of an address change; empty for a sign-up
    used_at: datetime | None


class Requests:
    """Takes an open connection and never commits."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def add(
        self,
        subscriber_id: int,
        kind: RequestKind,
        form: Form,
        now: datetime,
        *,
        address: str = "",
        mailbox: str = "",
    ) -> int:
        """The new request's id. ``mailbox`` is where the message goes (subscribers.addresses.mailbox)."""
        added = requests.insert().values(
            subscriber_id=subscriber_id,
            kind=kind.value,
            at=to_ms(now),
            expires_at=to_ms(now + LASTS),
            source=form.source,
            origin=form.origin,
            wording=form.wording,
            tracking=form.tracking,
            address=address,
            mailbox=mailbox,
        )
        return int(self._conn.execute(added.returning(requests.c.id)).scalar_one())

    def find(self, id: int) -> Request | None:
        row = self._conn.execute(select(requests).where(requests.c.id == id)).one_or_none()
        return None if row is None else _request(row)

    def of(self, subscriber_id: int) -> list[Request]:
        """All that one was asked lately, oldest first."""
        mine = select(requests).where(requests.c.subscriber_id == subscriber_id).order_by(requests.c.id)
        return [_request(row) for row in self._conn.execute(mine)]

    def use(self, id: int, now: datetime) -> bool:
        """Marks the link as used; False where somebody was faster or it is too late."""
        used = update(requests).where(
            requests.c.id == id, requests.c.used_at.is_(None), requests.c.expires_at > to_ms(now)
        )
        return self._conn.execute(used.values(used_at=to_ms(now))).rowcount == 1

    def close(self, subscriber_id: int, now: datetime) -> None:
        """Nothing asked before works any more: they joined, or they left."""
        self.close_all([subscriber_id], now)

    def close_all(self, subscriber_ids: Sequence[int], now: datetime) -> None:
        """The same for many, a thousand at most."""
        still = update(requests).where(
            requests.c.subscriber_id.in_(subscriber_ids), requests.c.used_at.is_(None)
        )
        self._conn.execute(still.values(used_at=to_ms(now)))

    def may_ask(self, subscriber_id: int, now: datetime, *, mailbox: str) -> bool:
        """One message in 24 hours and three in 30 days, whoever asks for them and how often; and to all
        spellings of one mailbox together, three in 24 hours."""
        query = select(
            func.count(),
            func.coalesce(func.max(requests.c.at), 0),
        ).where(requests.c.subscriber_id == subscriber_id, requests.c.at > to_ms(now - THREE_IN))
        count, newest = self._conn.execute(query).one()
        if int(count) >= 3 or int(newest) > to_ms(now - ONE_IN):
            return False
        same = select(func.count()).where(requests.c.mailbox == mailbox, requests.c.at > to_ms(now - ONE_IN))
        return (self._conn.scalar(same) or 0) < TO_ONE_MAILBOX

    def to_remind(self, now: datetime, limit: int) -> list[Request]:
        """Sign-ups that nobody confirmed in 48 hours, once each: they are marked as reminded."""
        query = (
            select(requests)
            .where(
                requests.c.kind == RequestKind.SIGN_UP.value,
                requests.c.used_at.is_(None),
                requests.c.reminded_at.is_(None),
                requests.c.at <= to_ms(now - REMIND_AFTER),
                requests.c.expires_at > to_ms(now),
            )
            .order_by(requests.c.at)
            .limit(limit)
        )
        found = [_request(row) for row in self._conn.execute(query)]
        marked = update(requests).where(requests.c.id.in_([request.id for request in found]))
        self._conn.execute(marked.values(reminded_at=to_ms(now)))
        return found


def _request(row: Row[*tuple[Any, ...]]) -> Request:
    return Request(
        id=row.id,
        subscriber_id=row.subscriber_id,
        kind=RequestKind(row.kind),
        at=from_ms(row.at),
        expires_at=from_ms(row.expires_at),
        form=Form(source=row.source, wording=row.wording, origin=row.origin, tracking=row.tracking),
        address=row.address,
        used_at=maybe_from_ms(row.used_at),
    )
