"""Which rhythm somebody had before, so that a change of rhythm loses no post.

Whoever goes from weekly to each post on a Wednesday would never see Monday's: it was mailed to those who
want each post before they were one of them, and the week's digest is no longer theirs. So the next digest
goes to them once more, with such posts only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, func, literal, or_, select, true

from subscribers.audience import mailable
from subscribers.model import Cadence, SubscriberState
from subscribers.rows import words
from subscribers.sql import insert
from subscribers.tables import former_rhythms, subscribers
from subscribers.times import from_ms, maybe_from_ms, to_ms

KEPT: Final = timedelta(days=62)  # the longest period, and as long again for its issue to be approved
_DEFAULT: Final = ""  #: the newsletter's own, whatever that was

_f = former_rhythms.c
_c = subscribers.c


@dataclass(frozen=True, kw_only=True)
class Former:
    """Somebody who had another rhythm and has ``cadence`` since ``came_at``."""

    id: int
    topics_off: frozenset[str]
    cadence: Cadence
    came_at: datetime


def remember(conn: Connection, subscriber_id: int, before: Cadence | None, now: datetime) -> None:
    """They choose another rhythm now; None is the newsletter's own."""
    row = {"subscriber_id": subscriber_id, "cadence": before or _DEFAULT, "left_at": to_ms(now)}
    statement = insert(conn, former_rhythms).values(row)
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["cadence", "subscriber_id"], set_={"left_at": row["left_at"]}
        )
    )


def default_changed(conn: Connection, before: Cadence, now: datetime) -> None:
    """The newsletter's own rhythm is another one: whoever chose nothing had ``before`` until now."""
    mine = select(_c.id, literal(before.value), literal(to_ms(now))).where(
        _c.cadence.is_(None), _c.state == SubscriberState.ACTIVE.value
    )
    statement = insert(conn, former_rhythms).from_select(["subscriber_id", "cadence", "left_at"], mine)
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=["cadence", "subscriber_id"], set_={"left_at": to_ms(now)}
        )
    )


def former(
    conn: Connection,
    cadence: Cadence,
    default_cadence: Cadence,
    after: int,
    bound: int,
    limit: int,
    now: datetime,
    *,
    among: ColumnElement[bool] | None = None,
) -> list[Former]:
    """At most ``limit`` who may be mailed and had this rhythm before, by id, after < id <= bound."""
    had = _f.cadence == cadence.value
    if cadence is default_cadence:
        had = or_(had, _f.cadence == _DEFAULT)
    current = func.coalesce(_c.cadence, default_cadence.value)
    every = former_rhythms.alias()
    came_at = select(func.max(every.c.left_at)).where(every.c.subscriber_id == _c.id).scalar_subquery()
    query = (
        select(_c.id, _c.topics_off, current.label("current"), came_at.label("came_at"))
        .select_from(former_rhythms.join(subscribers, _f.subscriber_id == _c.id))
        .where(_f.subscriber_id > after, _f.subscriber_id <= bound, had, current != cadence.value)
        .where(mailable(now), true() if among is None else among)
        .distinct()
        .order_by(_c.id)
        .limit(limit)
    )
    return [
        Former(
            id=row.id,
            topics_off=frozenset(words(row.topics_off)),
            cadence=Cadence(row.current),
            came_at=from_ms(row.came_at),
        )
        for row in conn.execute(query)
    ]


def last_left(conn: Connection, cadence: Cadence, default_cadence: Cadence) -> datetime | None:
    """When somebody last went from this rhythm to another one."""
    had = [cadence.value, _DEFAULT] if cadence is default_cadence else [cadence.value]
    return maybe_from_ms(conn.scalar(select(func.max(_f.left_at)).where(_f.cadence.in_(had))))


def of(conn: Connection, subscriber_id: int) -> Sequence[tuple[str, datetime]]:
    """The rhythms that somebody left lately, and when."""
    rows = conn.execute(select(_f.cadence, _f.left_at).where(_f.subscriber_id == subscriber_id))
    return [(row.cadence, from_ms(row.left_at)) for row in rows]


def forget(conn: Connection, subscriber_id: int) -> None:
    conn.execute(delete(former_rhythms).where(_f.subscriber_id == subscriber_id))


def clean(conn: Connection, now: datetime) -> None:
    """Forgets what no issue can ask for any more."""
    conn.execute(delete(former_rhythms).where(_f.left_at < to_ms(now - KEPT)))
