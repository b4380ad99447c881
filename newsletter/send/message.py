"""The whole message of one envelope: its headers, and the spliced body.

Headers that all recipients share are encoded once per letter. Every value goes through
:mod:`newsletter.guard.headers`, which lets none become a second header.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from threading import Lock
from typing import Final

from newsletter.guard.headers import address_header, date_header, header
from newsletter.model.delivery import Envelope, Letter
from newsletter.send.dkim import Signer
from newsletter.send.splice import Spliced

_KEPT: Final = 64  # variants of the issues being sent just now


class Press:
    """Makes message bytes, signed where there is a ``signer``; remembers the letters it spliced lately.

    Thread-safe.
    """

    def __init__(self, signer: Signer | None = None) -> None:
        self._signer = signer
        self._letters: OrderedDict[str, _Frame] = OrderedDict()
        self._last: _Frame | None = None
        self._lock = Lock()
        self._date: tuple[int, bytes] = (-1, b"")
        self._lines: dict[str, tuple[str, bytes]] = {}  # of each header, as it was written last

    def pieces(self, envelope: Envelope, *, date: datetime) -> list[bytes]:
        """The message in pieces, CRLF line ends, no dot at the beginning of a line.

        Raises Invalid for an address or a value that cannot stand in a header, KeyError for a slot that
        the envelope has no value for.
        """
        frame = self._last  # almost always the same letter as before
        if frame is None or frame.letter is not envelope.letter:
            frame = self._last = self._frame(envelope.letter)
        head = [
            self._dated(date),
            address_header("To", "", envelope.to),
            header("Message-ID", envelope.message_id),
            *[self._line(name, value) for name, value in envelope.headers],
        ]
        body = frame.body.body(envelope.values)
        if self._signer is None:
            return [frame.head, *head, frame.tail, *body]
        headers = b"".join([frame.head, *head, frame.tail])
        canonical = frame.body.canonical(body)
        return [self._signer.header(headers.removesuffix(b"\r\n"), canonical, date), headers, *body]

    def _line(self, name: str, value: str) -> bytes:
        """Some of the recipients' own headers are the same for each."""
        known = self._lines.get(name)
        if known is not None and known[0] == value:
            return known[1]
        line = header(name, value)
        self._lines[name] = (value, line)
        return line

    def _frame(self, letter: Letter) -> _Frame:
        with self._lock:
            frame = self._letters.get(letter.id)
            if frame is None or (frame.letter is not letter and frame.letter != letter):
                frame = self._letters[letter.id] = _Frame(letter)
                if len(self._letters) > _KEPT:
                    self._letters.popitem(last=False)
            return frame

    def _dated(self, date: datetime) -> bytes:
        second = int(date.timestamp())
        known, line = self._date
        if known != second:
            line = date_header(date)
            self._date = (second, line)
        return line


class _Frame:
    """What every message of one letter shares."""

    def __init__(self, letter: Letter) -> None:
        self.letter = letter
        self.body = Spliced(letter)
        self.head = b"".join(
            [
                address_header("From", letter.sender.name, letter.sender.address),
                address_header("Reply-To", "", letter.reply_to) if letter.reply_to else b"",
                header("Subject", letter.subject),
                header("Content-Language", letter.language) if letter.language else b"",
                *(header(name, value) for name, value in letter.headers),
            ]
        )
        self.tail = f"MIME-Version: 1.0\r\nContent-Type: {self.body.content_type}\r\n\r\n".encode()


def mime(envelope: Envelope, *, date: datetime) -> bytes:
    """One whole message, for the outbox, a preview or a test. Never touches the network."""
    return b"".join(Press().pieces(envelope, date=date))
