"""Receipt: the account of an issue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """``audience = accepted + failed + skipped + unknown + remaining``, at every moment (invariant 6).

    The last four are counted beside those, not among them.
    """

    issue_id: int
    audience: int
    accepted: int
    failed: int
    skipped: int
    unknown: int
    remaining: int
    delivered: int = 0
    bounced: int = 0
    complained: int = 0
    unsubscribed: int = 0

    @property
    def balances(self) -> bool:
        return self.audience == self.accepted + self.failed + self.skipped + self.unknown + self.remaining
