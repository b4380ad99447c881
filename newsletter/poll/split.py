"""Cuts a feed document into its entries by their bytes, so that known ones need no parsing.

Reading a long Word-pasted entry costs feedparser milliseconds, hashing its bytes microseconds. An entry whose
bytes we have seen before says nothing new, so it is cut out and only the rest is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import sha256

_MARK = re.compile(rb"<!\[CDATA\[|<!--|<\?|<(/?)((?:atom:|rss:)?(?:entry|item))(?=[\s>/])")
_SKIP = {b"<![": b"]]>", b"<!-": b"-->", b"<?": b"?>"}
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\x00")  # UTF-16 and UTF-32: no ASCII bytes to look for


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One entry's bytes: ``document[start:end]``, and their SHA-256 in hex."""

    start: int
    end: int
    sha: str


def split(document: bytes) -> list[Piece] | None:
    """The entries of an RSS, RDF or Atom document in order; None where its bytes do not cut cleanly.

    Entries inside CDATA, comments and processing instructions are not entries. Runs in linear time on
    whatever it is given and never decodes anything.
    """
    if document[:4].startswith(_WIDE) or b"\x00" in document[:4]:
        return None
    pieces: list[Piece] = []
    opened: tuple[int, bytes] | None = None
    at = 0
    while found := _MARK.search(document, at):
        name = found[2]
        if name is None:
            closing = _SKIP[found[0][:3]]
            end = document.find(closing, found.end())
            if end < 0:
                return None
            at = end + len(closing)
            continue
        at = document.find(b">", found.end()) + 1
        if at == 0:
            return None
        if not found[1]:
            if opened is not None or document[at - 2 : at - 1] == b"/":
                return None
            opened = (found.start(), name)
        else:
            if opened is None or opened[1] != name:
                return None
            start, opened = opened[0], None
            pieces.append(Piece(start=start, end=at, sha=sha256(document[start:at]).hexdigest()))
    return pieces if opened is None and pieces else None


def without(document: bytes, pieces: list[Piece], known: Collection[str]) -> bytes:
    """The document without the entries whose hash is known."""
    return b"".join(_kept(document, pieces, known))


def _kept(document: bytes, pieces: list[Piece], known: Collection[str]) -> Iterator[bytes]:
    at = 0
    for piece in pieces:
        if piece.sha in known:
            yield document[at : piece.start]
            at = piece.end
    yield document[at:]
