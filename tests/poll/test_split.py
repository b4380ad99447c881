from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.poll.split import split, without
from tests.intake.blog import articles, atom


def _texts(document: bytes) -> list[bytes] | None:
    pieces = split(document)
    return None if pieces is None else [document[piece.start : piece.end] for piece in pieces]


def test_entries_are_cut_out_whole_and_in_order() -> None:
    assert _texts(b"<rss><channel><item>a</item>\n<item x='1'>b</item></channel></rss>") == [
        b"<item>a</item>",
        b"<item x='1'>b</item>",
    ]


def test_the_hash_is_that_of_the_entrys_bytes() -> None:
    pieces = split(b"<feed><entry>a</entry></feed>")
    assert pieces is not None and pieces[0].sha == sha256(b"<entry>a</entry>").hexdigest()


@pytest.mark.parametrize(
    "inside",
    [b"<![CDATA[</item><item>]]>", b"<!-- </item> -->", b"<?php </item> ?>", b"<items/>", b"<item-x/>"],
)
def test_what_only_looks_like_an_entry_does_not_cut(inside: bytes) -> None:
    item = b"<item>" + inside + b"</item>"
    assert _texts(b"<rss>" + item + b"</rss>") == [item]


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<rss></rss>",
        b"<rss><item>a",
        b"<rss><item><item></item></item></rss>",
        b"<rss></item></rss>",
        b"<rss><item/></rss>",
        b"<rss><item>a</item><!-- ",
        b"<rss><item>a</entry></rss>",
        "<rss><item>a</item></rss>".encode("utf-16"),
    ],
)
def test_a_document_that_does_not_cut_cleanly_is_left_whole(document: bytes) -> None:
    assert split(document) is None


def test_without_known_entries_the_rest_is_the_same_document() -> None:
    document = atom(articles(1, 2, 3))
    pieces = split(document)
    assert pieces is not None
    assert without(document, pieces, {pieces[0].sha, pieces[2].sha}) == atom(articles(2))


@given(st.binary(max_size=300))
def test_any_bytes_cut_or_do_not(document: bytes) -> None:
    pieces = split(document)
    assert pieces is None or without(document, pieces, ()) == document


@given(
    st.lists(
        st.sampled_from([b"<item>", b"</item>", b"<![CDATA[", b"]]>", b"<!--", b"-->", b"x"]), max_size=30
    )
)
def test_pieces_never_overlap(parts: list[bytes]) -> None:
    pieces = split(b"".join(parts)) or []
    edges = [edge for piece in pieces for edge in (piece.start, piece.end)]
    assert edges == sorted(edges)
