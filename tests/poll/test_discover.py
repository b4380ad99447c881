"""Finding feeds behind addresses, on pages like those that blog platforms make."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import FeedUnreachable, Invalid
from newsletter.poll.discover import find_feeds
from newsletter.poll.parser import Parser
from newsletter.poll.tags import decoded, tags
from tests.intake.blog import articles, atom
from tests.intake.world import CannedWeb, Page

HOME = "https://blog.example/"
POSTS, OTHERS = atom(articles(1, 2)), atom(articles(7), title="Other")
COMMENTS = atom(articles(8), title="Comments on The blog")
ATOM = '<link rel="alternate" type="application/atom+xml" title="Atom" href="{}">'

BLOGGER = (
    '<html><head><meta content="blogger" name="generator">'
    + ATOM.format("https://blog.example/feeds/posts/default")
    + '<link rel="alternate" type="application/rss+xml" href="https://blog.example/feeds/posts/default?alt=rss">'
    + '<link rel="service.post" type="application/atom+xml" href="https://www.blogger.com/feeds/1/posts/default">'
    + ATOM.format("https://blog.example/feeds/99/comments/default")
)
WORDPRESS = (
    "<link rel='alternate' type='application/rss+xml' href='/comments/feed/'/>"
    "<link rel='alternate' type='application/rss+xml' href='/feed/'/>"
    "<link rel='alternate' type='application/json' href='/wp-json/wp/v2/pages/1'/>"
)


def _web(**pages: bytes | str) -> CannedWeb:
    web = CannedWeb()
    for path, body in pages.items():
        web.pages[path] = Page(body=body.encode() if isinstance(body, str) else body)
    return web


def _found(parser: Parser, url: str, pages: dict[str, bytes | str]) -> list[str]:
    return [feed.url for feed in find_feeds(url, _web(**pages), parser)]


def test_a_feed_is_found_at_its_own_address(parser: Parser) -> None:
    [feed] = find_feeds(f"{HOME}feed", _web(**{f"{HOME}feed": POSTS}), parser)
    assert (feed.title, feed.entries, feed.kind, feed.newest_title) == (
        "The blog", 2, "atom", articles(2)[0].title,
    )  # fmt: skip
    assert feed.newest_at == articles(2)[0].published


@pytest.mark.parametrize("page", [HOME, f"{HOME}2026/05/post.html"])
def test_a_blogger_blog_or_post_leads_to_the_feed_of_posts(parser: Parser, page: str) -> None:
    feeds: dict[str, bytes | str] = {
        page: BLOGGER,
        f"{HOME}feeds/posts/default": POSTS,
        f"{HOME}feeds/posts/default?alt=rss": POSTS,
        f"{HOME}feeds/99/comments/default": COMMENTS,
    }
    assert _found(parser, page, feeds) == [f"{HOME}feeds/posts/default", f"{HOME}feeds/99/comments/default"]


def test_a_wordpress_blog_offers_its_posts_before_its_comments(parser: Parser) -> None:
    feeds: dict[str, bytes | str] = {
        HOME: WORDPRESS,
        f"{HOME}feed/": POSTS,
        f"{HOME}comments/feed/": COMMENTS,
    }
    assert _found(parser, HOME, feeds) == [f"{HOME}feed/", f"{HOME}comments/feed/"]


@pytest.mark.parametrize(
    ("generator", "path"),
    [
        ("Ghost 5.8", "rss/"),
        ("Hugo 0.1", "index.xml"),
        ("Jekyll v4", "feed.xml"),
        ("blogger", "feeds/posts/default"),
    ],
)
def test_a_page_that_names_no_feed_is_asked_where_its_kind_keeps_it(
    parser: Parser, generator: str, path: str
) -> None:
    page = f'<meta name="generator" content="{generator}">'
    assert _found(parser, HOME, {HOME: page, HOME + path: POSTS}) == [HOME + path]


def test_a_page_without_any_hint_is_asked_at_the_usual_places(parser: Parser) -> None:
    assert _found(parser, HOME, {HOME: "<p>Hello", f"{HOME}atom.xml": POSTS}) == [f"{HOME}atom.xml"]


def test_a_visible_link_to_a_feed_is_followed(parser: Parser) -> None:
    page = '<a href="/my/feed.xml">RSS</a>'
    assert _found(parser, HOME, {HOME: page, f"{HOME}my/feed.xml": POSTS}) == [f"{HOME}my/feed.xml"]


def test_a_youtube_channel_names_its_feed(parser: Parser) -> None:
    page = "https://www.youtube.com/@someone"
    feed = "https://www.youtube.com/feeds/videos.xml?channel_id=UC1"
    named = f'<link rel="alternate" type="application/rss+xml" title="RSS" href="{feed}">'
    assert _found(parser, page, {page: named, feed: POSTS}) == [feed]


@pytest.mark.parametrize(
    ("page", "feed"),
    [
        ("https://github.com/someone/project", "https://github.com/someone/project/releases.atom"),
        ("https://medium.com/@someone", "https://medium.com/feed/@someone"),
        ("https://medium.com/some-publication/a-post-12ab", "https://medium.com/feed/some-publication"),
    ],
)
def test_hosts_that_name_no_feed_are_known(parser: Parser, page: str, feed: str) -> None:
    assert _found(parser, page, {feed: POSTS}) == [feed]


def test_an_address_without_a_scheme_is_tried_securely_first(parser: Parser) -> None:
    assert _found(parser, "blog.example/feed", {f"{HOME}feed": POSTS}) == [f"{HOME}feed"]
    assert _found(parser, "blog.example/feed", {"http://blog.example/feed": POSTS}) == [
        "http://blog.example/feed"
    ]
    assert _found(parser, "feed://blog.example/feed", {"http://blog.example/feed": POSTS})


def test_a_named_feed_that_is_none_is_not_offered(parser: Parser) -> None:
    pages: dict[str, bytes | str] = {
        HOME: ATOM.format("/a") + ATOM.format("/b"),
        f"{HOME}a": "<html>",
        f"{HOME}b": OTHERS,
    }
    assert _found(parser, HOME, pages) == [f"{HOME}b"]


def test_a_page_with_very_many_links_is_asked_at_a_few_only(parser: Parser) -> None:
    web = _web(**{HOME: "".join(ATOM.format(f"/{number}") for number in range(500))})
    assert find_feeds(HOME, web, parser) == []
    assert len(web.asked) < 30


def test_no_feed_is_no_problem(parser: Parser) -> None:
    assert _found(parser, HOME, {HOME: "<p>Hello"}) == []


def test_a_page_that_is_not_there_is_a_problem(parser: Parser) -> None:
    with pytest.raises(FeedUnreachable, match="HTTP 404"):
        _found(parser, HOME, {})


@pytest.mark.parametrize(
    "text", ["", "two words", "a\nb", "http://[", "a]b", "http://[::1", "http://a\u2100b.com"]
)
def test_what_is_no_address_is_told(parser: Parser, text: str) -> None:
    with pytest.raises(Invalid):
        _found(parser, text, {})


def test_tags_are_seen_outside_comments_and_scripts() -> None:
    html = "<!-- <a href=1> --><script>'<a href=2>'</script><A HREF='3&amp;4' x=y><a\nhref=5>"
    assert list(tags(html, "a")) == [("a", {"href": "3&4", "x": "y"}), ("a", {"href": "5"})]


@given(st.text(alphabet="<>!-/a link=\"'hrefscript", max_size=200))
def test_any_page_can_be_scanned(html: str) -> None:
    assert all(name == "a" for name, _attributes in tags(html, "a"))


def test_a_page_is_decoded_by_what_it_names() -> None:
    assert decoded("é".encode("latin-1"), "text/html; charset=ISO-8859-1") == "é"
    assert decoded(b'<meta charset="windows-1252">\x80') == '<meta charset="windows-1252">€'
    for none in ("nonsense", "undefined", "idna", "punycode", "hex", "base64", "zlib", "mbcs", "oem"):
        assert decoded("é".encode(), f"text/html; charset={none}").isprintable()
        assert decoded(f"<meta charset={none}>é".encode()).startswith("<meta")
