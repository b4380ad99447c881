"""Links that somebody can trust: a purpose, some ids, perhaps an expiry, and a seal.

A token is base64url of ``purpose | count | ids… | expiry | seal``: numbers as LEB128, the expiry in epoch
seconds (0: never), the seal the first 16 bytes of HMAC-SHA256 over all that precedes it. An unsubscribe
link's token has about 36 characters, so that its header line stays far below the 75 after which Python's
email package would encode it (and Gmail refuse it).
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum
from typing import Final

from subscribers.errors import BadToken, Expired
from subscribers.sealing import seal
from subscribers.times import to_ms

_SEAL_BYTES: Final = 16  # 128 bits: RFC 2104 section 5 allows truncation to half
_DOMAIN: Final = b"newsletter link token\0"
_MOST_CHARACTERS: Final = 200


class Purpose(IntEnum):
    """What a link is for. A token of one purpose is never good for another. Numbers are never reused."""

    UNSUBSCRIBE = 1  #: (subscriber, issue); never expires
    PREFERENCES = 2  #: (subscriber,)
    CONFIRM = 3  #: (request,): a sign-up, or that a new address is theirs
    PERSONAL = 4  #: (subscriber,): name, export, erasure, address; 30 minutes
    AUTHOR_ISSUE = 5  #: (issue, ...): the author's link to a draft
    UNDO = 6  #: (subscriber, epoch milliseconds): takes back an unsubscription just made
    AUTHOR_FEED = 7  #: (feed,): the author's link to what is held of a feed, or wrong with it
    READER = 8  #: (subscriber, issue): whose open or click it is, of those who agreed


class Tokens:
    """Signs and verifies. The first key signs, all verify. Thread-safe; touches nothing."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Raises ValueError where no key is given or one is shorter than 16 bytes."""
        if not keys or any(len(key) < 16 for key in keys):
            raise ValueError("link tokens need at least one key of 16 bytes")
        self._keys = tuple(keys)

    def sign(self, purpose: Purpose, *ids: int, expires_at: datetime | None = None) -> str:
        """A token of URL-safe characters. Ids must not be negative."""
        expiry = 0 if expires_at is None else max(1, to_ms(expires_at) // 1000)
        body = _spelled((purpose, len(ids), *ids, expiry))
        return urlsafe_b64encode(body + _seal(self._keys[0], body)).rstrip(b"=").decode()

    def verify(self, purpose: Purpose, token: str, now: datetime) -> tuple[int, ...]:
        """The ids that were signed. Raises BadToken, or Expired for a genuine one past its time."""
        body = self._opened(token)
        try:
            numbers = _numbers(body)
        except ValueError as error:
            raise BadToken from error
        if len(numbers) < 3 or numbers[0] != purpose or numbers[1] != len(numbers) - 3:
            raise BadToken
        if numbers[-1] and to_ms(now) // 1000 >= numbers[-1]:
            raise Expired
        return tuple(numbers[2:-1])

    def _opened(self, token: str) -> bytes:
        if not 0 < len(token) <= _MOST_CHARACTERS or not token.isascii():
            raise BadToken
        try:
            raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (Base64Error, ValueError) as error:
            raise BadToken from error
        # One token has one spelling: the decoder ignores stray characters and trailing bits.
        if urlsafe_b64encode(raw).rstrip(b"=").decode() != token:
            raise BadToken
        body, found = raw[:-_SEAL_BYTES], raw[-_SEAL_BYTES:]
        if not any([hmac.compare_digest(_seal(key, body), found) for key in self._keys]):
            raise BadToken
        return body


def _seal(key: bytes, body: bytes) -> bytes:
    return seal(key, _DOMAIN, body)[:_SEAL_BYTES]


def _spelled(numbers: Sequence[int]) -> bytes:
    out = bytearray()
    for n in numbers:
        if n < 0:
            raise ValueError("ids in tokens are not negative")
        while n > 0x7F:
            out.append(n & 0x7F | 0x80)
            n >>= 7
        out.append(n)
    return bytes(out)


def _numbers(body: bytes) -> list[int]:
    numbers: list[int] = []
    value = shift = 0
    for byte in body:
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            numbers.append(value)
            value = shift = 0
    if shift:
        raise ValueError("cut short")
    return numbers
