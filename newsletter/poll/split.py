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
_ROOT_END = re.compile(rb"</(?:[\w.-]{1,40}:)?(?:feed|rss|rdf|channel)\s*>", re.I)
_TAIL = 10_000
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
    for tag in _tags(document):
        if tag is None:
            return None
        start, end, name, closes = tag
        if not closes:
            if opened is not None or document[end - 2 : end - 1] == b"/":
                return None
            opened = (start, name)
        else:
            if opened is None or opened[1] != name:
                return None
            first, opened = opened[0], None
            pieces.append(Piece(start=first, end=end, sha=sha256(document[first:end]).hexdigest()))
    return pieces if opened is None and pieces else None


def _tags(document: bytes) -> Iterator[tuple[int, int, bytes, bool] | None]:
    """Start, end, name and kind (True: closing) of each tag of an entry; None, at last, where the document
    ends inside something."""
    at = 0
    while found := _MARK.search(document, at):
        name = found[2]
        closing = b">" if name is not None else _SKIP[found[0][:3]]
        end = document.find(closing, found.end())
        if end < 0:
            yield None
            return
        at = end + len(closing)
        if name is not None:
            yield found.start(), at, name, bool(found[1])


def is_cut_short(document: bytes) -> bool:
    """Whether an XML document ends before its root element does, as when a server breaks off."""
    if document.lstrip()[:1] in (b"{", b"["):
        return False
    tail = document[-_TAIL:].replace(b"\x00", b"")  # every other byte of UTF-16
    return _ROOT_END.search(tail) is None


def whole_part(document: bytes) -> bytes:
    """A document that was cut short, without the entry in which that happened."""
    opened: int | None = None
    for tag in _tags(document):
        if tag is None:
            break
        start, _end, _name, closes = tag
        opened = None if closes else start
    return document if opened is None else document[:opened]


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
