"""What people ask by mail: an answer to the mailto address of List-Unsubscribe (RFC 2369 section 3.2).

Mail programs that know no other way write it by themselves, with the subject that the header names.
"""

from __future__ import annotations

import email
import email.policy
import re
from datetime import datetime
from hashlib import sha256
from typing import Final
from urllib.parse import quote

from newsletter.model.event import Event, EventKind
from subscribers.errors import BadToken
from subscribers.tokens import Purpose, Tokens

_MOST_BYTES: Final = 64 * 1024  # its subject stands at the beginning
_SUBJECT: Final = re.compile(r"\bunsubscribe\s+([A-Za-z0-9_-]{20,200})(?![A-Za-z0-9_-])", re.IGNORECASE)


def mailto(address: str, token: str) -> str:
    """The address that :func:`parse` understands an answer to; ``token`` is an unsubscribe link's."""
    local, _, host = address.rpartition("@")
    return f"mailto:{quote(local, safe='+._-')}@{host}?subject=unsubscribe%20{token}"


def parse(raw: bytes, *, tokens: Tokens, now: datetime) -> list[tuple[Event, str]]:
    """That somebody wants no more mail, with a raw form without addresses; empty for any other message.

    Never raises for what a message contains.
    """
    try:
        message = email.message_from_bytes(raw[:_MOST_BYTES], policy=email.policy.default)
        found = _SUBJECT.search(" ".join(str(message.get("Subject", "")).split()))
        if found is None:
            return []
        numbers = tokens.verify(Purpose.UNSUBSCRIBE, found[1], now)
    except (BadToken, ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return []
    if len(numbers) != 2:
        return []
    subscriber_id, issue_id = numbers
    event = Event(
        provider="mail",
        key=sha256(raw).hexdigest(),
        kind=EventKind.UNSUBSCRIBED,
        at=now,
        issue_id=issue_id,
        subscriber_id=subscriber_id,
    )
    return [(event, "unsubscribe by mail")]
