"""Deleted at the source, or only pushed out of sight: what is withdrawn and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from newsletter.model.feed import PollResult
from newsletter.model.post import PostState
from tests.intake.blog import article, articles, atom
from tests.intake.world import START, World

GONE, SETTLING, HELD = PostState.GONE, PostState.SETTLING, PostState.HELD


def test_a_new_post_pushed_out_by_relabelled_old_ones_is_not_taken_for_deleted(world: World) -> None:
    """A feed in the order of the last change: new labels on old posts bring those to the top."""
    world.add(atom(articles(1, 2, 3, 4, 5)))
    world.serves(atom(articles(3, 4, 5, 6)))
    relabelled = [article(number) for number in (2, 5, 1, 4)]
    polled = world.serves(atom(relabelled))
    assert polled.gone == ()
    assert world.titles(SETTLING) == [article(6).title]


def test_a_deletion_below_a_pinned_post_is_noticed(world: World) -> None:
    pinned = article(1)
    world.add(atom([pinned, *articles(2, 3, 4)]))
    world.serves(atom([pinned, *articles(2, 3, 4, 6)]))
    assert len(world.serves(atom([pinned, *articles(2, 3, 4)])).gone) == 1


def test_a_deletion_is_noticed_in_a_feed_that_begins_with_its_oldest_post(world: World) -> None:
    world.add(atom(articles(1, 2, 3)[::-1]))
    world.serves(atom(articles(1, 2, 3, 6)[::-1]))
    assert len(world.serves(atom(articles(1, 2, 3)[::-1])).gone) == 1


def test_a_deletion_is_noticed_although_the_rest_is_known_by_its_bytes_only(world: World) -> None:
    world.add(atom(articles(1, 2, 3, 4)))
    world.serves(atom(articles(1, 2, 3, 4, 6)))
    polled = world.serves(atom([article(4), article(3).edited(), *articles(1, 2)]))
    assert len(polled.gone) == 1


def test_a_post_reverted_to_a_draft_and_published_again_under_a_new_date_is_mailed_once(world: World) -> None:
    world.add(atom(articles(1, 2, 3)))
    world.serves(atom(articles(1, 2, 3, 6)))
    assert len(world.serves(atom(articles(1, 2, 3))).gone) == 1
    again = replace(article(6).edited(), published=START + timedelta(hours=3))
    world.serves(atom([again, *articles(1, 2, 3)]))
    assert world.titles(SETTLING) == [article(6).title]
    assert len(world.posts()) == 4


def test_a_feed_that_has_become_empty_is_told_and_forgets_nothing(world: World) -> None:
    """A Blogger label that was renamed leaves a feed without posts behind, and no error."""
    world.add(atom(articles(1, 2, 3)))
    polled = world.serves(atom([]))
    assert polled.result is PollResult.READ and polled.gone == ()
    with world.work() as unit:
        told = unit.feeds.get(world.feed_id).problem
        assert told == "The feed has no posts any more. If a label or an address was renamed, add it anew."
        assert unit.feeds.polls(world.feed_id)[0].problem == told
    world.serves(atom(articles(1, 2, 3)))
    with world.work() as unit:
        assert unit.feeds.get(world.feed_id).problem == ""
    assert world.titles(SETTLING, HELD, GONE) == []


def test_a_feed_that_was_empty_when_it_was_added_does_not_mail_what_it_had_before(world: World) -> None:
    world.add(atom([]))
    old = [replace(post, published=START - timedelta(days=9)) for post in articles(1, 2)]
    new = replace(article(6), published=START + timedelta(minutes=30))
    world.serves(atom([new, *old]))
    assert world.titles(SETTLING) == [article(6).title]
    assert world.titles(HELD) == [article(1).title, article(2).title]
