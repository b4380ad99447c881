"""Posts whose feed carries only a summary, completed from their pages."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from newsletter.errors import ExtraMissing
from newsletter.model.post import PostState
from newsletter.poll import fulltext
from newsletter.poll.page_child import extract_in_child
from tests.intake.blog import Article, article, articles, atom
from tests.intake.world import Page, World

PARAGRAPHS = "".join(
    f"<p>Paragraph {number} of an article about gardens, rivers and the people who live beside them.</p>"
    for number in range(12)
)
PAGE = (
    f"<html><head><title>Post</title></head><body><nav><a href='/'>Home</a></nav><article><h1>Post</h1>"
    f"{PARAGRAPHS}<p><img src='/a.png' alt='A'></p></article><script>bad()</script></body></html>"
).encode()


def _summaries(posts: Sequence[Article]) -> bytes:
    feed = atom(posts)
    return feed.replace(b"<content", b"<summary").replace(b"</content", b"&amp;hellip;</summary")


@pytest.fixture
def watched(world: World) -> World:
    world.add(_summaries(articles(1, 2)))
    with world.work() as unit:
        unit.feeds.set_full_text(world.feed_id, True)
    world.web.pages[article(6).link] = Page(body=PAGE, headers={"content-type": "text/html"})
    return world


def test_a_new_post_is_completed_from_its_page(watched: World) -> None:
    watched.serves(_summaries(articles(1, 2, 6)))
    post = watched.posts(PostState.SETTLING)[0]
    assert "Paragraph 11 of an article" in post.html
    assert '<img src="http://blog.example/a.png"' in post.html
    assert "Home" not in post.html and "<h1>" not in post.html
    assert not post.truncated


def test_a_completed_post_is_not_fetched_or_edited_again(watched: World) -> None:
    watched.serves(_summaries(articles(1, 2, 6)))
    asked = len(watched.web.asked)
    polled = watched.serves(_summaries(articles(1, 2, 6)[::-1]))
    assert polled.edited == ()
    assert len(watched.web.asked) == asked + 1


def test_a_page_that_gives_less_than_the_feed_changes_nothing(watched: World) -> None:
    watched.web.pages[article(6).link] = Page(body=b"<html><body><p>Log in</p></body></html>")
    watched.serves(_summaries(articles(1, 2, 6)))
    post = watched.posts(PostState.SETTLING)[0]
    assert article(6).html in post.html
    assert (post.truncated, post.revision) == (False, 1)


def test_a_page_that_cannot_be_fetched_is_asked_again_at_the_next_poll(watched: World) -> None:
    page = watched.web.pages.pop(article(6).link)
    watched.serves(_summaries(articles(1, 2, 6)))
    assert watched.posts(PostState.SETTLING)[0].truncated
    watched.web.pages[article(6).link] = page
    watched.poll()
    assert "Paragraph 11" in watched.posts(PostState.SETTLING)[0].html


def test_posts_that_were_already_there_are_not_fetched(watched: World) -> None:
    watched.poll()
    assert all(url != article(1).link for url, _headers in watched.web.asked)


@pytest.mark.parametrize("page", [b"", b"\x00\xff", b"<html>", b"<div>" * 200_000])
def test_a_hostile_page_gives_some_text_or_none(page: bytes) -> None:
    assert "script" not in extract_in_child(page, url="http://blog.example/")


def test_without_the_extra_the_command_that_adds_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fulltext, "NEEDED", ("no_such_package",))
    with pytest.raises(ExtraMissing, match=r"\[fulltext\]"):
        fulltext.require_fulltext()
