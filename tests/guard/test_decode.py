from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from newsletter.guard.decode import BrokenBody, codings_of, decode


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstd.compress),
}
every_packer = pytest.mark.parametrize("name", PACKERS)


def in_chunks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def unpacked(data: bytes, *codings: str, size: int = 65536) -> bytes:
    return b"".join(decode(in_chunks(data, size), codings))


@every_packer
@settings(deadline=None)
@given(data=st.binary(max_size=5000), size=st.integers(1, 3000))
def test_what_was_packed_comes_out_again_in_whatever_chunks_it_arrives(
    name: str, data: bytes, size: int
) -> None:
    coding, pack = PACKERS[name]
    assert unpacked(pack(data), coding, size=size) == data


@every_packer
def test_a_long_body_comes_out_in_small_pieces(name: str) -> None:
    coding, pack = PACKERS[name]
    data = bytes(range(256)) * 20_000 + bytes(5_000_000)
    pieces = list(decode(in_chunks(pack(data), 65536), [coding]))
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 256 * 1024


@every_packer
@settings(deadline=None)
@given(share=st.floats(0.05, 0.95))
def test_a_body_that_ends_early_is_broken(name: str, share: float) -> None:
    coding, pack = PACKERS[name]
    packed = pack(b"one line of a feed\n" * 50 + bytes(range(256)))
    with pytest.raises(BrokenBody, match="ends too early"):
        unpacked(packed[: max(1, int(len(packed) * share))], coding)


@every_packer
def test_an_empty_body_is_empty_whatever_its_label(name: str) -> None:
    coding, _ = PACKERS[name]
    assert unpacked(b"", coding) == b""


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_is_not_packed_as_it_says_is_broken(coding: str) -> None:
    with pytest.raises(BrokenBody):
        unpacked(b"<rss>plain</rss>" * 10, coding)


def test_gzip_members_are_joined_and_padding_after_them_is_ignored() -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two") + bytes(700)
    for size in (1, 7, 65536):
        assert unpacked(packed, "gzip", size=size) == b"one two"


def test_zstd_frames_are_joined() -> None:
    packed = zstd.compress(b"one ") + zstd.compress(b"two")
    for size in (1, 7, 65536):
        assert unpacked(packed, "zstd", size=size) == b"one two"


def test_zstd_that_asks_for_a_window_over_eight_mebibytes_is_broken() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 24}
    packer = zstd.ZstdCompressor(options=options)
    packed = packer.compress(b"x" * 1000, mode=packer.FLUSH_BLOCK) + packer.flush()
    with pytest.raises(BrokenBody):
        unpacked(packed, "zstd")


def test_two_codings_are_undone_in_reverse_and_three_are_refused() -> None:
    packed = brotli.compress(gzip.compress(b"twice"))
    assert unpacked(packed, "gzip", "br") == b"twice"
    with pytest.raises(BrokenBody):
        unpacked(packed, "gzip", "br", "br")


def test_a_coding_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(BrokenBody, match="not asked for"):
        unpacked(b"data", "compress")


def test_codings_are_read_in_order_and_identity_is_none() -> None:
    assert codings_of(" GZIP, br ,identity,") == ("gzip", "br")
    assert codings_of("") == ()


@every_packer
def test_endless_input_without_output_leaves_the_reader_in_control(name: str) -> None:
    coding, pack = PACKERS[name]
    taken = 0

    def members() -> Iterator[bytes]:
        nonlocal taken
        empty = pack(b"")
        while True:
            taken += 1
            yield empty

    pieces = decode(members(), [coding])
    if coding == "br":  # a brotli stream has one end; more is broken
        with pytest.raises(BrokenBody):
            for _ in range(100):
                next(pieces)
        return
    for _ in range(100):
        next(pieces)
    assert taken <= 101
