"""Posts that came and went between two visits, and feeds that lead astray."""

from __future__ import annotations

from newsletter.model.feed import PollResult
from newsletter.model.policy import PollPolicy
from newsletter.model.post import PostState
from newsletter.poll.discover import find_feeds
from tests.intake.blog import article, articles, atom
from tests.intake.world import URL, Page, World

BLOGGER = "http://blog.example/feeds/posts/default"
BURNER = "http://feeds.feedburner.com/TheBlog"


def _new_titles(world: World) -> list[str]:
    return world.titles(PostState.SETTLING, PostState.READY, PostState.HELD)


def _first_visit(world: World, url: str) -> None:
    world.policy = PollPolicy(flood=10)
    world.add(atom(articles(1, 2, 3)), url=url)


def test_a_gap_is_filled_from_the_pages_that_the_feed_names(world: World) -> None:
    _first_visit(world, URL)
    second, third = "http://blog.example/feed?page=2", "http://blog.example/feed?page=3"
    world.web.pages[second] = Page(body=atom(articles(4, 5), extra=f"<link rel='next' href='{third}'/>"))
    world.web.pages[third] = Page(body=atom(articles(1, 2, 3)))
    world.serves(atom(articles(6, 7), extra=f"<link rel='next' href='{second}'/>"))
    assert _new_titles(world) == [article(number).title for number in (4, 5, 6, 7)]
    assert len(world.posts(PostState.SETTLING)) == 4


def test_a_gap_in_a_blogger_feed_is_filled_by_its_start_index(world: World) -> None:
    _first_visit(world, BLOGGER)
    world.web.pages[f"{BLOGGER}?start-index=3"] = Page(body=atom(articles(3, 4, 5)))
    world.serves(atom(articles(6, 7)), url=BLOGGER)
    assert len(world.posts(PostState.SETTLING)) == 4


def test_a_gap_in_a_wordpress_feed_is_filled_by_its_pages(world: World) -> None:
    _first_visit(world, URL)
    generator = "<generator>https://wordpress.org/?v=6.5</generator>"
    world.web.pages[f"{URL}?paged=2"] = Page(body=atom(articles(4, 5), extra=generator))
    world.web.pages[f"{URL}?paged=3"] = Page(body=atom(articles(2, 3), extra=generator))
    world.serves(atom(articles(6, 7), extra=generator))
    assert len(world.posts(PostState.SETTLING)) == 4


def test_what_is_older_than_the_first_known_post_is_not_dug_up(world: World) -> None:
    world.policy = PollPolicy(flood=10)
    world.add(atom(articles(5)), url=BLOGGER)
    world.web.pages[f"{BLOGGER}?start-index=2"] = Page(body=atom(articles(1, 2, 3, 4, 5)))
    world.serves(atom(articles(6)), url=BLOGGER)
    assert _new_titles(world) == [article(6).title]


def test_paging_back_ends_and_what_it_found_is_held(world: World) -> None:
    _first_visit(world, URL)
    page = Page(body=atom(articles(8), extra=f"<link rel='next' href='{URL}?again'/>"))
    world.web.pages[f"{URL}?again"] = page
    world.serves(atom(articles(9), extra=f"<link rel='next' href='{URL}?again'/>"))
    assert len(world.web.asked) < 10
    assert world.titles(PostState.HELD) == [article(8).title, article(9).title]


def test_a_known_post_in_the_feed_means_no_paging(world: World) -> None:
    _first_visit(world, BLOGGER)
    asked = len(world.web.asked)
    world.serves(atom(articles(3, 4)), url=BLOGGER)
    assert len(world.web.asked) == asked + 1


def test_a_blogger_feed_that_leads_to_a_dead_feedburner_is_read_at_blogger_itself(world: World) -> None:
    world.web.pages[BURNER] = Page(status=404)
    world.web.pages[f"{BLOGGER}?redirect=false&orderby=published"] = Page(body=atom(articles(1, 2)))
    with world.work() as unit:
        feed = unit.feeds.add(BLOGGER, now=world.now)
    world.web.pages[BLOGGER] = Page(status=302, to=BURNER)
    assert world.poll(feed.id).result is PollResult.READ
    with world.work() as unit:
        assert "Post feed redirect URL" in unit.feeds.get(feed.id).problem
        assert unit.feeds.get(feed.id).url == BLOGGER


def test_a_feedburner_that_answers_with_a_web_page_is_dead_too(world: World) -> None:
    world.web.pages[BURNER] = Page(body=b"<!DOCTYPE html><title>FeedBurner</title>")
    world.web.pages[BLOGGER] = Page(status=302, to=BURNER)
    world.web.pages[f"{BLOGGER}?redirect=false&orderby=published"] = Page(body=atom(articles(1, 2)))
    assert [feed.url for feed in find_feeds(BLOGGER, world.web, world.parser)] == [BLOGGER]


def test_a_feedburner_that_lives_is_read(world: World) -> None:
    world.web.pages[BURNER] = Page(body=atom(articles(1, 2)))
    world.web.pages[BLOGGER] = Page(status=302, to=BURNER)
    with world.work() as unit:
        feed = unit.feeds.add(BLOGGER, now=world.now)
    assert world.poll(feed.id).result is PollResult.READ
    with world.work() as unit:
        assert unit.feeds.get(feed.id).problem == ""
