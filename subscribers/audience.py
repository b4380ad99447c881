"""Who an issue is for, and who may be mailed at this moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from subscribers.model import Cadence, Candidate, Recipient, SubscriberState
from subscribers.rows import words
from subscribers.sql import MANY, chunks, straight_rows
from subscribers.states import STRONGEST
from subscribers.suppressions import Suppressions
from subscribers.tables import subscribers
from subscribers.times import to_ms

_c = subscribers.c
_ACTIVE: Final = SubscriberState.ACTIVE.value
_EVERYTHING: Final[frozenset[str]] = frozenset()
_ASKED: Final = (
    "id", "address", "address_key", "name", "language", "state", "paused_until", "consent_until",
    "tracked_at",
)  # fmt: skip
_CLAIM: Final = f"SELECT {', '.join(_ASKED)} FROM subscribers WHERE id = ANY(:ids)"


@dataclass(frozen=True, kw_only=True)
class Claimable:
    """Every id asked for is in exactly one of the two. ``refused`` says why not: a state, a cause of
    suppression, ``paused``, ``consent_expired`` or ``gone``."""

    recipients: dict[int, Recipient]
    refused: dict[int, str]


def highest_id(conn: Connection) -> int:
    """The highest subscriber id so far, 0 where there is none: an audience's bound."""
    return conn.execute(select(func.max(_c.id))).scalar_one() or 0


def mailable(now: datetime) -> ColumnElement[bool]:
    """Those whom state, pause and consent allow to be mailed. Suppression is asked at the claim."""
    ms = to_ms(now)
    return and_(
        _c.state == SubscriberState.ACTIVE.value,
        or_(_c.paused_until.is_(None), _c.paused_until <= ms),
        or_(_c.consent_until.is_(None), _c.consent_until > ms),
    )


def size(
    conn: Connection,
    cadence: Cadence,
    default_cadence: Cadence,
    now: datetime,
    *,
    among: ColumnElement[bool] | None = None,
) -> int:
    """How many would be drawn now; topics and earlier issues may still leave some of them out."""
    query = select(func.count()).select_from(subscribers)
    if among is not None:
        query = query.where(among)
    return conn.scalar(query.where(_wants(cadence, default_cadence), mailable(now))) or 0


def _wants(cadence: Cadence, default_cadence: Cadence) -> ColumnElement[bool]:
    if cadence is default_cadence:
        return or_(_c.cadence.is_(None), _c.cadence == cadence.value)
    return _c.cadence == cadence.value


def candidates(
    conn: Connection,
    cadence: Cadence,
    default_cadence: Cadence,
    after: int,
    bound: int,
    limit: int,
    now: datetime,
    *,
    among: ColumnElement[bool] | None = None,
) -> list[Candidate]:
    """At most ``limit`` who may be mailed and want this rhythm, by id, after < id <= bound.

    ``among`` narrows them to a segment. Asking again with the last id goes on where this one ended.
    """
    rhythm = _wants(cadence, default_cadence)
    query = select(_c.id, _c.topics_off).where(_c.id > after, _c.id <= bound, rhythm, mailable(now))
    if among is not None:
        query = query.where(among)
    rows = conn.execute(query.order_by(_c.id).limit(limit))
    return [
        Candidate(id=id, topics_off=_EVERYTHING if topics == "[]" else frozenset(words(topics)))
        for id, topics in rows
    ]


def cadences_in_use(conn: Connection, default: Cadence) -> set[Cadence]:
    """The rhythms that at least one active subscriber has."""
    found: set[Cadence] = set()
    for cadence in (None, *Cadence):  # each is one look into the index, however long the list is
        same = _c.cadence.is_(None) if cadence is None else _c.cadence == cadence.value
        if conn.scalar(select(exists().where(_c.state == SubscriberState.ACTIVE.value, same))):
            found.add(cadence or default)
    return found


def claimable(conn: Connection, suppressions: Suppressions, ids: Sequence[int], now: datetime) -> Claimable:
    """Who of these may be mailed right now (invariant 9). Two queries for 1,000 ids and one key."""
    recipients: dict[int, Recipient] = {}
    refused = dict.fromkeys(ids, "gone")
    ms = to_ms(now)
    for few in chunks(ids, MANY):
        allowed: dict[str, Recipient] = {}
        # Unpacked: a million deliveries feel each attribute that is looked up by name.
        for id, address, key, name, language, state, paused_until, consent_until, tracked_at in straight_rows(
            conn, _CLAIM, _ASKED, {"ids": few}
        ):
            if state != _ACTIVE:
                refused[id] = state
            elif paused_until is not None and paused_until > ms:
                refused[id] = "paused"
            elif consent_until is not None and consent_until <= ms:
                refused[id] = "consent_expired"
            else:
                allowed[key] = Recipient(
                    id=id, address=address, name=name, language=language, tracked=tracked_at is not None
                )
        for key, causes in suppressions.causes_of(list(allowed)).items():
            refused[allowed.pop(key).id] = next(cause.value for cause in STRONGEST if cause in causes)
        for recipient in allowed.values():
            del refused[recipient.id]
            recipients[recipient.id] = recipient
    return Claimable(recipients=recipients, refused=refused)
