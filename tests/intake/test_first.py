"""The first poll of a feed, and the ordinary ones after it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from newsletter.model.feed import PollResult
from newsletter.model.policy import FirstPoll, PollPolicy
from newsletter.model.post import PostState
from tests.intake.blog import article, articles, atom
from tests.intake.world import URL, World

NEWEST = PollPolicy(first_poll=FirstPoll.NEWEST)


def test_the_first_poll_mails_nothing(world: World) -> None:
    world.add(atom(articles(1, 2, 3, 4, 5)))
    assert {post.state for post in world.posts()} == {PostState.BASELINE}
    assert len(world.posts()) == 5


@pytest.mark.parametrize("policy", [NEWEST])
def test_the_first_poll_offers_the_newest_post_where_the_author_asks_for_it(world: World) -> None:
    world.add(atom(articles(1, 2, 3)))
    assert world.titles(PostState.READY) == [article(3).title]
    assert len(world.posts(PostState.BASELINE)) == 2


def test_a_new_post_settles_and_is_ready_after_another_look(world: World) -> None:
    world.add(atom(articles(1, 2, 3)))
    polled = world.serves(atom(articles(1, 2, 3, 4)))
    assert (len(polled.new), polled.result) == (1, PollResult.READ)
    assert polled.next_poll_reason == "a new post is read once more before it is mailed"
    assert world.settle() == 0
    world.now += timedelta(minutes=11)
    assert world.settle() == 0  # the feed was not read again yet
    world.poll()
    assert world.settle() == 1
    assert world.titles(PostState.READY) == [article(4).title]


def test_the_same_bytes_are_not_read_twice(world: World) -> None:
    world.add(atom(articles(1, 2)))
    assert world.serves(atom(articles(1, 2))).result is PollResult.UNCHANGED


def test_a_correction_while_a_post_settles_is_taken_over_and_the_post_waits_on(world: World) -> None:
    world.add(atom(articles(1)))
    world.serves(atom([article(2), article(1)]))
    before = world.posts(PostState.SETTLING)[0]
    world.now += timedelta(minutes=5)
    world.web.pages[URL].body = atom([article(2).edited("Corrected."), article(1)])
    polled = world.poll()
    post = world.posts(PostState.SETTLING)[0]
    assert polled.edited == (post.id,)
    assert "Corrected." in post.html
    assert post.revision == 2
    assert before.settle_until is not None and post.settle_until is not None
    assert post.settle_until == before.settle_until + timedelta(minutes=5)
