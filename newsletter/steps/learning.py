"""Learning, put together: bounces that came as mail, and everything taken in since, applied once."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from newsletter.config import Settings
from newsletter.errors import ConfigError, Invalid
from newsletter.learn import apply_events as apply_taken_in
from newsletter.learn import dsn, mailbox, sendgrid, take_in, wishes
from newsletter.steps.telling import tell_if_paused
from newsletter.steps.tools import Tools
from subscribers.tokens import Tokens

MAILBOX_EVERY: Final = timedelta(minutes=1)
SURE_AFTER: Final = timedelta(seconds=15)  #: longer than it takes to tell a scanner (learn/visits.py)
HEARD_AT_ONCE: Final = 1_000


def apply_events(tools: Tools) -> dict[str, int]:
    """Fetches bounces where a mailbox is set, then applies what is known; how many of each kind.

    Raises what the mailbox raises, once everything that is known was applied.
    """
    settings = tools.settings()

    def tell(issue_id: int, problem: str) -> None:
        tell_if_paused(tools, issue_id, problem)

    try:
        if settings.bounce_url.get_secret_value():
            _fetch_bounces(tools, settings)
    finally:
        counts = apply_taken_in(tools.begin, tools.clock, tell=tell)
    return counts


def hear_of_readers(tools: Tools) -> int:
    """The list hears when those who agreed to it last read something; how many visits that were.

    A little later, so that nobody counts as a reader because a scanner followed their links.
    """
    before = tools.clock() - SURE_AFTER
    with tools.read() as unit:
        if not unit.links.fresh(before, 1):
            return 0
    with tools.begin() as unit:
        fresh = unit.links.fresh(before, HEARD_AT_ONCE)
        for reading in fresh:
            unit.subscribers.engaged(reading.subscriber_id, reading.last_at)
        unit.links.heard(fresh)
    return len(fresh)


def take_sendgrid(tools: Tools, raw: bytes, *, signature: str, timestamp: str) -> int:
    """Keeps the events of one webhook request; how many were new. They are applied at the next turn.

    Raises ConfigError where no verification key is set, Invalid for what SendGrid did not sign.
    """
    text = tools.settings().sendgrid_webhook_key
    if not text:
        raise ConfigError(
            "SendGrid's events are refused: no verification key is set.",
            hint="newsletter settings set SENDGRID_WEBHOOK_KEY … (SendGrid shows it beside the webhook)",
        )
    if not sendgrid.genuine(raw, signature=signature, timestamp=timestamp, key=sendgrid.public_key(text)):
        raise Invalid("These events were not signed by SendGrid.")
    now = tools.clock()
    events = sendgrid.parse(raw, now)
    with tools.begin() as unit:
        return take_in(unit, events, now)


def _fetch_bounces(tools: Tools, settings: Settings) -> None:
    """One process at a time, once a minute: the lease is never given back, it runs out."""
    with tools.begin() as unit:
        if not unit.leases.take("bounces", secrets.token_hex(8), now=tools.clock(), length=MAILBOX_EVERY):
            return
    keys = tools.keys.derive("message ids")
    tokens = Tokens(tools.keys.derive("links"))

    def take(raw: bytes) -> bool:
        now = tools.clock()
        events = wishes.parse(raw, tokens=tokens, now=now) or dsn.parse(raw, keys=keys, now=now)
        if events:
            with tools.begin() as unit:
                take_in(unit, events, now)
        return events is not None

    mailbox.fetch(settings.bounce_url.get_secret_value(), take)
