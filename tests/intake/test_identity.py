"""What is mailed and what is held when a feed changes: sequences of documents, never single ones.

Invariant 2: a post is mailed at most once. Invariant 3: doubt holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from newsletter.model.post import PostState
from tests.intake.blog import Article, article, articles, atom
from tests.intake.world import START, URL, World

HELD, READY, SETTLING, GONE = PostState.HELD, PostState.READY, PostState.SETTLING, PostState.GONE


def _started(world: World, *numbers: int) -> list[Article]:
    posts = articles(*(numbers or (1, 2, 3, 4, 5)))
    world.add(atom(posts))
    return posts


def _nothing_happened(world: World, count: int = 5) -> None:
    assert world.titles(SETTLING, READY, HELD, GONE) == []
    assert len(world.posts()) == count


def _all(posts: Sequence[Article], **changes: str) -> list[Article]:
    """Every post with a change; ``{number}`` in a value is the post's."""
    return [
        replace(post, **{name: value.format(number=post.number) for name, value in changes.items()})  # type: ignore[arg-type]
        for post in posts
    ]


def test_new_guids_for_all_posts_mail_nothing(world: World) -> None:
    posts = _started(world)
    world.serves(atom(_all(posts, guid="https://new.example/?p={number}")))
    _nothing_happened(world)


def test_https_instead_of_http_mails_nothing(world: World) -> None:
    posts = _started(world)
    moved = "https://blog.example/2026/05/post-{number}.html"
    world.serves(atom(_all(posts, guid=moved, link=moved)))
    _nothing_happened(world)


def test_a_moved_host_mails_nothing(world: World) -> None:
    posts = _started(world)
    world.serves(atom(_all(posts, link="https://other.example/post-{number}")))
    _nothing_happened(world)


def test_a_migration_with_new_guids_and_links_but_the_same_texts_mails_nothing(world: World) -> None:
    posts = _started(world)
    moved = _all(posts, guid="urn:new:{number}", link="https://new.example/{number}/")
    world.serves(atom([replace(post, published=START) for post in moved]))
    _nothing_happened(world)


def test_a_migration_that_also_edits_every_text_is_held(world: World) -> None:
    posts = _started(world)
    moved = _all(
        posts, guid="urn:new:{number}", link="https://new.example/{number}/", title="Renamed {number}"
    )
    world.serves(atom([replace(post.edited(), published=START) for post in moved]))
    assert world.titles(SETTLING, READY) == []
    assert len(world.posts(HELD)) == 5


def test_another_order_mails_nothing(world: World) -> None:
    posts = _started(world)
    world.serves(atom(posts[::-1]))
    world.serves(atom([posts[2], posts[0], posts[4], posts[1], posts[3]]))
    _nothing_happened(world)


def test_a_shorter_window_mails_nothing_and_its_return_neither(world: World) -> None:
    posts = _started(world)
    world.serves(atom(posts[:2]))
    world.serves(atom(posts))
    _nothing_happened(world)


def test_an_empty_document_and_its_return_mail_nothing(world: World) -> None:
    posts = _started(world)
    world.serves(atom([]))
    world.serves(atom(posts))
    _nothing_happened(world)


def test_dates_set_to_today_mail_nothing(world: World) -> None:
    posts = _started(world)
    world.serves(atom([replace(post, published=START + timedelta(minutes=30)) for post in posts]))
    _nothing_happened(world)


def test_a_post_that_drops_out_and_returns_is_mailed_once(world: World) -> None:
    posts = _started(world)
    world.serves(atom([article(6), *posts]))
    world.serves(atom(posts[:4]))
    assert world.titles(GONE) == [article(6).title]
    world.serves(atom([article(6), *posts]))
    assert world.titles(SETTLING) == [article(6).title]
    assert len(world.posts()) == 6


def test_a_post_deleted_before_it_was_mailed_is_withdrawn(world: World) -> None:
    posts = _started(world)
    new = world.serves(atom([article(6), *posts])).new
    polled = world.serves(atom(posts))
    assert polled.gone == new
    assert world.posts(GONE)[0].reason == "It was deleted from the feed before it was mailed."


def test_a_new_post_survives_a_window_that_is_cut_off_above_it(world: World) -> None:
    posts = _started(world)
    world.serves(atom([article(6), *posts]))
    world.serves(atom([article(7)]))
    assert world.titles(SETTLING) == [article(6).title]
    assert world.titles(GONE) == []


def test_two_posts_with_one_guid_are_two_posts(world: World) -> None:
    posts = _started(world)
    twins = [replace(article(number), guid="same") for number in (7, 6)]
    world.serves(atom([*twins, *posts]))
    assert sorted(world.titles(SETTLING)) == sorted([article(6).title, article(7).title])
    world.serves(atom([twins[1].edited(), twins[0], *posts]))
    assert len(world.posts()) == 7


def test_a_new_post_that_carries_the_guid_of_an_older_one_is_not_swallowed(world: World) -> None:
    posts = _started(world)
    world.serves(atom([replace(article(6), guid=posts[0].guid), *posts]))
    assert world.titles(SETTLING) == [article(6).title]
    assert len(world.posts()) == 6


def test_posts_that_all_link_to_one_page_are_told_apart(world: World) -> None:
    link = "http://blog.example/podcast"
    posts = [replace(post, link=link) for post in articles(1, 2, 3)]
    world.add(atom(posts))
    world.serves(atom([replace(article(6), link=link), *posts]))
    assert world.titles(SETTLING) == [article(6).title]


def test_a_feed_that_always_shows_one_entry_with_one_guid_holds_instead_of_swallowing(world: World) -> None:
    world.add(atom([replace(article(1), guid="latest")]))
    world.serves(atom([replace(article(6), guid="latest")]))
    world.serves(atom([replace(article(7), guid="latest")]))
    assert world.titles(HELD) == [article(6).title, article(7).title]
    assert world.titles(SETTLING, READY) == []


def test_a_retitled_post_with_a_new_address_is_not_mailed_again(world: World) -> None:
    posts = _started(world)
    renamed = replace(
        posts[0], title="A better title", link="http://blog.example/2026/05/a-better-title.html"
    )
    world.serves(atom([renamed, *posts[1:]]))
    assert world.titles(SETTLING, READY, HELD) == []
    assert "A better title" in world.titles()


def test_a_post_whose_every_name_changed_is_recognised_by_its_publication_second(world: World) -> None:
    posts = _started(world)
    slug = "http://blog.example/2026/05/other-slug.html"
    renamed = replace(posts[0].edited(), title="A better title", link=slug, guid=slug)
    world.serves(atom([renamed, *posts[1:]]))
    assert world.titles(SETTLING, READY, HELD) == []
    assert len(world.posts()) == 5


def test_another_post_with_the_publication_second_of_one_that_left_is_held_and_not_swallowed(
    world: World,
) -> None:
    posts = _started(world)
    other = replace(article(6), published=posts[0].published)
    world.serves(atom([other, *posts[1:]]))
    assert world.titles(HELD) == [article(6).title]
    assert "publication time" in world.posts(HELD)[0].reason


def test_a_post_that_reads_like_one_that_just_left_is_held(world: World) -> None:
    posts = _started(world)
    slug = "http://blog.example/2026/05/other-slug.html"
    again = replace(posts[0].edited(), title="Other", link=slug, guid=slug, published=START)
    world.serves(atom([again, *posts[1:]]))
    assert world.titles(HELD) == ["Other"]
    assert "left the feed" in world.posts(HELD)[0].reason


@pytest.mark.parametrize("published", [None, START], ids=["undated", "re-dated"])
@pytest.mark.parametrize("words", [0, 3, 12])
def test_a_short_post_that_left_and_came_under_other_names_is_held(
    world: World, words: int, published: datetime | None
) -> None:
    short = replace(article(6, words=words), html=f"{article(6, words=words).html}<img src='/a/p6.jpg'>")
    posts = articles(1, 2, 3)
    world.add(atom([short, *posts]))
    slug = "http://blog.example/2026/05/other-slug.html"
    again = replace(short, link=slug, guid=slug, published=published)
    world.serves(atom([again, *posts]))
    assert world.titles(SETTLING, READY) == []
    assert world.titles(HELD) == [short.title]


@pytest.mark.parametrize(
    ("html", "other"),
    [
        ("<p>The third of May, by the sea.</p>", "<p>Eleven grey herons over our roof.</p>"),
        ("<img src='/a/may-3.jpg'>", "<img src='/a/may-4.jpg'>"),
    ],
    ids=["words", "picture"],
)
def test_a_short_post_under_a_title_that_comes_every_day_is_new(world: World, html: str, other: str) -> None:
    daily = replace(article(6), title="Photo of the day", html=html)
    posts = articles(1, 2, 3)
    world.add(atom([daily, *posts]))
    world.serves(atom([replace(article(7), title="Photo of the day", html=other), *posts]))
    assert world.titles(SETTLING, READY) == ["Photo of the day"]


def test_a_second_copy_of_a_post_is_held(world: World) -> None:
    posts = _started(world)
    copy = replace(posts[0], title="Again", link="http://blog.example/again", guid="again", published=START)
    world.serves(atom([copy, *posts]))
    assert world.titles(SETTLING, READY) == []
    assert len(world.posts(HELD)) == 1


def test_a_second_copy_in_a_feed_of_summaries_is_held_too(world: World) -> None:
    posts = [replace(post, html=" ".join(post.html.split()[:18])) for post in articles(1, 2, 3)]
    world.add(atom(posts))
    copy = replace(posts[0], title="Again", link="http://blog.example/again", guid="again")
    world.serves(atom([copy, *posts]))
    assert world.titles(HELD) == ["Again"]
    assert "second copy" in world.posts(HELD)[0].reason


def test_the_same_entry_twice_in_one_document_is_one_post(world: World) -> None:
    posts = _started(world)
    world.serves(atom([article(6), article(6), *posts]))
    assert world.titles(SETTLING) == [article(6).title]


def test_more_new_posts_than_the_flood_limit_are_all_held(world: World) -> None:
    posts = _started(world)
    polled = world.serves(atom([*articles(6, 7, 8, 9), *posts]))
    assert len(polled.held) == 4 and polled.new == ()
    assert world.posts(HELD)[0].reason == (
        "4 new posts appeared at once, more than the 3 that go by themselves. "
        "Release it to mail it, or skip it."
    )


def test_as_many_new_posts_as_the_flood_limit_go_by_themselves(world: World) -> None:
    posts = _started(world)
    assert len(world.serves(atom([*articles(6, 7, 8), *posts])).new) == 3


def test_a_very_old_post_that_appears_now_is_held(world: World) -> None:
    posts = _started(world)
    world.serves(atom([replace(article(6), published=START - timedelta(days=400)), *posts]))
    assert "5 April 2025" in world.posts(HELD)[0].reason


def test_an_older_post_that_slides_into_the_window_is_held(world: World) -> None:
    posts = articles(3, 4, 5)
    world.add(atom(posts))
    older = replace(article(2), published=START - timedelta(days=5))
    world.serves(atom([*posts[1:], older]))
    assert world.titles(SETTLING, READY) == []
    assert world.titles(HELD) == [article(2).title]


def test_a_new_post_on_top_of_the_feed_may_carry_an_earlier_date(world: World) -> None:
    posts = _started(world)
    drafted_earlier = replace(article(6), published=START - timedelta(days=5))
    world.serves(atom([drafted_earlier, *posts]))
    assert world.titles(SETTLING) == [article(6).title]


def test_a_post_without_a_date_or_with_one_in_the_future_is_new(world: World) -> None:
    posts = _started(world)
    undated = replace(article(6), published=None)
    future = replace(article(7), published=START + timedelta(days=900))
    world.serves(atom([undated, future, *posts]))
    assert len(world.posts(SETTLING)) == 2
    assert {post.published_at for post in world.posts(SETTLING)} == {None}


def test_after_a_lost_window_everything_is_held(world: World) -> None:
    _started(world)
    world.serves(atom(articles(16, 17)))
    assert world.titles(SETTLING, READY) == []
    assert "may have moved" in world.posts(HELD)[0].reason


def test_the_same_post_in_two_feeds_is_one_post(world: World) -> None:
    posts = _started(world)
    other = "http://blog.example/category/feed"
    world.add(atom(posts[:2]), url=other)
    assert len(world.posts()) == 5
    world.serves(atom([article(6), *posts]))
    world.serves(atom([replace(article(6), guid="other"), *posts[:2]]), url=other)
    assert world.titles(SETTLING) == [article(6).title]


def test_a_post_listens_to_the_feed_that_brought_it_only(world: World) -> None:
    posts = _started(world)
    other = "http://blog.example/category/feed"
    world.add(atom(posts[:2]), url=other)
    world.serves(atom([article(6), *posts]))
    polled = world.serves(atom([article(6).edited("Only here."), *posts[:2]]), url=other)
    assert polled.edited == ()
    assert "Only here." not in world.posts(SETTLING)[0].html


def test_a_feed_that_comes_to_carry_summaries_only_keeps_the_full_text_we_have(world: World) -> None:
    posts = _started(world)
    world.serves(atom([article(6), *posts]))
    words = " ".join(article(6).html.removeprefix("<p>").split()[:20])
    short = atom([article(6), *posts]).replace(
        article(6).html.replace("<", "&lt;").replace(">", "&gt;").encode(), words.encode()
    )
    short = short.replace(b"<content", b"<summary").replace(b"</content", b"</summary")
    short = short.replace(words.encode(), words.encode() + b" &amp;hellip;")
    polled = world.serves(short)
    assert polled.edited == ()
    assert world.posts(SETTLING)[0].html == article(6).html


def test_an_edit_of_a_ready_post_makes_a_revision_and_never_a_second_post(world: World) -> None:
    posts = _started(world)
    world.serves(atom([article(6), *posts]))
    world.now += timedelta(minutes=11)
    world.poll()
    world.settle()
    polled = world.serves(atom([article(6).edited(), *posts]))
    post = world.posts(READY)[0]
    assert polled.edited == (post.id,) and polled.new == ()
    assert post.revision == 2
    with world.work() as unit:
        assert unit.posts.revisions(post.id) == [(1, article(6).title, article(6).html)]


def test_a_changed_date_or_updated_alone_is_no_edit(world: World) -> None:
    posts = _started(world)
    world.serves(atom([article(6), *posts]))
    later = replace(article(6), published=START + timedelta(minutes=50))
    assert world.serves(atom([later, *posts])).edited == ()


@pytest.mark.parametrize("field", ["guid", "link", "title"])
def test_a_feed_without_one_of_the_names_still_mails_each_post_once(world: World, field: str) -> None:
    posts = _all(articles(1, 2, 3), **{field: ""})
    new = _all([article(6)], **{field: ""})
    world.add(atom(posts))
    world.serves(atom([*new, *posts]))
    assert len(world.posts(SETTLING)) == 1
    world.serves(atom([new[0].edited(), *posts[::-1]]))
    assert len(world.posts(SETTLING)) == 1
    assert len(world.posts()) == 4


def test_a_feed_without_validators_that_fails_between_looks_loses_nothing(world: World) -> None:
    posts = _started(world)
    world.web.pages[URL].status = 500
    world.now += timedelta(hours=1)
    world.poll()
    assert len(world.serves(atom([article(6), *posts])).new) == 1
