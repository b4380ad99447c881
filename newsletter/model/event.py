"""Event: what a provider told us later, normalised. One vocabulary for every provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class EventKind(StrEnum):
    PROCESSED = "processed"  #: the provider took it
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    BOUNCED = "bounced"  #: hard: the address is bad
    SOFT_BOUNCED = "soft_bounced"  #: full mailbox, temporary: a strike
    BLOCKED = "blocked"  #: refused for policy or reputation: spare the subscriber
    DROPPED = "dropped"  #: the provider decided not to send
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"


@dataclass(frozen=True, kw_only=True)
class Event:
    """``key`` is the provider's own event id (or a hash of the raw event): stored once.

    ``issue_id`` and ``subscriber_id`` are 0 where the provider did not return our ids.
    ``attempt_id`` is the hand-over that it is about, 0 where that is not known. ``reason`` is the provider's
    text with every address removed.
    """

    provider: str
    key: str
    kind: EventKind
    at: datetime
    issue_id: int = 0
    subscriber_id: int = 0
    notice_id: int = 0
    attempt_id: int = 0
    code: str = ""
    reason: str = ""
