"""Where bounces are fetched from: a Maildir or an IMAP mailbox, named by one URL.

    maildir:///var/mail/bounces?address=bounces@news.example
    imaps://user:password@host/INBOX?address=bounces@news.example

``address`` is the envelope sender that mail leaves with; each message gets one of its own (VERP).
"""

from __future__ import annotations

import imaplib
import mailbox
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from newsletter.errors import ConfigError, RequestFailed

MOST: Final = 200  #: messages in one go
_TIMEOUT_S: Final = 30.0

Take = Callable[[bytes], None]
"""Given a whole message; when it returns, the message is done with and may be deleted."""


def return_address(url: str) -> str:
    """The envelope sender that a BOUNCE_URL names. Raises ConfigError."""
    address = parse_qs(urlsplit(url).query).get("address", [""])[0]
    local, _, host = address.rpartition("@")
    if not local or not host or any(mark in address for mark in " \r\n<>"):
        raise ConfigError(
            "NEWSLETTER_BOUNCE_URL does not say to which address bounces come.",
            hint="End it with ?address=bounces@your.domain",
        )
    return address


def fetch(url: str, take: Take, *, most: int = MOST) -> int:
    """Gives up to ``most`` waiting messages to ``take``, oldest first, and removes each one it returned from.

    What ``take`` raises ends it; that message stays. Raises ConfigError for a URL that is none of ours,
    RequestFailed where the mailbox cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme == "maildir" and parts.path:
        return _from_maildir(Path(unquote(parts.path)), take, most)
    if parts.scheme == "imaps" and parts.hostname:
        return _from_imap(url, take, most)
    raise ConfigError(
        "NEWSLETTER_BOUNCE_URL is not the address of a mailbox.",
        hint="Use maildir:///folder?address=… or imaps://user:password@host/INBOX?address=…",
    )


def _from_maildir(folder: Path, take: Take, most: int) -> int:
    if not folder.is_dir():
        raise RequestFailed("The bounce mailbox is not there.", url=folder.as_uri())
    box = mailbox.Maildir(str(folder), create=False)
    taken = 0
    for name in sorted(box.keys())[:most]:
        with suppress(KeyError):  # somebody else took it
            raw = box.get_bytes(name)
            take(raw)
            box.remove(name)
            taken += 1
    return taken


def _from_imap(url: str, take: Take, most: int) -> int:
    parts = urlsplit(url)
    shown = f"imaps://{parts.hostname}"
    taken = 0
    try:
        with imaplib.IMAP4_SSL(
            parts.hostname or "",
            parts.port or 993,
            ssl_context=ssl.create_default_context(),
            timeout=_TIMEOUT_S,
        ) as imap:
            imap.login(unquote(parts.username or ""), unquote(parts.password or ""))
            imap.select(f'"{unquote(parts.path.lstrip("/")) or "INBOX"}"')
            _, found = imap.uid("SEARCH", "UNDELETED")
            for uid in (found[0] or b"").split()[:most]:
                _, answer = imap.uid("FETCH", uid.decode(), "(BODY.PEEK[])")
                if answer and isinstance(answer[0], tuple):
                    take(answer[0][1])
                    taken += 1
                imap.uid("STORE", uid.decode(), "+FLAGS", r"(\Deleted)")
            imap.expunge()
    except (imaplib.IMAP4.error, OSError) as error:
        raise RequestFailed(
            "The bounce mailbox cannot be read.", url=shown, hint="Check NEWSLETTER_BOUNCE_URL."
        ) from error
    return taken
