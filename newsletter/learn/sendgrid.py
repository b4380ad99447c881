"""SendGrid's Event Webhook: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event

A list of events as JSON, signed with ECDSA over the timestamp and the raw bytes. Delivered more than once as
a matter of course, in no promised order.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from binascii import Error as Base64Error
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from newsletter.errors import ConfigError, Invalid
from newsletter.model.event import Event, EventKind
from newsletter.model.privacy import without_addresses

KEY_ARG: Final = "newsletter_key"  #: the custom argument that carries "issue.number"
ATTEMPT_ARG: Final = "newsletter_attempt"
MOST_BYTES: Final = 2 * 1024 * 1024  # they post at most 768 KB

_KINDS: Final = {
    "processed": EventKind.PROCESSED,
    "deferred": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "dropped": EventKind.DROPPED,
    "spamreport": EventKind.COMPLAINED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
}
_DROPPED: Final = (
    (re.compile(r"spam report", re.I), "complained"),
    (re.compile(r"unsubscribed", re.I), "unsubscribed"),
    (re.compile(r"bounced", re.I), "bounced"),
    (re.compile(r"invalid", re.I), "invalid"),
    (re.compile(r"quota|credits", re.I), "quota"),
    (re.compile(r"spam content", re.I), "content"),
)
_BAD_ADDRESS: Final = re.compile(r"5\.1\.(?:1|2|3|6|10)\b")
_FUTURE: Final = timedelta(days=1)


def public_key(text: str) -> EllipticCurvePublicKey:
    """The verification key that SendGrid shows (base64 of a DER key). Raises ConfigError."""
    try:
        key = load_der_public_key(b64decode(text, validate=True))
    except (Base64Error, ValueError) as error:
        raise _no_key() from error
    if not isinstance(key, EllipticCurvePublicKey):
        raise _no_key()
    return key


def genuine(raw: bytes, *, signature: str, timestamp: str, key: EllipticCurvePublicKey) -> bool:
    """Whether SendGrid signed exactly these bytes. Old ones are good: retries may keep their signature.

    The timestamp and the body are signed without a separator, so a timestamp that is not ten digits is
    refused: shifted digits would verify.
    """
    if not re.fullmatch(r"[0-9]{10}", timestamp):
        return False
    try:
        key.verify(b64decode(signature, validate=True), timestamp.encode() + raw, ECDSA(SHA256()))
    except (InvalidSignature, Base64Error, ValueError):
        return False
    return True


def parse(raw: bytes, now: datetime) -> list[tuple[Event, str]]:
    """The events of one request, each with its raw form without addresses. Raises Invalid for no JSON list.

    What is no event of ours, or of a kind that we do not keep (opens, clicks), is left out.
    """
    try:
        listed = json.loads(raw) if len(raw) <= MOST_BYTES else None
    except (ValueError, RecursionError):
        listed = None
    if not isinstance(listed, list):
        raise Invalid("This is not a list of SendGrid's events.")
    return [found for item in listed if isinstance(item, dict) and (found := _event(item, now)) is not None]


def _event(item: dict[str, Any], now: datetime) -> tuple[Event, str] | None:
    said = _text(item, "event")
    kind, code = _kind(item) if said == "bounce" else (_KINDS.get(said), _text(item, "status"))
    ours = re.fullmatch(r"(\d{1,18})\.(\d{1,18})", _text(item, KEY_ARG))
    if kind is None or ours is None:
        return None
    words = without_addresses(_text(item, "reason") or _text(item, "response"))
    if kind is EventKind.DROPPED:
        code = next((name for pattern, name in _DROPPED if pattern.search(words)), "")
    issue_id, number = int(ours[1]), int(ours[2])
    attempt = re.fullmatch(r"\d{1,18}", _text(item, ATTEMPT_ARG))
    event = Event(
        provider="sendgrid",
        key=_text(item, "sg_event_id")[:200] or sha256(json.dumps(item, sort_keys=True).encode()).hexdigest(),
        kind=kind,
        at=_moment(item.get("timestamp"), now),
        issue_id=issue_id,
        subscriber_id=number if issue_id else 0,
        notice_id=0 if issue_id else number,
        attempt_id=int(attempt[0]) if attempt else 0,
        code=code[:40],
        reason=words,
    )
    kept = {
        name: value for name, value in item.items() if name not in ("email", "smtp-id", "ip", "useragent")
    }
    return event, without_addresses(json.dumps(kept, ensure_ascii=False, sort_keys=True), 4000)


def _kind(item: dict[str, Any]) -> tuple[EventKind, str]:
    """A bounce is hard only where the address itself is named as bad; full and slow mailboxes are strikes."""
    status = _text(item, "status")
    if _text(item, "type") == "blocked":
        return EventKind.BLOCKED, status
    if _BAD_ADDRESS.match(status) or _text(item, "bounce_classification").lower() == "invalid address":
        return EventKind.BOUNCED, status
    return EventKind.SOFT_BOUNCED, status


def _moment(given: object, now: datetime) -> datetime:
    """Their clock, unless it is nonsense: then ours."""
    if isinstance(given, int) and 0 < given < (now + _FUTURE).timestamp():
        return datetime.fromtimestamp(given, UTC)
    return now


def _text(item: dict[str, Any], name: str) -> str:
    value = item.get(name, "")
    return value if isinstance(value, str) else ""


def _no_key() -> ConfigError:
    return ConfigError(
        "NEWSLETTER_SENDGRID_WEBHOOK_KEY is not a verification key.",
        hint="Copy it from SendGrid: Settings, Mail Settings, Signed Event Webhook Requests.",
    )
