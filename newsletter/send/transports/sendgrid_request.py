"""What is posted to SendGrid, and every limit of its documentation, kept to before anything leaves. Pure.

The limits are those of https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations and of the
reference of Mail Send beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from html import escape
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Final, NamedTuple

from newsletter.errors import Invalid
from newsletter.guard.headers import vet_address, vet_header
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

_SPECIAL: Final = re.compile("[&<>\"']")  # what html.escape changes
_AS_JSON: Final = 6  #: the most bytes that one byte of UTF-8 becomes in JSON of plain ASCII


@dataclass(frozen=True, kw_only=True)
class Content:
    """What all recipients of a letter share. ``body`` is the request's JSON up to its recipients; ``tags``
    maps (slot, html) to its substitution tag."""

    body: str
    tags: dict[tuple[str, bool], str]
    mark: str
    headers: dict[str, str]
    forms: dict[tuple[str, ...], str] = field(default_factory=dict)  #: by the headers that recipients have

    @cached_property
    def slots(self) -> tuple[tuple[str, int, int], ...]:
        """Each slot, and how long its tags are in plain text and in HTML (0: it has none there)."""
        names = dict.fromkeys(slot for slot, _ in self.tags)
        found = self.tags.get
        return tuple((one, len(found((one, False), "")), len(found((one, True), ""))) for one in names)


class Row(NamedTuple):
    """One recipient of a request: its personalization, as JSON of plain ASCII."""

    envelope: Envelope
    text: str


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
    text = json.dumps(body)
    if len(text) + MOST_COLLECTED * _AS_JSON > MOST_BYTES:
        raise Invalid("The email is larger than the 30 MB that SendGrid takes.", hint="Show excerpts.")
    return Content(body=text, tags=tags, mark=mark, headers=dict(letter.headers))


def row_of(envelope: Envelope, content: Content) -> Row:
    """Raises Invalid for a recipient whose values SendGrid would not take.

    A million recipients have the same JSON around their values, so that is written once.
    """
    names = tuple([name for name, _ in envelope.headers])
    form = content.forms.get(names) or content.forms.setdefault(names, _form_of(content, names))
    address = vet_address(envelope.to)
    if not address.isascii():
        raise Invalid("SendGrid cannot take addresses with letters beyond ASCII.")
    values = [quoted(address)]
    given = envelope.values
    collected = 0
    for slot, plain_tag, html_tag in content.slots:
        value = given[slot]  # asked for once, since a link is signed when it is asked for
        if content.mark in value:
            raise Invalid("A value of this subscriber looks like one of our own marks.")
        written = quoted(value)
        size = len(value) if value.isascii() else len(value.encode())
        if plain_tag:
            values.append(written)
            collected += plain_tag + size
        if html_tag:
            if _SPECIAL.search(value):
                value = escape(value)
                written = quoted(value)
                size = len(value.encode())
            values.append(written)
            collected += html_tag + size
    if collected > MOST_COLLECTED:
        raise Invalid("The values of this subscriber are longer than SendGrid takes.")
    for name, value in envelope.headers:
        _vet_value(name, value)
        values.append(quoted(value))
    values.append(quoted(envelope.message_id))
    return Row(envelope, form % (*values, *envelope.key, envelope.attempt_id))


def _form_of(content: Content, names: Sequence[str]) -> str:
    """The JSON of a personalization whose own headers have these names, with a place for each value."""
    for name in names:
        _vet_name(name)
    shared = {name: value for name, value in content.headers.items() if name not in names}
    fixed = [f"{_escaped(name)}: {_escaped(value)}" for name, value in shared.items()]
    headers = ", ".join([*fixed, *(f"{_escaped(name)}: %s" for name in (*names, "Message-ID"))])
    tags = [content.tags.get((slot, html)) for slot, _, _ in content.slots for html in (False, True)]
    substitutions = ", ".join(f"{_escaped(tag)}: %s" for tag in tags if tag)
    return (
        # No name beside it: it could hold what SendGrid refuses there, and nobody needs it.
        f'{{"to": [{{"email": %s}}], "substitutions": {{{substitutions}}}, "headers": {{{headers}}}, '
        f'"custom_args": {{"{KEY_ARG}": "%d.%d", "{ATTEMPT_ARG}": "%d"}}}}'
    )


def _escaped(text: str) -> str:
    return quoted(text).replace("%", "%%")


def request_of(content: Content, rows: Iterable[Row]) -> bytes:
    """The whole request."""
    listed = ", ".join([row.text for row in rows])
    return f'{content.body[:-1]}, "personalizations": [{listed}]}}'.encode("ascii")


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
    most = MOST_BYTES - len(content.body) - 100
    first = size = 0
    for index, row in enumerate(rows):
        if index > first and (index - first == MOST or size + len(row.text) > most):
            parts.append(rows[first:index])
            first, size = index, 0
        size += len(row.text) + 2
    return [*parts, rows[first:]] if rows else []


def _vet_headers(headers: Iterable[tuple[str, str]]) -> None:
    for name, value in headers:
        _vet_name(name)
        _vet_value(name, value)


def _vet_name(name: str) -> None:
    if name.lower() in RESERVED:
        raise Invalid(f"SendGrid does not take the header {name} as it stands.")


def _vet_value(name: str, value: str) -> None:
    vet_header(name, value)
    if not value.isascii():
        raise Invalid(f"SendGrid does not take the header {name} as it stands.")
