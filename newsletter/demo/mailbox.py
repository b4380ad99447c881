"""The sample mailbox: a real SMTP server on loopback that files each message, and pages to read them."""

from __future__ import annotations

import email
import email.policy
import os
import re
from dataclasses import dataclass
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from types import TracebackType

from aiosmtpd.smtp import SMTP, Envelope, Session

from newsletter.demo.loopback import HOST, HttpThread, SmtpThread
from newsletter.demo.mailbox_pages import MailboxHandler

_NAME = re.compile(r"(\d{4,})-.*\.eml")


@dataclass(frozen=True, kw_only=True)
class StoredMessage:
    """One message that was delivered to one address; ``path`` is its file."""

    number: int
    path: Path

    @property
    def message(self) -> EmailMessage:
        """The message, parsed anew from its file."""
        return email.message_from_bytes(self.path.read_bytes(), policy=email.policy.default)

    @property
    def recipient(self) -> str:
        """The address it was delivered to, from the envelope."""
        return str(self.message["Delivered-To"])


def stored_messages(folder: Path) -> list[StoredMessage]:
    """Every message in ``folder``, oldest first; files that are not ours are passed over."""
    found = [(match, path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return sorted(
        (StoredMessage(number=int(match[1]), path=path) for match, path in found), key=lambda one: one.number
    )


class Maildrop:
    """Files what an SMTP server accepts, one ``.eml`` per recipient, safely on disk before it says 250.

    Each file begins with the two lines that final delivery adds (``Return-Path``, RFC 5321 4.4, and the
    customary ``Delivered-To``); the message's bytes follow as they came.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._last = max((one.number for one in stored_messages(folder)), default=0)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        try:
            for recipient in envelope.rcpt_tos:
                self._file(envelope.mail_from or "", recipient, envelope.content)
        except OSError as error:
            return f"452 4.3.1 The mailbox cannot write ({error.strerror})"
        return f"250 2.0.0 Filed as {self._last:04}"

    def _file(self, sender: str, recipient: str, content: bytes) -> None:
        self._last += 1
        readable = re.sub(r"[^A-Za-z0-9@._+-]", "_", recipient)[:80]
        trace = f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n".encode("utf-8", "surrogateescape")
        part = self._folder / f".{self._last:04}.part"
        with part.open("wb") as file:
            file.write(trace + content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(self._folder / f"{self._last:04}-{readable}.eml")
        directory = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


class SampleMailbox:
    """The sample mailbox while the ``with`` block lasts; on free ports when the wanted ones are taken.

    Whatever is mailed to it, to any address, lands in ``folder`` and goes nowhere else.
    """

    def __init__(self, folder: Path, *, smtp_port: int = 0, web_port: int = 0) -> None:
        self.folder = folder
        self._wanted = (smtp_port, web_port)
        self._running: tuple[SmtpThread, HttpThread] | None = None

    @property
    def smtp_url(self) -> str:
        """The setting that sends to this mailbox: ``smtp+plain://127.0.0.1:PORT``."""
        return f"smtp+plain://{HOST}:{self._servers()[0].port}"

    @property
    def url(self) -> str:
        """The page that lists the messages."""
        return self._servers()[1].url

    def messages(self) -> list[StoredMessage]:
        """Every message so far, oldest first."""
        return stored_messages(self.folder)

    def _servers(self) -> tuple[SmtpThread, HttpThread]:
        if self._running is None:
            raise RuntimeError("the sample mailbox is not open")
        return self._running

    def __enter__(self) -> SampleMailbox:
        smtp_port, web_port = self._wanted
        smtp = SmtpThread(Maildrop(self.folder), port=smtp_port)
        web = HttpThread(partial(MailboxHandler, self._paths), port=web_port)
        self._running = (smtp, web)
        return self

    def _paths(self) -> list[Path]:
        return [one.path for one in self.messages()]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            for server in self._running:
                server.close()
            self._running = None
