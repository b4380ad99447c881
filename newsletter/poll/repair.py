"""Makes bytes readable on which feedparser would give up, although it is clear what they say.

Sources: XML 1.0, section 4.3.3 and appendix F (byte order marks); RFC 8259, section 8.1 (JSON may carry one).
Runs inside the killable child, in linear time.
"""

from __future__ import annotations

import re

CHARSET = "application/xml; charset=utf-8"

_MARKS = (
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xef\xbb\xbf", "utf-8"),
)
_STARTS = tuple(
    (character.encode(encoding), encoding)
    for encoding in ("utf-32-be", "utf-32-le", "utf-16-be", "utf-16-le")
    for character in "<{["
)
_DECLARED = re.compile(r"\A(<\?xml[^<>]{0,200}?)\s+encoding\s*=\s*(?:\"[^\"]*\"|'[^']*')")
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?")
_LOST = "\N{REPLACEMENT CHARACTER}"


def as_utf8(body: bytes) -> bytes | None:
    """A document that a byte order mark or its first bytes say is in UTF-8, 16 or 32, in UTF-8 and without a
    mark; None where nothing does. A mark counts more than what the document or the server declare."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            text = body[len(mark) :].decode(encoding, "replace")
            if encoding != "utf-8" and not re.search(r"[<{\[]", text[:1_000]):
                return body[len(mark) :]  # a mark before something else
            return _undeclared(text.lstrip("\ufeff")).encode("utf-8", "replace")
    for start, encoding in _STARTS:
        if body.startswith(start):
            return _undeclared(body.decode(encoding, "replace")).encode("utf-8", "replace")
    return None


def repaired(body: bytes) -> bytes:
    """A document as UTF-8 without references to characters that do not exist, such as ``&#xD800;``."""
    return _undeclared(_REFERENCE.sub(_possible, body.decode("utf-8", "replace"))).encode("utf-8", "replace")


def _possible(found: re.Match[str]) -> str:
    digits, base = (found[1], 16) if found[1] else (found[2], 10)
    number = int(digits, base) if len(digits) <= 9 else 0
    exists = 0 < number < 0xD800 or 0xDFFF < number <= 0x10FFFF
    return found[0] if exists else _LOST


def _undeclared(text: str) -> str:
    return _DECLARED.sub(r"\1", text.lstrip(), count=1)
