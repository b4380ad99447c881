"""Bounces and complaints as mail: RFC 3464 reports, RFC 5965 complaints, and what only looks like them.

The report's own Status decides. Heuristics (flufl.bounce) are asked only where there is none: they call an
expired greylisting (Action failed, Status 4.7.1) permanent.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import Final

from flufl.bounce import all_failures

from newsletter.model.delivery import MessageKey
from newsletter.model.event import Event, EventKind
from newsletter.model.identity import delivery_of, delivery_of_path
from newsletter.model.privacy import without_addresses

MOST_BYTES: Final = 1024 * 1024
_BAD_ADDRESS: Final = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
_ABOUT_US: Final = re.compile(r"5\.(?:7\.\d+|4\.5|3\.4|6\.\d+|1\.[78])")
_STATUS: Final = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_PATHS: Final = ("To", "Delivered-To", "X-Original-To", "Envelope-To")


def parse(raw: bytes, *, keys: Sequence[bytes], now: datetime) -> list[tuple[Event, str]] | None:
    """The events that one message in the bounce mailbox tells, each with its raw form without addresses.

    None for a message that is about none of our deliveries: somebody's letter, a forged report. Empty for
    one that is, and tells nothing: an answer from somebody on holiday. Never raises for what it contains.
    """
    try:
        message = email.message_from_bytes(raw[:MOST_BYTES], policy=email.policy.compat32)
        ours = _delivery(message, keys)
        if ours is None:
            return None
        return [_told(message, ours, raw, now, *found) for found in _findings(message)]
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return None  # broken beyond what the parser forgives


def kind_of(action: str, status: str) -> EventKind | None:
    """What a report's Action and Status (RFC 3464 section 2.3) mean; None for what is no news."""
    if action == "delivered":
        return EventKind.DELIVERED
    if action in ("relayed", "expanded"):
        return EventKind.PROCESSED
    if action == "delayed":
        return EventKind.DEFERRED
    if action != "failed" or not status:
        return None
    if status in _BAD_ADDRESS:
        return EventKind.BOUNCED
    if _ABOUT_US.fullmatch(status):
        return EventKind.BLOCKED
    return EventKind.SOFT_BOUNCED  # full, slow, expired: a strike


def _findings(message: Message) -> Iterator[tuple[EventKind, str, str]]:
    """(kind, status, words) of each thing that the message tells."""
    for part in message.walk():
        if part.get_content_type() == "message/feedback-report":
            fields = _blocks(part)[0]
            if str(fields.get("Feedback-Type", "")).strip().lower() in ("abuse", "fraud"):
                yield EventKind.COMPLAINED, "", ""
            return
    reports = [part for part in message.walk() if part.get_content_type() == "message/delivery-status"]
    for part in reports:
        for fields in _blocks(part)[1:]:
            words = str(fields.get("Diagnostic-Code", ""))
            found = _STATUS.search(str(fields.get("Status", ""))) or _STATUS.search(words)
            status = found[1] if found else ""
            kind = kind_of(str(fields.get("Action", "")).strip().lower(), status)
            if kind is not None:
                yield kind, status, " ".join(words.split())
    if not reports and str(message.get("Auto-Submitted", "no")).split(";")[0].strip() != "auto-replied":
        temporary, permanent = all_failures(message)
        if permanent:
            yield EventKind.BOUNCED, "", "The message came back."
        elif temporary:
            yield EventKind.SOFT_BOUNCED, "", "The message came back for now."


def _blocks(part: Message) -> list[Message]:
    """The groups of fields in a report's part."""
    payload = part.get_payload()
    if isinstance(payload, list):
        return [block for block in payload if isinstance(block, Message)] or [Message()]
    return [email.message_from_string(str(payload))]


def _delivery(message: Message, keys: Sequence[bytes]) -> tuple[MessageKey, int] | None:
    """Which delivery a message is about, and which attempt at it (0: not known): by the address it came to,
    else by the Message-ID it quotes."""
    for name in _PATHS:
        for value in message.get_all(name, []):
            if found := delivery_of_path(str(value), keys):
                return found
    for part in message.walk():
        quoted: list[str] = []
        if part is not message and part.get("Message-ID"):
            quoted.append(str(part["Message-ID"]))
        if part.get_content_type() in ("text/rfc822-headers", "text/rfc822-header"):
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                quoted.append(str(email.message_from_bytes(payload).get("Message-ID", "")))
        for text in quoted:
            if named := delivery_of(text, keys):
                return named, 0
    return None


def _told(
    message: Message,
    ours: tuple[MessageKey, int],
    raw: bytes,
    now: datetime,
    kind: EventKind,
    status: str,
    words: str,
) -> tuple[Event, str]:
    key, attempt_id = ours
    digest = sha256(raw + f"{kind}{status}".encode()).hexdigest()
    event = Event(
        provider="mail",
        key=digest,
        kind=kind,
        at=_moment(message, now),
        issue_id=key.issue_id,
        subscriber_id=0 if key.is_notice else key.number,
        notice_id=key.number if key.is_notice else 0,
        attempt_id=attempt_id,
        code=status,
        reason=without_addresses(words),
    )
    return event, without_addresses(words, 2000)


def _moment(message: Message, now: datetime) -> datetime:
    try:
        moment = parsedate_to_datetime(str(message["Date"]))
    except (TypeError, ValueError):
        return now
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(moment.astimezone(UTC), now)
