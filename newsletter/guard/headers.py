"""The one place that writes mail headers: no value ever becomes a second header.

Every function is pure. What cannot be written is refused with a sentence, never repaired in silence. Sources:
RFC 5322 (syntax, folding, 998 octets), RFC 2047 (encoded words), RFC 6532 (UTF-8 addresses), RFC 8058 and
RFC 2369 (List-* URLs, which must stay readable as they are), CVE-2024-6923 (an encoded word that hides a line
end becomes a real header in software that decodes and writes again).
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from functools import lru_cache

from newsletter.errors import Invalid

_WIDTH = 76
_WORD = 75
_LONGEST_LINE = 998
_LONGEST_VALUE = 2000
_LONGEST_ADDRESS = 254
_LONGEST_LOCAL_PART = 64

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
# Line ends of every kind that some software splits at, and characters that have no place in a header.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ENDING_BYTE = re.compile(rb"[\x00\n\r]")
_SPACES = re.compile(" {2,}")
_WORD_ALONE = re.compile(r"[!-~]{1,900}")  # nothing to fold, to encode or to refuse
_SPACE_IN_BRACKETS = re.compile(r"<[^<>]* [^<>]*>")
# Headers whose whole value is text for people. All others hold syntax, in which nothing may be encoded.
_TEXT = frozenset({"subject", "comments", "content-description"})

_ATEXT = r"!#$%&'*+/=?^_`{|}~A-Za-z0-9\-"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ATOMS = re.compile(rf"[{_ATEXT}]+(?: [{_ATEXT}]+)*")
_PLAIN_ADDRESS = re.compile(rf"[{_ATEXT}.]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")
_LOCAL_CHARACTER = re.compile(rf"[{_ATEXT}.]")
_ID = re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")

_FRAME = len("=?utf-8?q??=")
# What the "Q" encoding need not escape even inside a display name (RFC 2047 section 5, rule 3).
_AS_IS = b" ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def header(name: str, value: str) -> bytes:
    """One header with its final CRLF, folded at spaces into lines of at most 76 octets where possible.

    Subject and other text may hold any language and is encoded where needed. In every other header ``value``
    must be ASCII; it is never encoded, and nothing is folded inside ``<…>``. Runs of spaces become one.
    Raises :class:`Invalid` for control characters, written out or hidden in an encoded word, for text where
    only ASCII can stand, and for a value that is too long.
    """
    _vet_name(name)
    if _WORD_ALONE.fullmatch(value) and "=?" not in value:
        return f"{name}: {value}\r\n".encode("ascii")
    text = _vet(name, value)
    if name.lower() in _TEXT:
        if text.isascii() and "=?" not in text and _fits(text):
            return _folded(name, text)
        return f"{name}: {_encoded(text, len(name) + 2)}\r\n".encode("ascii")
    if not text.isascii() or "=?" in text:
        raise Invalid(f"The header {name} can hold ASCII characters only.")
    if _SPACE_IN_BRACKETS.search(text):
        raise Invalid(f"The header {name} holds a space inside an address or link.")
    if not _fits(text):
        raise Invalid(f"The header {name} holds a word that is longer than a line may be.")
    return _folded(name, text)


def vet_header(name: str, value: str) -> None:
    """Raises :class:`Invalid` where :func:`header` does; for what a provider writes into a header itself."""
    if not _WORD_ALONE.fullmatch(value) or "=?" in value:
        header(name, value)
    else:
        _vet_name(name)


def subject(text: str) -> bytes:
    """The Subject header; see :func:`header`."""
    return header("Subject", text)


def address_header(name: str, display_name: str, address: str) -> bytes:
    """From, To, Reply-To or Sender with one mailbox; ``display_name`` may be empty.

    An address that is not ASCII is written as UTF-8 (RFC 6532): :func:`needs_smtputf8` tells. Raises
    :class:`Invalid` as :func:`header` and :func:`vet_address` do.
    """
    _vet_name(name)
    vet_address(address)
    if not display_name:
        return f"{name}: {address}\r\n".encode()
    line = f"{name}: {display_name} <{address}>\r\n"
    if len(line) <= _WIDTH and _ATOMS.fullmatch(display_name) and "=?" not in display_name:
        return line.encode()
    text = _vet(name, display_name)
    if text.isascii() and "=?" not in text and len(text) <= _WORD - len(name):
        escaped = text.replace("\\", r"\\").replace('"', r"\"")
        phrase = text if _ATOMS.fullmatch(text) else f'"{escaped}"'
    else:
        phrase = _encoded(text, len(name) + 2)
    first_line = f"{name}: {phrase}"
    used = len(first_line) - first_line.rfind("\n") - 1
    gap = " " if used + len(address) + 3 <= _WIDTH else "\r\n "
    return f"{first_line}{gap}<{address}>\r\n".encode()


def message_id(key: str, *, domain: str) -> str:
    """The identifier ``<key@domain>``, to be stored and to be written by ``header("Message-ID", …)``.

    The same ``key`` gives the same identifier, as a second attempt at the same delivery needs. Raises
    :class:`Invalid` unless both are plain ASCII words joined by dots, hyphens or underscores.
    """
    if not _ID.fullmatch(key) or not _ID.fullmatch(domain) or len(key) + len(domain) > 200:
        raise Invalid("A Message-ID is made of plain ASCII words and a domain name.")
    return f"<{key}@{domain}>"


def date_header(now: datetime) -> bytes:
    """The Date header in UTC. ``now`` must know its time zone."""
    if now.tzinfo is None:
        raise ValueError("a date without a time zone")
    utc = now.astimezone(UTC)
    day, month = _DAYS[utc.weekday()], _MONTHS[utc.month - 1]
    return f"Date: {day}, {utc.day:02} {month} {utc.year:04} {utc:%H:%M:%S} +0000\r\n".encode("ascii")


def vet_address(address: str) -> str:
    """``address`` itself, if it can stand in a header and in an SMTP command without doing anything else.

    Refuses with :class:`Invalid` whatever could end or extend either: control characters, white space,
    brackets, quotes, commas, colons, encoded words, more than one ``@``, over 254 octets. Quoted local parts
    and address literals are refused too; dots may stand anywhere in the local part, since real mailboxes have
    them. Never tells whether anybody reads mail there.
    """
    if len(address) <= _LONGEST_ADDRESS and _PLAIN_ADDRESS.fullmatch(address) and "=?" not in address:
        return address
    local, _, domain = address.rpartition("@")
    if (
        local
        and "=?" not in address
        and not _FORBIDDEN.search(address)
        and len(address.encode()) <= _LONGEST_ADDRESS
        and len(local.encode()) <= _LONGEST_LOCAL_PART
        and all(_LOCAL_CHARACTER.fullmatch(c) or _is_word_character(c) for c in local)
        and all(map(_is_label, domain.split(".")))
    ):
        return address
    raise Invalid("That is not an e-mail address that mail can be sent to.")


def needs_smtputf8(address: str) -> bool:
    """Whether every server on the way must support SMTPUTF8 (RFC 6531) to carry this address."""
    return not address.isascii()


@lru_cache(maxsize=64)
def _vet_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise Invalid("A header name is made of ASCII letters, digits and hyphens.")


def _vet(name: str, value: str) -> str:
    if len(value) > _LONGEST_VALUE:
        raise Invalid(f"The header {name} is longer than {_LONGEST_VALUE} characters.")
    if _FORBIDDEN.search(value) or ("=?" in value and _FORBIDDEN.search(_decoded(value))):
        raise Invalid(f"The header {name} holds a line break or another control character.")
    return _SPACES.sub(" ", value).strip(" ")


def _decoded(value: str) -> str:
    """What the encoded words in ``value`` say, with a line feed where their bytes could be read as one."""
    try:
        parts = decode_header(value)
    except HeaderParseError:
        return ""  # no reader can decode it either
    text = ""
    for part, charset in parts:
        if isinstance(part, str):
            text += part
        elif _ENDING_BYTE.search(part):
            text += "\n"
        else:
            try:
                text += part.decode(charset or "ascii")
            except (LookupError, ValueError):
                text += part.decode("latin-1")
    return text


def _fits(text: str) -> bool:
    return max(map(len, text.split(" "))) <= _LONGEST_LINE - _WIDTH - 2


def _folded(name: str, text: str) -> bytes:
    lines = []
    line = f"{name}:"
    first = True
    for word in text.split(" "):
        # The first word stays beside the name: a first line without any text confuses some readers.
        if not first and len(line) + 1 + len(word) > _WIDTH:
            lines.append(line)
            line = ""
        line += f" {word}"
        first = False
    lines.append(line)
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def _encoded(text: str, used: int) -> str:
    """``text`` as encoded words (RFC 2047), the first one short enough for a line with ``used`` octets."""
    raw = text.encode()
    quoted = _quoted_size(raw) <= _base64_size(raw)
    size = _quoted_size if quoted else _base64_size
    room = min(_WORD, _WIDTH - used) - _FRAME
    words: list[bytes] = []
    start = end = 0
    if size(raw) > room:
        for character in text:
            following = end + len(character.encode())
            if size(raw[start:following]) > room and end > start:
                words.append(raw[start:end])
                start, room = end, _WORD - _FRAME
            end = following
    words.append(raw[start:])
    payload = _quoted if quoted else _base64
    return "\r\n ".join(f"=?utf-8?{'q' if quoted else 'b'}?{payload(word)}?=" for word in words)


def _quoted_size(raw: bytes) -> int:
    return len(raw) + 2 * len(raw.translate(None, _AS_IS))


def _base64_size(raw: bytes) -> int:
    return (len(raw) + 2) // 3 * 4


def _quoted(raw: bytes) -> str:
    return "".join("_" if byte == 0x20 else chr(byte) if byte in _AS_IS else f"={byte:02X}" for byte in raw)


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode("ascii")


def _is_word_character(character: str) -> bool:
    # Letters, marks and numbers of every script; some punctuation is turned into ASCII by normalisation.
    return not character.isascii() and unicodedata.category(character)[0] in "LMN"


def _is_label(label: str) -> bool:
    return (
        0 < len(label) <= 63
        and label[0] != "-"
        and label[-1] != "-"
        and all(
            (c.isalnum() or c == "-") if c.isascii() else unicodedata.category(c)[0] in "LMN" for c in label
        )
    )
