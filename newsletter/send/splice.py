"""A message per recipient from segments that were encoded once.

The source text is cut at its slots before anything is encoded, so no placeholder has to survive an
encoding. Each fixed segment is encoded alone as quoted-printable (RFC 2045 section 6.7) and each value
stands on lines of its own, fenced by soft line breaks::

    fixed segment=CRLF
    value=CRLF
    fixed segment

which decodes to exactly segment, value, segment, whatever they contain. Every piece begins and ends at a
line boundary: no line exceeds 76 characters, and dots at the beginning of a line are encoded, so that the
body needs no dot-stuffing (RFC 5321 section 4.5.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from typing import Final

from newsletter.model.artefact import Segment
from newsletter.model.delivery import Letter
from newsletter.send.dkim import canonical_body

_WIDTH: Final = 75  # and the "=" of a soft break: 76
_SAFE: Final = frozenset(range(33, 127)) - {0x3D}
_QUOTED: Final = tuple(
    chr(byte) if byte in _SAFE or byte in b" \t" else f"={byte:02X}" for byte in range(256)
)
_FENCE: Final = b"=\r\n"
_PLAIN: Final = bytes(sorted(_SAFE | {0x20}))
_SPECIAL: Final = re.compile("[&<>\"']")  # what html.escape changes
_NOT_FIRST: Final = b".F "  # a dot would be stuffed, "From " quoted, and a space is rarely meant


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str
    html: bool


class Spliced:
    """The body of a letter, ready for any number of recipients. Immutable; thread-safe."""

    def __init__(self, letter: Letter) -> None:
        self.boundary = f"=_{sha256(letter.id.encode()).hexdigest()[:32]}"
        mark = self.boundary.encode()
        self.content_type = f'multipart/alternative; boundary="{self.boundary}"'
        pieces = _joined(
            [
                b"--" + mark + b"\r\n" + _part_headers("plain"),
                *_encoded(letter.text, html=False),
                b"\r\n--" + mark + b"\r\n" + _part_headers("html"),
                *_encoded(letter.html, html=True),
                b"\r\n--" + mark + b"--\r\n",
            ]
        )
        self._fixed = [piece if isinstance(piece, bytes) else b"" for piece in pieces]
        self._canonical = [canonical_body(piece) for piece in self._fixed]
        places: dict[str, tuple[list[int], list[int]]] = {}
        for place, piece in enumerate(pieces):
            if isinstance(piece, _Slot):
                places.setdefault(piece.name, ([], []))[piece.html].append(place)
        self._slots = tuple((name, tuple(plain), tuple(html)) for name, (plain, html) in places.items())

    def body(self, values: Mapping[str, str]) -> list[bytes]:
        """The pieces of one recipient's body; ``values`` are unescaped. Raises KeyError for a slot without
        a value."""
        out = self._fixed.copy()
        for name, plain, html in self._slots:
            text = values[name]
            value = quoted_value(text)
            for place in plain:
                out[place] = value
            if html:
                if _SPECIAL.search(text):
                    value = quoted_value(escape(text))
                for place in html:
                    out[place] = value
        return out

    def canonical(self, body: Sequence[bytes]) -> list[bytes]:
        """The same body as DKIM sees it, the fixed pieces canonicalised beforehand."""
        out = self._canonical.copy()
        for _, plain, html in self._slots:
            for place in (*plain, *html):
                out[place] = canonical_body(body[place])
        return out


def quoted_value(text: str) -> bytes:
    """A value on lines of its own, the last of them fenced."""
    raw = text.encode()
    if 0 < len(raw) <= _WIDTH and raw[0] not in _NOT_FIRST and not raw.translate(None, _PLAIN):
        if raw[-1] != 0x20:
            return raw + _FENCE
    line = raw.replace(b"\r", b" ").replace(b"\n", b" ")
    return b"=\r\n".join(_lines(line)) + _FENCE


def quoted(text: str, *, fenced: bool) -> bytes:
    """Text as quoted-printable; ``fenced`` ends it at a line boundary without ending its line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").encode().split(b"\n")
    out = [_FENCE.join(_lines(line)) for line in lines]
    encoded = b"\r\n".join(out)
    if fenced and out[-1]:
        encoded += _FENCE
    return encoded


def _lines(line: bytes) -> list[bytes]:
    """One source line, cut into encoded lines of at most 75 characters. Never empty."""
    found: list[bytes] = []
    current: list[str] = []
    width = 0
    last = len(line) - 1
    for index, byte in enumerate(line):
        unit = _QUOTED[byte]
        if index == last and byte in b" \t":
            unit = f"={byte:02X}"  # white space at the end of a line is lost on the way
        if width + len(unit) > _WIDTH:
            found.append("".join(current).encode())
            current, width = [], 0
        if not current and (unit == "." or (unit == "F" and line.startswith(b"From ", index))):
            unit = f"={byte:02X}"
        current.append(unit)
        width += len(unit)
    found.append("".join(current).encode())
    return found


def _encoded(segments: Iterable[Segment], *, html: bool) -> list[bytes | _Slot]:
    pieces: list[bytes | _Slot] = []
    listed = list(segments)
    for index, segment in enumerate(listed):
        if segment.slot:
            pieces.append(_Slot(segment.text, html))
        else:
            followed = index + 1 < len(listed)
            pieces.append(quoted(segment.text, fenced=followed))
    return pieces


def _joined(pieces: Iterable[bytes | _Slot]) -> tuple[bytes | _Slot, ...]:
    out: list[bytes | _Slot] = []
    for piece in pieces:
        if isinstance(piece, bytes) and out and isinstance(out[-1], bytes):
            out[-1] += piece
        else:
            out.append(piece)
    return tuple(out)


def _part_headers(subtype: str) -> bytes:
    return (
        f'Content-Type: text/{subtype}; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    ).encode()
