from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import Invalid
from newsletter.model.feed import Feed
from newsletter.poll.opml import Outline, read_opml, write_opml

NOW = datetime(2026, 5, 10, 8, 0, tzinfo=UTC)


def _opml(body: str, head: str = "") -> bytes:
    return f'<?xml version="1.0"?>{head}<opml version="2.0"><head/><body>{body}</body></opml>'.encode()


def test_feeds_are_read_out_of_folders_each_once() -> None:
    data = _opml(
        '<outline text="Folder"><outline type="rss" text="A &amp; B" xmlUrl="https://a.example/feed"'
        ' htmlUrl="https://a.example/"/></outline>'
        '<outline TEXT="Again" XMLURL="https://a.example/feed"/><outline xmlUrl="https://b.example/feed"/>'
    )
    assert read_opml(data) == [
        Outline(url="https://a.example/feed", title="A & B", site_url="https://a.example/"),
        Outline(url="https://b.example/feed", title="", site_url=""),
    ]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "", "http://[bad"])
def test_what_is_no_web_address_is_left_out(url: str) -> None:
    assert read_opml(_opml(f'<outline xmlUrl="{url}"/>')) == []


def test_entities_are_never_resolved() -> None:
    head = '<!DOCTYPE opml [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    assert read_opml(_opml('<outline text="&x;" xmlUrl="https://a.example/"/>', head))[0].title == ""


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"\x00\x01", b"{}", b"<" * 1000])
def test_what_is_no_opml_is_told(data: bytes) -> None:
    with pytest.raises(Invalid, match="no OPML"):
        read_opml(data)


def test_far_too_many_feeds_are_told() -> None:
    outlines = "".join(f'<outline xmlUrl="https://a.example/{number}"/>' for number in range(1_001))
    with pytest.raises(Invalid, match="1,001 feeds"):
        read_opml(_opml(outlines))


@given(
    title=st.text(max_size=30),
    names=st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=20), max_size=5),
)
def test_what_is_written_can_be_read_back(title: str, names: list[str]) -> None:
    feeds = [
        Feed(id=number, url=f"https://a.example/{number}?a=1&b=2", title=" ".join(name.split()), added_at=NOW)
        for number, name in enumerate(names)
    ]
    assert [
        (outline.url, outline.title) for outline in read_opml(write_opml(feeds, title=title, now=NOW))
    ] == [(feed.url, feed.title or feed.url) for feed in feeds]
