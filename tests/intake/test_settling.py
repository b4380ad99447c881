"""Waiting for the author's corrections, and never for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest

from newsletter.model.policy import PollPolicy
from newsletter.model.post import PostState
from tests.intake.blog import article, articles, atom
from tests.intake.world import URL, World


def _with_a_new_post(world: World) -> None:
    world.add(atom(articles(1, 2)))
    world.serves(atom(articles(1, 2, 6)))


def test_the_feed_is_read_again_when_a_post_has_settled(world: World) -> None:
    _with_a_new_post(world)
    assert world.poll_due() == []
    world.now += timedelta(minutes=10)
    assert len(world.poll_due()) == 1
    assert world.settle() == 1


def test_a_feed_that_cannot_be_read_keeps_a_post_waiting_for_an_hour_at_most(world: World) -> None:
    _with_a_new_post(world)
    world.web.pages[URL].status = 500
    world.now += timedelta(minutes=30)
    world.poll()
    assert world.settle() == 0
    world.now += timedelta(minutes=45)
    assert world.settle() == 1


@pytest.mark.parametrize("policy", [PollPolicy(settle=timedelta(0))])
def test_without_a_settle_time_a_new_post_is_ready_at_once(world: World) -> None:
    _with_a_new_post(world)
    assert world.titles(PostState.READY) == [article(6).title]


def test_a_settle_time_switched_off_frees_what_was_waiting(world: World) -> None:
    _with_a_new_post(world)
    world.policy = PollPolicy(settle=timedelta(0))
    world.now += timedelta(minutes=11)
    assert world.settle() == 1


def test_endless_corrections_do_not_keep_a_post_for_ever(world: World) -> None:
    _with_a_new_post(world)
    post = article(6)
    for number in range(20):
        world.now += timedelta(minutes=9)
        post = post.edited(f"Correction {number}.")
        world.web.pages[URL].body = atom([post, *articles(1, 2)])
        world.poll()
        world.settle()
    assert world.titles(PostState.READY) == [article(6).title]


def test_a_post_deleted_while_it_settles_is_withdrawn(world: World) -> None:
    _with_a_new_post(world)
    world.serves(atom(articles(1, 2)))
    assert world.settle() == 0
    assert world.titles(PostState.GONE) == [article(6).title]
