"""The sample blog, as a feed reader and a browser meet it."""

from __future__ import annotations

import html
import io
from collections.abc import Generator

import feedparser
import httpx
import pytest

from newsletter.demo.blog_server import PLACEHOLDER, SampleBlog
from tests.support import ldn


@pytest.fixture
def blog() -> Generator[SampleBlog, None, None]:
    with SampleBlog() as running:
        yield running


def entries(blog: SampleBlog) -> list[feedparser.FeedParserDict]:
    parsed = feedparser.parse(io.BytesIO(httpx.get(blog.feed_url).content))
    assert not parsed.bozo
    return list(parsed.entries)


def test_the_feed_has_three_posts_newest_first(blog: SampleBlog) -> None:
    found = entries(blog)
    assert [entry.title for entry in found] == [
        ldn.TITLE,
        "Four questions for twelve minutes",
        "Soup for bad days & the people who cook it",
    ]
    times = [entry.published for entry in found]
    assert times == sorted(times, reverse=True)
    assert all(entry.id.startswith("tag:blogger.com,1999:blog-") for entry in found)


def test_the_blog_says_in_its_subtitle_that_its_author_is_no_doctor(blog: SampleBlog) -> None:
    parsed = feedparser.parse(io.BytesIO(httpx.get(blog.feed_url).content))
    assert parsed.feed.subtitle.startswith("I am not a doctor.")


def test_the_long_post_has_seven_paragraphs_six_studies_and_two_quotations() -> None:
    assert len(ldn.PARAGRAPHS) == 7
    assert all(len(paragraph) > 200 for paragraph in ldn.PARAGRAPHS)
    assert len(set(ldn.LINKS)) == 6
    assert all(link.startswith("https://doi.org/10.") for link in ldn.LINKS)
    assert len(ldn.QUOTATIONS) == 2
    assert all(quotation.startswith("“") for quotation in ldn.QUOTATIONS)


@pytest.mark.parametrize(
    "mark",
    [
        '<p class="MsoNormal"',
        "<o:p></o:p>",
        "mso-spacerun: yes",
        "font-family: &quot;Calibri&quot;",
        "[if gte mso 9]",
        "<!--StartFragment-->",
        "<a name='more'></a>",
        '<div class="separator"',
    ],
)
def test_the_long_post_is_as_blogger_sends_what_word_pasted(blog: SampleBlog, mark: str) -> None:
    assert mark in html.unescape(httpx.get(blog.feed_url).text)


def test_every_address_in_the_feed_answers(blog: SampleBlog) -> None:
    for entry in entries(blog):
        page = httpx.get(entry.link)
        assert page.status_code == 200
        assert entry.title.replace("&", "&amp;") in page.text
    home = httpx.get(blog.url)
    assert (
        f'type="application/atom+xml" title="The Patient Notebook - Atom" href="{blog.feed_url}"' in home.text
    )
    for size, width in ((ldn.PICTURE, 640), (ldn.PICTURE.replace("s640", "s1600"), 1600)):
        picture = httpx.get(blog.url + size)
        assert picture.headers["Content-Type"] == "image/jpeg"
        assert len(picture.content) < 200_000
        assert width_of(picture.content) == width


def width_of(jpeg: bytes) -> int:
    """The width that a baseline or progressive JPEG's frame header tells."""
    at = 2
    while jpeg[at + 1] not in (0xC0, 0xC2):
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return int.from_bytes(jpeg[at + 7 : at + 9], "big")


def test_nothing_names_the_placeholder_once_served(blog: SampleBlog) -> None:
    assert PLACEHOLDER not in httpx.get(blog.feed_url).text
    assert blog.url in httpx.get(blog.feed_url).text


def test_a_reader_that_has_the_feed_gets_304(blog: SampleBlog) -> None:
    first = httpx.get(blog.feed_url)
    etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    for headers in (
        {"If-None-Match": etag},
        {"If-None-Match": f'"x", W/{etag}'},
        {"If-Modified-Since": modified},
    ):
        again = httpx.get(blog.feed_url, headers=headers)
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["ETag"] == etag


@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": '"other"'},
        {"If-None-Match": '"other"', "If-Modified-Since": "Fri, 31 Dec 2100 00:00:00 GMT"},
        {"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
    ],
)
def test_a_reader_that_has_another_feed_gets_this_one(blog: SampleBlog, headers: dict[str, str]) -> None:
    assert httpx.get(blog.feed_url, headers=headers).status_code == 200


def test_head_tells_the_length_and_sends_nothing(blog: SampleBlog) -> None:
    head, full = httpx.head(blog.feed_url), httpx.get(blog.feed_url)
    assert head.headers["Content-Length"] == str(len(full.content))
    assert head.content == b""


def test_a_page_that_is_not_the_blogs_is_not_found(blog: SampleBlog) -> None:
    assert httpx.get(blog.url + "/../../../etc/passwd").status_code == 404


def test_a_taken_port_does_not_stop_the_blog(blog: SampleBlog) -> None:
    port = httpx.URL(blog.url).port
    assert port is not None
    with SampleBlog(port=port) as second:
        assert second.url != blog.url
        assert httpx.get(second.feed_url).status_code == 200


def test_a_blog_that_is_not_served_has_no_address() -> None:
    with pytest.raises(RuntimeError, match="not being served"):
        _ = SampleBlog().url
