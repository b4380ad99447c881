"""Receipt: the account of an issue, and what can be told beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.model.delivery import DeliveryState


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """``audience = accepted + failed + skipped + unknown + remaining``, at every moment (invariant 6).

    ``waiting`` are those of the remaining who wait for another try. The last four are counted beside the
    sum, not in it.
    """

    issue_id: int
    audience: int
    accepted: int
    failed: int
    skipped: int
    unknown: int
    remaining: int
    waiting: int = 0
    delivered: int = 0
    bounced: int = 0
    complained: int = 0
    unsubscribed: int = 0

    @property
    def balances(self) -> bool:
        return self.audience == self.accepted + self.failed + self.skipped + self.unknown + self.remaining

    @property
    def settled(self) -> int:
        return self.audience - self.remaining


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """One attempt as the timeline sees it: how many became what, between when and when."""

    began: datetime
    ended: datetime
    accepted: int
    failed: int
    unknown: int

    @property
    def handled(self) -> int:
        return self.accepted + self.failed + self.unknown


@dataclass(frozen=True, kw_only=True)
class DomainLine:
    """The receipt of those with addresses at one domain; empty: of everybody at no domain listed."""

    domain: str
    audience: int
    accepted: int
    failed: int
    skipped: int
    unknown: int
    remaining: int
    bounced: int


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """How many deliveries of an issue ended or wait for the same reason.

    ``code`` is what the other side answered, empty where it was not asked; ``reason`` is one of its texts.
    """

    state: DeliveryState
    code: str
    reason: str
    count: int
