from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.model.feed import Feed
from newsletter.poll.redirects import fall_back, follow

NOW = datetime(2026, 5, 10, 8, 0, tzinfo=UTC)
FEED = Feed(id=1, url="http://blog.example/feed", added_at=NOW)
MOVED = "https://new.example/feed"


def test_https_at_the_same_address_is_adopted_at_once() -> None:
    assert follow(FEED, "https://blog.example/feed", NOW).url == "https://blog.example/feed"


@pytest.mark.parametrize(
    "target", ["https://evil.example/feed", "https://blog.example/other", "https://blog.example:8443/feed"]
)
def test_anything_else_is_adopted_only_after_a_week(target: str) -> None:
    noted = follow(FEED, target, NOW)
    assert (noted.url, noted.redirect_url, noted.redirect_since) == (FEED.url, target, NOW)
    assert follow(noted, target, NOW + timedelta(days=6)).url == FEED.url
    assert follow(noted, target, NOW + timedelta(days=7)).url == target


def test_another_target_starts_the_week_again() -> None:
    noted = follow(FEED, MOVED, NOW)
    later = follow(noted, "https://third.example/feed", NOW + timedelta(days=5))
    assert later.redirect_since == NOW + timedelta(days=5)


def test_a_redirect_that_ends_is_forgotten() -> None:
    assert follow(follow(FEED, MOVED, NOW), "", NOW).redirect_url == ""


def test_an_old_address_that_is_gone_gives_way_to_the_one_it_redirected_to() -> None:
    moved = fall_back(replace(FEED, redirect_url=MOVED, redirect_since=NOW), FEED.url)
    assert moved is not None and (moved.url, moved.redirect_url) == (MOVED, "")
    assert fall_back(FEED, FEED.url) is None


def test_a_new_address_that_is_not_there_itself_is_not_moved_to() -> None:
    assert fall_back(replace(FEED, redirect_url=MOVED, redirect_since=NOW), MOVED) is None
