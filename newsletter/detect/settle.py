"""Lets posts that have settled become ready."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from newsletter.model.feed import Feed
from newsletter.model.policy import PollPolicy
from newsletter.model.post import Post, PostState

_NO_ANSWER = timedelta(hours=1)  #: after which a post no longer waits for its feed to be read again


class SettlePosts(Protocol):
    def settled(self, now: datetime) -> Sequence[Post]: ...
    def move(self, post_id: int, to: PostState, reason: str, now: datetime) -> Post: ...


class SettleFeeds(Protocol):
    def get(self, feed_id: int) -> Feed: ...


class SettleUnit(Protocol):
    @property
    def posts(self) -> SettlePosts: ...
    @property
    def feeds(self) -> SettleFeeds: ...


def settle_due(unit: SettleUnit, policy: PollPolicy, now: datetime) -> int:
    """Makes settled posts ready; returns how many.

    A post is settled when its time is over and its feed was read once more after that, so that the last
    correction is in. A feed that cannot be read keeps it waiting for an hour at most.
    """
    count = 0
    feeds: dict[int, Feed] = {}
    for post in unit.posts.settled(now):
        assert post.settle_until is not None  # those asked for have one
        feed = feeds.setdefault(post.feed_id, unit.feeds.get(post.feed_id))
        read_again = feed.polled_at is not None and feed.polled_at >= post.settle_until and not feed.failures
        if read_again or now >= post.settle_until + _NO_ANSWER or policy.settle <= timedelta(0):
            unit.posts.move(post.id, PostState.READY, "It is new, and its time for corrections is over.", now)
            count += 1
    return count
