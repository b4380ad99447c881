"""What somebody chose and did, one line each, as long as they are on the list: for their page, and for what
they take along.

What proves a consent stands in consents, what forbids mail in suppressions, what providers told elsewhere;
here stands what those forget: an unsubscription that was taken back, a pause that has ended, a former choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, delete, select

from subscribers.states import Act
from subscribers.tables import happenings
from subscribers.times import from_ms, to_ms

_h = happenings.c


class What(StrEnum):
    """What happened; in brackets, what ``detail`` says of it."""

    HOW_OFTEN = "how_often"  #: (a cadence; empty: as the newsletter)
    TOPICS = "topics"  #: (those they do not want, separated by commas; empty: all are wanted)
    PAUSED = "paused"  #: (until when, RFC 3339)
    RESUMED = "resumed"  #: before the pause had ended
    NAMED = "named"
    MOVED = "moved"  #: their mail goes to another address; neither is said
    UNSUBSCRIBED = "unsubscribed"  #: (by which way; empty: by a link or button of a mail)
    EXPLAINED = "explained"  #: (why they left)
    CAME_BACK = "came_back"  #: they took their unsubscription back at once
    BOUNCED = "bounced"  #: (the server's code): nothing goes to the address any more
    COMPLAINED = "complained"  #: (who told it)
    SUPPRESSED = "suppressed"  #: the author: never mail them
    LIFTED = "lifted"  #: the author took that back, or a complaint


_OF_ACTS = {
    Act.UNSUBSCRIBE: What.UNSUBSCRIBED,
    Act.UNDO: What.CAME_BACK,
    Act.BOUNCE: What.BOUNCED,
    Act.COMPLAIN: What.COMPLAINED,
    Act.SUPPRESS: What.SUPPRESSED,
    Act.LIFT: What.LIFTED,
}


@dataclass(frozen=True, kw_only=True)
class Happening:
    at: datetime
    what: What
    detail: str = ""


def add(conn: Connection, id: int, what: What, now: datetime, detail: str = "") -> None:
    row = {"subscriber_id": id, "at": to_ms(now), "what": what.value, "detail": detail}
    conn.execute(happenings.insert().values(row))


def acted(conn: Connection, id: int, act: Act, now: datetime, reason: str) -> None:
    """An act that changed how they stand. What a consent proves is kept there."""
    if what := _OF_ACTS.get(act):
        add(conn, id, what, now, reason)


def acted_on_many(conn: Connection, ids: Sequence[int], act: Act, now: datetime, reason: str) -> None:
    """The same for at most a thousand at once."""
    row = {"at": to_ms(now), "what": _OF_ACTS[act].value, "detail": reason}
    if ids:
        conn.execute(happenings.insert(), [{**row, "subscriber_id": id} for id in ids])


def of(conn: Connection, id: int) -> Sequence[Happening]:
    """Oldest first."""
    rows = conn.execute(select(happenings).where(_h.subscriber_id == id).order_by(_h.at, _h.id))
    return [Happening(at=from_ms(row.at), what=What(row.what), detail=row.detail) for row in rows]


def forget(conn: Connection, ids: Sequence[int]) -> None:
    conn.execute(delete(happenings).where(_h.subscriber_id.in_(ids)))
