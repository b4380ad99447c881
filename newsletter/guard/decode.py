"""Content codings, undone a small piece at a time.

A body of half a megabyte can unpack to half a gigabyte. Every decoder here hands out pieces of about 64 KiB
and unpacks the next one only when asked, so whoever counts the pieces can stop at any moment, having spent
little memory. Sources: RFC 9110 section 8.4, RFC 1950 to 1952, RFC 7932, RFC 8878, RFC 9659.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ACCEPT_ENCODING = "gzip, deflate, br, zstd"

_PIECE = 64 * 1024
_MOST_CODINGS = 2
_GZIP_WBITS = 16 + zlib.MAX_WBITS
# RFC 9659: a content coding may ask for a window of 8 MiB at most.
_ZSTD_OPTIONS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}


class BrokenBody(Exception):
    """A body that cannot be decoded, or ends before its own end. The text completes "the answer …"."""


def codings_of(header: str) -> tuple[str, ...]:
    """The codings that a ``Content-Encoding`` value names, in the order in which they were applied."""
    names = (name.strip().lower() for name in header.split(","))
    return tuple(name for name in names if name and name != "identity")


def decode(chunks: Iterable[bytes], codings: Sequence[str]) -> Iterator[bytes]:
    """Undo ``codings`` over a stream of chunks.

    Yields pieces of about 64 KiB or less, and an empty piece where input gave no output, so that the reader
    stays in control. Raises :class:`BrokenBody` for a coding that was not asked for, for corrupt data and for
    data that ends early. An empty body is an empty body under any coding: many servers label those too.
    """
    if len(codings) > _MOST_CODINGS:
        raise BrokenBody("is packed more than twice over")
    stream = iter(chunks)
    for coding in reversed(codings):
        decoder = _DECODERS.get(coding)
        if decoder is None:
            raise BrokenBody("uses a content coding that was not asked for")
        stream = decoder(stream)
    return stream


def _gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(_GZIP_WBITS)
    started = ended = False
    for chunk in chunks:
        started = True
        data = b"" if ended else chunk
        yield b""
        while data:
            if inflater.eof:
                if data[0] != 0x1F:  # padding after the last member, which gzip itself ignores as well
                    ended = True
                    break
                inflater = zlib.decompressobj(_GZIP_WBITS)
            yield _inflate(inflater, data)
            data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    if started:
        yield _finish(inflater)


def _inflate_stream(chunks: Iterable[bytes]) -> Iterator[bytes]:
    # "deflate" means a zlib wrapper, yet some servers send the bare stream. The wrapper's first byte ends in
    # 8 (RFC 1950); no encoder starts a bare stream so.
    inflater = None
    for chunk in chunks:
        yield b""
        data = chunk
        if inflater is None and data:
            wrapped = data[0] & 0x0F == 8
            inflater = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
        while data and inflater is not None and not inflater.eof:
            yield _inflate(inflater, data)
            data = inflater.unconsumed_tail
    if inflater is not None:
        yield _finish(inflater)


def _inflate(inflater: zlib._Decompress, data: bytes) -> bytes:
    try:
        return inflater.decompress(data, _PIECE)
    except zlib.error as error:
        raise BrokenBody("is not packed as it says") from error


def _finish(inflater: zlib._Decompress) -> bytes:
    # Up to a few kilobytes may wait inside although all input is consumed.
    try:
        rest = inflater.flush()
    except zlib.error as error:
        raise BrokenBody("is not packed as it says") from error
    if not inflater.eof:
        raise BrokenBody("ends too early")
    return rest


def _unbrotli(chunks: Iterable[bytes]) -> Iterator[bytes]:
    decompressor = brotli.Decompressor()
    started = False
    for chunk in chunks:
        if not chunk:
            yield b""
            continue
        started = True
        data = chunk
        while True:
            try:
                piece: bytes = decompressor.process(data, output_buffer_limit=_PIECE)
            except brotli.error as error:
                raise BrokenBody("is not packed as it says") from error
            yield piece
            data = b""
            # A full piece may have more behind it even when all input is consumed.
            if len(piece) < _PIECE and decompressor.can_accept_more_data():
                break
    if started and not decompressor.is_finished():
        raise BrokenBody("ends too early")


def _unzstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    decompressor = zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)
    started = False
    for chunk in chunks:
        yield b""
        data = chunk
        while data or not (decompressor.needs_input or decompressor.eof):
            started = True
            if decompressor.eof:
                decompressor = zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)
            try:
                yield decompressor.decompress(data, _PIECE)
            except zstd.ZstdError as error:
                raise BrokenBody("is not packed as it says") from error
            data = decompressor.unused_data if decompressor.eof else b""
    if started and not decompressor.eof:
        raise BrokenBody("ends too early")


_DECODERS: dict[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate_stream,
    "br": _unbrotli,
    "zstd": _unzstd,
}
