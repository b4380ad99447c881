"""A server that breaks off in the middle of a document: half a post is never mailed, and none is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.feed import PollResult
from newsletter.model.post import PostState
from newsletter.poll.split import is_cut_short, split, whole_part
from tests.intake.blog import article, articles, atom
from tests.intake.world import URL, Page, World

SETTLING, GONE = PostState.SETTLING, PostState.GONE
WHOLE = atom(articles(1, 2, 3, 6, 7))
OLD = atom(articles(1, 2, 3))


def _serves(world: World, body: bytes, etag: str) -> PollResult:
    world.now += timedelta(hours=1)
    world.web.pages[URL] = Page(body=body, headers={"etag": etag})
    return world.poll().result


def test_half_a_post_waits_until_it_comes_whole(world: World) -> None:
    world.add(OLD)
    whole = atom([article(7), article(3), article(6), *articles(1, 2)])
    middle_of_6 = whole.index(article(6).guid.encode()) + 200
    assert _serves(world, whole[:middle_of_6], '"new"') is PollResult.READ
    assert world.titles(SETTLING) == [article(7).title]
    with world.work() as unit:
        assert "broke off before its end" in unit.feeds.get(world.feed_id).problem
    assert _serves(world, whole, '"new"') is PollResult.READ, "no 304 hides what did not come"
    assert world.titles(SETTLING) == [article(7).title, article(6).title]
    assert [post.html for post in world.posts(SETTLING)] == [article(7).html, article(6).html]


def test_a_part_without_anything_known_waits_for_the_rest(world: World) -> None:
    world.add(OLD)
    world.web.pages["http://blog.example/feed?page=2"] = Page(body=OLD)
    asked = len(world.web.asked)
    named = WHOLE.replace(b"<entry>", b"<link rel='next' href='http://blog.example/feed?page=2'/><entry>", 1)
    _serves(world, named[: named.index(article(3).guid.encode())], '"new"')
    assert len(world.posts()) == 3 and len(world.web.asked) == asked + 1
    _serves(world, named, '"new"')
    assert sorted(world.titles(SETTLING)) == [article(6).title, article(7).title]


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 0.999])
def test_wherever_it_breaks_off_nothing_is_taken_for_deleted_and_nothing_is_lost(
    world: World, share: float
) -> None:
    world.add(OLD)
    _serves(world, WHOLE, '"1"')
    _serves(world, WHOLE[: int(len(WHOLE) * share)], '"2"')
    assert world.titles(GONE) == []
    _serves(world, WHOLE, '"2"')
    assert sorted(world.titles(SETTLING)) == [article(6).title, article(7).title]
    assert [post.revision for post in world.posts(SETTLING)] == [1, 1], "half a text is no edit"


@given(st.integers(0, len(WHOLE)))
def test_of_a_broken_off_document_the_whole_entries_are_left(end: int) -> None:
    cut = WHOLE[:end]
    left = whole_part(cut)
    assert cut.startswith(left)
    whole = (split(WHOLE) or [])[: left.count(b"</entry>")]
    assert split(left + b"</feed>") == (whole or None)


@pytest.mark.parametrize(
    "document",
    [
        WHOLE,
        WHOLE + b"<!-- served in 0.2 s -->\n",
        b"<rss><channel><item>a</item></channel>",
        b"<rdf:RDF></rdf:RDF>",
        b"<atom:feed></atom:feed>",
        WHOLE.decode().encode("utf-16"),
        b'{"items": [',
    ],
)
def test_a_document_that_came_whole_is_not_taken_for_broken_off(document: bytes) -> None:
    assert not is_cut_short(document)
