"""Where somebody's mail went before: only as long as it matters, and only as a keyed hash.

A bounce or a complaint may come weeks after the message left, and meanwhile its reader may have changed their
address. It is about the address that the message went to, never about the new one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, select

from subscribers.sql import insert
from subscribers.tables import former_addresses
from subscribers.times import to_ms

KEPT: Final = timedelta(days=365)

_c = former_addresses.c


def remember(conn: Connection, subscriber_id: int, address_hash: str, until: datetime) -> None:
    """``until`` this moment their mail went to the address with this hash."""
    row = {"subscriber_id": subscriber_id, "until": to_ms(until), "address_hash": address_hash}
    conn.execute(insert(conn, former_addresses).values(row).on_conflict_do_nothing())


def address_at(conn: Connection, subscriber_id: int, moment: datetime) -> str | None:
    """The hash of the address that their mail went to at that moment; None where it is today's."""
    query = select(_c.address_hash).where(_c.subscriber_id == subscriber_id, _c.until >= to_ms(moment))
    return conn.scalar(query.order_by(_c.until).limit(1))


def forget(conn: Connection, subscriber_id: int) -> None:
    conn.execute(delete(former_addresses).where(_c.subscriber_id == subscriber_id))


def clean(conn: Connection, now: datetime) -> None:
    """Forgets what is older than anything that may still come back."""
    conn.execute(delete(former_addresses).where(_c.until < to_ms(now - KEPT)))
