"""The sample mailbox's pages: a list of messages, and each one as HTML, plain text and headers.

Messages are shown as any mail program must: as the work of strangers. Their HTML stands in a sandboxed frame
under a policy without scripts, forms or any address but loopback's; everything else of theirs is escaped.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage, MIMEPart
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from newsletter.demo.loopback import HOST
from newsletter.demo.pages import render, stylesheet

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
MESSAGE_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data: http://127.0.0.1:* http://localhost:*; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'"
)
VIEWS = ("desktop", "phone", "text", "headers")
SHOWN = 200
"""How many messages the list shows at most: the newest."""

_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What the list tells of one message, as plain text."""

    name: str
    subject: str
    sender: str
    recipient: str
    sender_name: str
    recipient_name: str
    date: str


def header(message: EmailMessage, name: str) -> str:
    """A header's text; "" when it is missing, and its raw value when the parser fails on it."""
    try:
        value = message[name]
    except Exception:  # The parser has raised many kinds of error on malformed headers.
        value = next((raw for key, raw in message.raw_items() if key.lower() == name.lower()), "")
    return "" if value is None else " ".join(str(value).split())


def first_name(message: EmailMessage, name: str) -> str:
    """How a list calls the first person in an address header: by name, else by address."""
    try:
        person = message[name].addresses[0]
    except Exception:  # The header is missing, names nobody, or makes the parser fail.
        return header(message, name)
    return " ".join((person.display_name or person.addr_spec).split())


def summary(name: str, message: EmailMessage) -> Summary:
    """What the list tells of a message."""
    try:
        date: datetime | None = message["Date"].datetime
    except Exception:  # No Date, or one that the parser fails on.
        date = None
    return Summary(
        name=name,
        subject=header(message, "Subject") or "(no subject)",
        sender=header(message, "From"),
        recipient=header(message, "To"),
        sender_name=first_name(message, "From"),
        recipient_name=first_name(message, "To"),
        date=date.astimezone().strftime("%-d %b, %H:%M") if date else "",
    )


def text_of(part: MIMEPart) -> str:
    """A text part's text, whatever its sender claimed about its encoding."""
    try:
        return str(part.get_content()).replace("\r\n", "\n")
    except (LookupError, KeyError, UnicodeError):
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def body_of(message: EmailMessage, kind: str) -> str | None:
    """The message's own text of one kind (``html`` or ``plain``), or None."""
    part = message.get_body((kind,))
    return None if part is None else text_of(part)


def shown_html(message: EmailMessage, name: str) -> str | None:
    """The message's HTML for a frame: links open in a new tab, embedded pictures come from the mailbox."""
    html = body_of(message, "html")
    if html is None:
        return None
    for index, part in enumerate(message.walk()):
        if content_id := str(part["Content-ID"] or "").strip().strip("<>"):
            html = html.replace(f"cid:{content_id}", f"/message/{quote(name)}/part/{index}")
    base = '<base target="_blank">'
    with_base, found = re.subn(r"<head(\s[^>]*)?>", lambda match: match[0] + base, html, count=1, flags=re.I)
    return with_base if found else base + html


class MailboxHandler(BaseHTTPRequestHandler):
    """Answers one request; ``paths`` tells the message files, oldest first."""

    protocol_version = "HTTP/1.1"
    server_version = "SampleMailbox"
    sys_version = ""

    def __init__(self, paths: Callable[[], Iterable[Path]], *args: Any) -> None:
        self._paths = paths
        super().__init__(*args)

    def do_GET(self) -> None:
        if not self._from_this_machine():
            self._refuse(
                HTTPStatus.MISDIRECTED_REQUEST, "This mailbox answers only under 127.0.0.1 or localhost."
            )
            return
        url = urlsplit(self.path)
        match unquote(url.path).strip("/").split("/"):
            case [""]:
                self._list()
            case ["style.css"]:
                self._answer(stylesheet("mailbox.css"), kind="text/css")
            case ["message", name] if path := self._path(name):
                self._message(path, parse_qs(url.query).get("view", [""])[0])
            case ["message", name, "html"] if path := self._path(name):
                self._html(path)
            case ["message", name, "source"] if path := self._path(name):
                self._answer(path.read_bytes(), kind="text/plain")
            case ["message", name, "part", index] if path := self._path(name):
                self._picture(path, index)
            case _:
                self._refuse(HTTPStatus.NOT_FOUND, "There is no such page in this mailbox.")

    def _from_this_machine(self) -> bool:
        # A page elsewhere can point its own name at 127.0.0.1 and read what answers; the name betrays it.
        name = self.headers.get("Host", "").rpartition(":")[0]
        return name in (HOST, "localhost")

    def _path(self, name: str) -> Path | None:
        return next((path for path in self._paths() if path.stem == name), None)

    def _parsed(self, path: Path) -> EmailMessage:
        return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)

    def _summaries(self) -> tuple[list[Summary], int]:
        paths = list(self._paths())
        newest = [summary(path.stem, self._parsed(path)) for path in reversed(paths[-SHOWN:])]
        return newest, len(paths)

    def _list(self) -> None:
        messages, total = self._summaries()
        self._answer(render("mailbox_list.html.j2", messages=messages, total=total, current=None))

    def _message(self, path: Path, view: str) -> None:
        message = self._parsed(path)
        has_html = body_of(message, "html") is not None
        messages, total = self._summaries()
        self._answer(
            render(
                "mailbox_message.html.j2",
                messages=messages,
                total=total,
                current=summary(path.stem, message),
                view=view if view in VIEWS else "desktop" if has_html else "text",
                has_html=has_html,
                text=body_of(message, "plain"),
                headers=[(name, header_value(value)) for name, value in message.raw_items()],
                size=path.stat().st_size,
            )
        )

    def _html(self, path: Path) -> None:
        html = shown_html(self._parsed(path), path.stem)
        self._answer(html or "", policy=MESSAGE_POLICY)

    def _picture(self, path: Path, index: str) -> None:
        parts = list(self._parsed(path).walk())
        part = parts[int(index)] if index.isdecimal() and int(index) < len(parts) else None
        payload = part.get_payload(decode=True) if part is not None else None
        if part is None or part.get_content_type() not in _PICTURES or not isinstance(payload, bytes):
            self._refuse(HTTPStatus.NOT_FOUND, "There is no such picture.")
            return
        self._answer(payload, kind=part.get_content_type())

    def _refuse(self, status: HTTPStatus, sentence: str) -> None:
        self._answer(sentence, status=status, kind="text/plain")

    def _answer(
        self,
        content: str | bytes,
        *,
        status: HTTPStatus = HTTPStatus.OK,
        kind: str = "text/html",
        policy: str = PAGE_POLICY,
    ) -> None:
        body = content.encode("utf-8", "replace") if isinstance(content, str) else content
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind.startswith("text/") else kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """The demonstration tells its own story, and addresses belong in no log."""


def header_value(raw: str) -> str:
    """A header's value as it stands in the message, unfolded."""
    return re.sub(r"\r?\n(?=[ \t])", "", str(raw))
