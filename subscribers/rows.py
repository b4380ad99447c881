"""Between rows and what they mean."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, case, func, literal, select

from subscribers.model import Cadence, Consent, ConsentKind, Subscriber, SubscriberState
from subscribers.tables import Ms, subscribers
from subscribers.times import from_ms, maybe_from_ms

SHOWN: Final = select(
    subscribers.c.id,
    subscribers.c.address,
    subscribers.c.name,
    subscribers.c.state,
    subscribers.c.cadence,
    subscribers.c.topics_off,
    subscribers.c.paused_until,
    subscribers.c.language,
    subscribers.c.tags,
    subscribers.c.consent_until,
    subscribers.c.engaged_at,
    subscribers.c.tracked_at,
    subscribers.c.strikes,
    subscribers.c.joined_at,
    subscribers.c.changed_at,
)
"""What a Subscriber is made of."""


def subscriber(row: Row[*tuple[Any, ...]]) -> Subscriber:
    return Subscriber(
        id=row.id,
        address=row.address,
        name=row.name,
        state=SubscriberState(row.state),
        cadence=Cadence(row.cadence) if row.cadence else None,
        topics_off=words(row.topics_off),
        paused_until=maybe_from_ms(row.paused_until),
        language=row.language,
        tags=words(row.tags),
        consent_until=maybe_from_ms(row.consent_until),
        engaged_at=maybe_from_ms(row.engaged_at),
        tracked_at=maybe_from_ms(row.tracked_at),
        strikes=row.strikes,
        joined_at=from_ms(row.joined_at),
        changed_at=from_ms(row.changed_at),
    )


def consent(row: Row[*tuple[Any, ...]]) -> Consent:
    return Consent(
        subscriber_id=row.subscriber_id,
        kind=ConsentKind(row.kind),
        at=from_ms(row.at),
        source=row.source,
        origin=row.origin,
        wording=row.wording,
        expires_at=maybe_from_ms(row.expires_at),
    )


def left_at(to: SubscriberState, now: int | ColumnElement[int]) -> ColumnElement[int | None]:
    """The column where somebody comes into that state at ``now``: since when they are not mailed."""
    if to in (SubscriberState.ACTIVE, SubscriberState.UNCONFIRMED):
        return literal(None, Ms)
    never = subscribers.c.state == SubscriberState.UNCONFIRMED.value
    return func.coalesce(subscribers.c.left_at, case((never, subscribers.c.joined_at), else_=now))


def sought(address_key: str, name: str) -> str:
    """What a search looks through: the address and the name, whatever their case."""
    return f"{address_key} {name.casefold()}" if name else address_key


def words(stored: str) -> tuple[str, ...]:
    """A stored JSON list of strings; nearly everybody's is empty."""
    return () if stored == "[]" else tuple(json.loads(stored))


def stored_words(given: Iterable[str]) -> str:
    """Sorted and without repetition, so that equal sets are equal text."""
    return json.dumps(sorted(set(given)), ensure_ascii=False, separators=(",", ":"))
