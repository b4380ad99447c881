"""How wide a text is, and where its lines break, in any script."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

WIDTH: Final = 78


def columns(text: str) -> int:
    """How many columns a text takes in a terminal: two for East Asian wide characters, none for marks
    that combine with the character before (Unicode Standard Annex 11)."""
    if text.isascii() or _UNEVEN.search(text) is None:
        return len(text)
    return sum(
        0 if unicodedata.combining(c) or unicodedata.category(c) in ("Mn", "Me", "Cf")
        else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )  # fmt: skip


_UNEVEN = re.compile(
    r"[^\x00-\xac\xae-\u02ff\u0370-\u0482\u048a-\u052f\u2010-\u2027\u2030-\u205e\u20a0-\u20bf]"
)
"""Anything outside Latin, Greek, Cyrillic and common punctuation, whose characters take one column each."""

_WIDE = re.compile(
    r"[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff01-\uff60\U00020000-\U0003ffff]"
)
_NEVER_FIRST = (
    "\u3001\u3002\uff0c\uff0e\u30fb\uff1a\uff1b\uff1f\uff01\uff09\uff3d\uff5d\u300d\u300f\u3011\u3009\u300b"
    "\u30fc\u3005\u309d\u30fd,.:;?!)]}"
)


def wrap(text: str, width: int = WIDTH) -> list[str]:
    """Lines of at most ``width`` columns. A word without a place to break stays whole, so that
    addresses can be opened; scripts without spaces break between characters."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        even = paragraph.isascii() or _UNEVEN.search(paragraph) is None
        if (len(paragraph) if even else columns(paragraph)) <= width and "  " not in paragraph:
            lines.append(paragraph.strip(" "))
            continue
        if even:  # the common case: one column each, breaks at spaces only
            lines += _filled(paragraph, width)
            continue
        line, used = "", 0
        for word in re.findall(r"[^ ]+", paragraph):
            for gap, piece in _pieces(word):
                size = columns(piece)
                space = " " if gap and line else ""
                if line and used + len(space) + size > width:
                    lines.append(line)
                    line, used, space = "", 0, ""
                line += space + piece
                used += len(space) + size
        lines.append(line)
    return lines


def _filled(text: str, width: int) -> list[str]:
    text = single_spaced(text).strip(" ")
    lines: list[str] = []
    start = 0
    while len(text) - start > width:
        cut = text.rfind(" ", start, start + width + 1)
        if cut < 0:
            cut = text.find(" ", start)
            if cut < 0:
                break
        lines.append(text[start:cut])
        start = cut + 1
    return [*lines, text[start:]]


def single_spaced(text: str, white: str = "") -> str:
    """Each run of spaces, and of what else is ``white``, as one space."""
    for character in white:
        if character in text:
            text = text.replace(character, " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def _pieces(word: str) -> list[tuple[bool, str]]:
    """A word's unbreakable pieces; the flag says whether a space precedes the piece."""
    if not _WIDE.search(word):
        return [(True, word)]
    pieces: list[tuple[bool, str]] = []
    for part in re.findall(rf"{_WIDE.pattern}[{re.escape(_NEVER_FIRST)}]*|(?:(?!{_WIDE.pattern}).)+", word):
        pieces.append((not pieces, part))
    return pieces
