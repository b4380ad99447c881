"""Read an answer: its headers, and its body within a cap, whole or not at all."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping

import httpcore

from newsletter.guard.decode import codings_of, decode

# A redirect's body is worth reading only where that is cheaper than a new connection.
_SMALL = 16 * 1024
# A packed body may be a little longer than what it holds.
_PACKING = 4096


class OverCap(Exception):
    """The body is longer than the reader accepts."""


def read_headers(response: httpcore.Response) -> dict[str, str]:
    """Header names in lower case, repeated ones joined by ``", "`` (RFC 9110 section 5.3)."""
    if response.status < 200:
        raise httpcore.RemoteProtocolError("an interim answer as the last one")
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers:
        name = raw_name.decode("latin-1").lower()
        # Redirect targets are often raw UTF-8; every other header must survive being sent back verbatim.
        value = _text(raw_value) if name == "location" else raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def read_body(
    response: httpcore.Response, headers: Mapping[str, str], *, max_bytes: int, until: float
) -> bytes:
    """The decoded body.

    Raises :class:`OverCap` once more than ``max_bytes`` came out of the decoder or over the wire,
    ``TimeoutError`` at the monotonic instant ``until``, ``guard.decode.BrokenBody`` and httpcore's errors for
    a body that is corrupt or cut short. Holds little more than the body itself in memory.
    """

    def wire() -> Iterator[bytes]:
        received = 0
        for chunk in response.iter_stream():
            received += len(chunk)
            # Packed input can be endless and yet yield nothing.
            if received > max_bytes + _PACKING:
                raise OverCap
            yield chunk

    body = io.BytesIO()
    for piece in decode(wire(), codings_of(headers.get("content-encoding", ""))):
        if body.tell() + len(piece) > max_bytes:
            raise OverCap
        if time.monotonic() > until:
            raise TimeoutError
        body.write(piece)
    return body.getvalue()


def drain_if_small(response: httpcore.Response, headers: Mapping[str, str]) -> None:
    """Read away a short body that nobody needs, so that its connection can serve again."""
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and len(length) <= 5 and int(length) <= _SMALL:
        for _ in response.iter_stream():
            pass


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
