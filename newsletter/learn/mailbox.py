"""Where bounces are fetched from: a Maildir or an IMAP mailbox, named by one URL.

    maildir:///var/mail/bounces?address=bounces@news.example
    imaps://user:password@host/INBOX?address=bounces@news.example

``address`` is the envelope sender that mail leaves with; each message gets one of its own (VERP). It may be a
mailbox that people read: what is none of ours is looked at once, marked, and left where it is.
"""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from newsletter.errors import ConfigError, RequestFailed

MOST: Final = 200  #: messages in one go
MOST_BYTES: Final = 1024 * 1024  #: of one message; a report's own parts stand at its beginning
LOOKED_AT: Final = "NewsletterLookedAt"  #: the IMAP keyword of what is none of ours
_TIMEOUT_S: Final = 30.0

Take = Callable[[bytes], bool]
"""Given a message; True where it is ours and done with, so that it is removed."""


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
    """Gives up to ``most`` messages that it has not seen to ``take``, oldest first; returns how many.

    What ``take`` raises ends it; that message stays as it was. Raises ConfigError for a URL that is none of
    ours, RequestFailed where the mailbox cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme == "maildir" and parts.path:
        return _from_maildir(Path(unquote(parts.path)), take, most)
    if parts.scheme == "imaps" and parts.hostname:
        return _from_imap(parts, take, most)
    raise ConfigError(
        "NEWSLETTER_BOUNCE_URL is not the address of a mailbox.",
        hint="Use maildir:///folder?address=… or imaps://user:password@host/INBOX?address=…",
    )


def _from_maildir(folder: Path, take: Take, most: int) -> int:
    if not folder.is_dir():
        raise RequestFailed("The bounce mailbox is not there.", url=folder.as_uri())
    waiting = [*(folder / "new").glob("*"), *(file for file in (folder / "cur").glob("*") if not _seen(file))]
    taken = 0
    for file in sorted(waiting, key=lambda file: file.name)[:most]:
        with suppress(FileNotFoundError):  # somebody else took it
            with file.open("rb") as message:
                raw = message.read(MOST_BYTES)
            if take(raw):
                file.unlink()
            else:
                file.rename(folder / "cur" / f"{file.name.partition(':')[0]}:2,S")
            taken += 1
    return taken


def _seen(file: Path) -> bool:
    return "S" in file.name.rpartition(":2,")[2] if ":2," in file.name else False


def _from_imap(parts: SplitResult, take: Take, most: int) -> int:
    try:
        imap = imaplib.IMAP4_SSL(
            parts.hostname or "",
            parts.port or 993,
            ssl_context=ssl.create_default_context(),
            timeout=_TIMEOUT_S,
        )
        try:
            imap.login(unquote(parts.username or ""), unquote(parts.password or ""))
            return _read(imap, unquote(parts.path.lstrip("/")) or "INBOX", take, most)
        finally:
            _leave(imap)
    except (imaplib.IMAP4.error, OSError) as error:
        raise RequestFailed(
            "The bounce mailbox cannot be read.",
            url=f"imaps://{parts.hostname}",
            hint="Check NEWSLETTER_BOUNCE_URL.",
        ) from error


def _leave(imap: imaplib.IMAP4) -> None:
    """Also where the connection broke, which the library leaves open."""
    try:
        imap.logout()
    except (imaplib.IMAP4.error, OSError):
        imap.shutdown()


def _read(imap: imaplib.IMAP4, folder: str, take: Take, most: int) -> int:
    quoted = folder.replace("\\", "\\\\").replace('"', '\\"')
    if imap.select(f'"{quoted}"')[0] != "OK":
        raise imaplib.IMAP4.error("there is no such folder")
    _, allowed = imap.response("PERMANENTFLAGS")
    keywords = rb"\*" in b" ".join(part for part in allowed if part)
    # Where a server keeps no keywords, what a person has read cannot be told from what we looked at.
    unseen, mark = (f"UNKEYWORD {LOOKED_AT}", LOOKED_AT) if keywords else ("UNSEEN", r"\Seen")
    # Only this can remove one message and leave what people marked as deleted (UIDPLUS, RFC 4315). Elsewhere
    # ours stay marked, until the mailbox is emptied. Servers tell of it once somebody is logged in.
    removes_one = b"UIDPLUS" in b" ".join(part for part in imap.capability()[1] if part).upper().split()
    _, found = imap.uid("SEARCH", "UNDELETED", unseen)
    uids = [uid.decode() for uid in (found[0] or b"").split()]
    taken = 0
    for uid in sorted(uids, key=int)[:most]:
        _, answer = imap.uid("FETCH", uid, f"(BODY.PEEK[]<0.{MOST_BYTES}>)")
        raw = next((part[1] for part in answer if isinstance(part, tuple)), None)
        if raw is None:
            continue  # somebody else took it
        if take(raw):
            imap.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")
            if removes_one:
                imap.uid("EXPUNGE", uid)
        else:
            imap.uid("STORE", uid, "+FLAGS.SILENT", f"({mark})")
        taken += 1
    return taken
