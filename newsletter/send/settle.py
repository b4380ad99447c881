"""From what a transport says of an envelope to what the ledger keeps of it. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from newsletter.model.delivery import DeliveryState, Outcome, Settled, Verdict

RETRY_AFTER: Final = tuple(
    timedelta(minutes=minutes) for minutes in (5, 15, 30, 60, 120, 240, 480, 960, 1440, 1440)
)
"""Waits between tries. The first is long enough for greylisting; together about three days, which is when
relays themselves give up (RFC 5321 section 4.5.4.1)."""


def next_retry(tries: int, now: datetime, wish_s: int | None = None) -> datetime | None:
    """When to try again after the ``tries``-th refusal; None: no more. Never sooner than ``wish_s``."""
    if tries > len(RETRY_AFTER):
        return None
    wait = RETRY_AFTER[tries - 1]
    if wish_s is not None:
        wait = max(wait, timedelta(seconds=wish_s))
    return now + wait


def settle(outcome: Outcome, tries: int, now: datetime) -> Settled:
    """``tries`` counts the refusals before this one. An unsent delivery is as if never tried."""
    who = outcome.key.number
    if outcome.verdict is Verdict.ACCEPTED:
        return Settled(subscriber_id=who, state=DeliveryState.ACCEPTED, tries=tries)
    if outcome.verdict is Verdict.UNSENT:
        return Settled(subscriber_id=who, state=DeliveryState.PENDING, tries=tries)
    if outcome.verdict is Verdict.UNKNOWN:
        return Settled(
            subscriber_id=who,
            state=DeliveryState.UNKNOWN,
            tries=tries + 1,
            code=outcome.code,
            reason=outcome.reason,
            provider_id=outcome.provider_id,
        )
    retry_at = next_retry(tries + 1, now, outcome.retry_after_s) if outcome.verdict is Verdict.RETRY else None
    return Settled(
        subscriber_id=who,
        state=DeliveryState.RETRY_WAIT if retry_at else DeliveryState.FAILED,
        tries=tries + 1,
        retry_at=retry_at,
        code=outcome.code,
        reason=outcome.reason,
        provider_id=outcome.provider_id,
        bad_address=outcome.bad_address,
        slow_domain=outcome.slow_domain,
    )
