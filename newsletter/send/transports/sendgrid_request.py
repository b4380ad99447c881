"""What is posted to SendGrid, and every limit of its documentation, kept to before anything leaves. Pure.

The limits are those of https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations and of the
reference of Mail Send beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from typing import Any, Final

from newsletter.errors import Invalid
from newsletter.guard.headers import header, vet_address
from newsletter.model.artefact import Segment
from newsletter.model.delivery import Envelope, Letter

MOST: Final = 1000  #: personalizations in one request
MOST_BYTES: Final = 30_000_000  #: of a whole request
MOST_COLLECTED: Final = 10_000  #: bytes of substitutions, or of custom arguments, of one personalization
RESERVED: Final = frozenset(
    {
        "x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding",
        "to", "from", "subject", "reply-to", "cc", "bcc",
    }
)  # fmt: skip
KEY_ARG: Final = "newsletter_key"  #: "issue.number": opaque, and prefixed since SendGrid's own names win
ATTEMPT_ARG: Final = "newsletter_attempt"

_AS_JSON: Final = 6  #: the most bytes that one byte of UTF-8 becomes in JSON of plain ASCII
_AROUND: Final = 400  #: bytes of JSON around the values of one personalization


@dataclass(frozen=True, kw_only=True)
class Content:
    """What all recipients of a letter share. ``tags`` maps (slot, html) to its substitution tag; ``size`` is
    in bytes as they leave."""

    body: dict[str, Any]
    tags: dict[tuple[str, bool], str]
    mark: str
    headers: dict[str, str]
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One recipient of a request. ``most_bytes`` is never less than what it takes in it."""

    envelope: Envelope
    personalization: dict[str, Any]
    most_bytes: int


def content_of(letter: Letter) -> Content:
    """Raises Invalid for a letter that SendGrid takes for nobody."""
    mark = f"%nl{sha256(letter.id.encode()).hexdigest()[:10]}"
    tags: dict[tuple[str, bool], str] = {}

    def text_of(segments: Iterable[Segment], html: bool) -> str:
        return "".join(
            tags.setdefault((s.text, html), f"{mark}-{s.text}-{'h' if html else 't'}%") if s.slot else s.text
            for s in segments
        )

    if not (letter.sender.name + letter.sender.address).isascii():
        raise Invalid(
            "SendGrid takes no letters beyond ASCII, such as é, in the sender's name.",
            hint="Write FROM without them, or send through SendGrid's SMTP server.",
        )
    if not letter.subject:
        raise Invalid("SendGrid takes no message without a subject.", hint="Write one.")
    _vet_headers(letter.headers)
    body: dict[str, Any] = {
        "from": {
            "email": letter.sender.address,
            **({"name": letter.sender.name} if letter.sender.name else {}),
        },
        "subject": letter.subject,
        "content": [
            {"type": "text/plain", "value": text_of(letter.text, False)},
            {"type": "text/html", "value": text_of(letter.html, True)},
        ],
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            # It would put a List-Unsubscribe of its own beside ours.
            "subscription_tracking": {"enable": False},
            "ganalytics": {"enable": False},
        },
    }
    if letter.reply_to:
        body["reply_to"] = {"email": letter.reply_to}
    size = len(json.dumps(body))
    if size + MOST_COLLECTED * _AS_JSON > MOST_BYTES:
        raise Invalid("The email is larger than the 30 MB that SendGrid takes.", hint="Show excerpts.")
    return Content(body=body, tags=tags, mark=mark, headers=dict(letter.headers), size=size)


def row_of(envelope: Envelope, content: Content) -> Row:
    """Raises Invalid for a recipient whose values SendGrid would not take."""
    substitutions: dict[str, str] = {}
    collected = 0
    for (slot, html), tag in content.tags.items():
        value = envelope.values[slot]
        if content.mark in value:
            raise Invalid("A value of this subscriber looks like one of our own marks.")
        if html:
            value = escape(value)
        substitutions[tag] = value
        collected += len(tag) + len(value.encode())
    if collected > MOST_COLLECTED:
        raise Invalid("The values of this subscriber are longer than SendGrid takes.")
    _vet_headers(envelope.headers)
    headers = {**content.headers, **dict(envelope.headers), "Message-ID": envelope.message_id}
    address = vet_address(envelope.to)
    if not address.isascii():
        raise Invalid("SendGrid cannot take addresses with letters beyond ASCII.")
    return Row(
        envelope=envelope,
        personalization={
            # No name beside it: it could hold what SendGrid refuses there, and nobody needs it.
            "to": [{"email": address}],
            "substitutions": substitutions,
            "headers": headers,
            "custom_args": {
                KEY_ARG: f"{envelope.key.issue_id}.{envelope.key.number}",
                ATTEMPT_ARG: str(envelope.attempt_id),
            },
        },
        most_bytes=_AROUND
        + _AS_JSON * (collected + len(address) + sum(len(n) + len(v) for n, v in headers.items())),
    )


def groups_of(pulled: Iterable[Envelope]) -> list[list[Envelope]]:
    """One group per letter, in each of which an address stands once (SendGrid refuses repeated ones)."""
    groups: list[tuple[str, set[str], list[Envelope]]] = []
    for envelope in pulled:
        address = envelope.to.casefold()
        for letter_id, addresses, group in groups:
            if letter_id == envelope.letter.id and address not in addresses:
                addresses.add(address)
                group.append(envelope)
                break
        else:
            groups.append((envelope.letter.id, {address}, [envelope]))
    return [group for _, _, group in groups]


def parts_of(content: Content, rows: Sequence[Row]) -> list[Sequence[Row]]:
    """The rows of one letter in as few requests as their number and size allow."""
    parts: list[Sequence[Row]] = []
    first = size = 0
    for index, row in enumerate(rows):
        if index > first and (index - first == MOST or content.size + size + row.most_bytes > MOST_BYTES):
            parts.append(rows[first:index])
            first, size = index, 0
        size += row.most_bytes
    return [*parts, rows[first:]] if rows else []


def _vet_headers(headers: Iterable[tuple[str, str]]) -> None:
    for name, value in headers:
        header(name, value)
        if name.lower() in RESERVED or not value.isascii():
            raise Invalid(f"SendGrid does not take the header {name} as it stands.")
