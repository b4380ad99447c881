"""Subscriber, Consent, Suppression, Cadence: what the list's words mean. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Cadence(StrEnum):
    """How often."""

    EACH = "each"  #: every post by itself
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class SubscriberState(StrEnum):
    """State displays; suppression and consent decide (invariant 10)."""

    UNCONFIRMED = "unconfirmed"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"


class ConsentKind(StrEnum):
    EXPRESS = "express"
    IMPLIED = "implied"
    UNKNOWN = "unknown"


class SuppressionCause(StrEnum):
    """Why an address is never mailed."""

    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    MANUAL = "manual"
    ERASED = "erased"


@dataclass(frozen=True, kw_only=True)
class Subscriber:
    id: int
    address: str
    name: str = ""
    state: SubscriberState
    cadence: Cadence | None = None  #: None: the newsletter's own
    topics_off: tuple[str, ...] = ()  #: topics they do not want; empty: everything
    paused_until: datetime | None = None
    language: str = ""
    tags: tuple[str, ...] = ()  #: the author's own labels, sorted
    consent_until: datetime | None = None  #: when the last valid consent ends; None: never
    engaged_at: datetime | None = None  #: when they last did something, where that is known
    tracked_at: datetime | None = (
        None  #: since when their own opens and clicks may be kept; None: they may not
    )
    strikes: int = 0  #: soft bounces since something last arrived
    joined_at: datetime
    changed_at: datetime


@dataclass(frozen=True, kw_only=True)
class Consent:
    """Proof of consent. ``source`` names the form, import batch or person; ``origin`` is a truncated
    network address, or empty; ``wording`` is what they agreed to."""

    subscriber_id: int
    kind: ConsentKind
    at: datetime
    source: str
    origin: str = ""
    wording: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Suppression:
    cause: SuppressionCause
    at: datetime
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A subscriber drawn for an issue's audience."""

    id: int
    topics_off: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipient:
    """A subscriber who may be mailed right now (checked when a delivery is claimed, invariant 9)."""

    id: int
    address: str
    name: str = ""
    language: str = ""
    tracked: bool = False  #: their own opens and clicks may be kept
