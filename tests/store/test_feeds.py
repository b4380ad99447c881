"""Feeds and their poll log on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from newsletter.errors import NotFound
from newsletter.model.feed import Feed, FeedState, Poll, PollResult, Validators
from newsletter.store.database import Database
from newsletter.store.feeds import Feeds

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)
URL = "http://blog.example/feed"


@pytest.fixture
def conn(migrated: Database) -> Iterator[Connection]:
    with migrated.write() as connection:
        yield connection


@pytest.fixture
def feeds(conn: Connection) -> Feeds:
    return Feeds(conn)


def _poll(feed: Feed, at: datetime = NOW, **values: object) -> Poll:
    return replace(Poll(feed_id=feed.id, at=at, result=PollResult.READ), **values)  # type: ignore[arg-type]


def test_a_feed_is_due_as_soon_as_it_is_added(feeds: Feeds) -> None:
    feed = feeds.add(URL, now=NOW, title="The blog")
    assert (feed.url, feed.title, feed.state, feed.next_poll_at) == (URL, "The blog", FeedState.ACTIVE, NOW)
    assert feeds.claim_due(NOW, lease=LEASE, token="a", limit=10) == [feed]


def test_a_feed_added_twice_is_one_feed(feeds: Feeds) -> None:
    assert feeds.add(URL, now=NOW) == feeds.add(URL, now=NOW + timedelta(days=1))
    assert len(feeds.list()) == 1


def test_a_claimed_feed_is_claimed_by_nobody_else_until_its_lease_ends(feeds: Feeds) -> None:
    feed = feeds.add(URL, now=NOW)
    assert feeds.claim(feed.id, NOW, lease=LEASE, token="a") is not None
    assert feeds.claim(feed.id, NOW, lease=LEASE, token="b") is None
    assert not feeds.claim_due(NOW, lease=LEASE, token="b", limit=10)
    assert feeds.holds(feed.id, "a") and not feeds.holds(feed.id, "b")
    assert feeds.claim_due(NOW + LEASE, lease=LEASE, token="b", limit=10)
    assert feeds.holds(feed.id, "b") and not feeds.holds(feed.id, "a")


def test_the_longest_overdue_feeds_are_claimed_first(feeds: Feeds) -> None:
    late = feeds.add("http://a.example/", now=NOW)
    later = feeds.add("http://b.example/", now=NOW - timedelta(hours=1))
    claimed = feeds.claim_due(NOW, lease=LEASE, token="a", limit=1)
    assert [feed.id for feed in claimed] == [later.id]
    assert [feed.id for feed in feeds.claim_due(NOW, lease=LEASE, token="a", limit=9)] == [late.id]


def test_a_feed_that_is_not_due_paused_or_removed_is_not_claimed(feeds: Feeds) -> None:
    paused, removed = feeds.add("http://a.example/", now=NOW), feeds.add("http://b.example/", now=NOW)
    feeds.set_state(paused.id, FeedState.PAUSED, NOW)
    feeds.remove(removed.id, now=NOW)
    assert not feeds.claim_due(NOW + timedelta(days=9), lease=LEASE, token="a", limit=10)
    feeds.add("http://c.example/", now=NOW)
    assert not feeds.claim_due(NOW - timedelta(seconds=1), lease=LEASE, token="a", limit=10)


def test_a_saved_poll_keeps_every_field_of_the_feed_ends_the_lease_and_is_logged(feeds: Feeds) -> None:
    feed = feeds.add(URL, now=NOW)
    feeds.claim(feed.id, NOW, lease=LEASE, token="a")
    learnt = replace(
        feed,
        title="Title",
        subtitle="Sub",
        site_url="http://blog.example/",
        language="de",
        validators=Validators(etag='W/"x"', last_modified="yesterday"),
        body_sha="ab",
        interval_s=3600,
        ttl_s=60,
        polled_at=NOW,
        next_poll_at=NOW + LEASE,
        next_poll_reason="every hour",
        baseline_at=NOW,
        full_fetch_at=NOW,
        failures=2,
        problem="A problem.",
        redirect_url="http://new.example/",
        redirect_since=NOW,
        hub_url="http://hub.example/",
        self_url=URL,
    )
    poll = _poll(feed, status=200, size=5, entries=3, new=1, next_poll_at=NOW + LEASE, next_poll_reason="x")
    feeds.save_poll(learnt, poll)
    assert feeds.get(feed.id) == learnt
    assert feeds.polls(feed.id) == [poll]
    assert not feeds.holds(feed.id, "a")


def test_a_removed_feed_taken_up_again_draws_a_new_line(feeds: Feeds) -> None:
    feed = feeds.add(URL, now=NOW)
    feeds.save_poll(replace(feed, baseline_at=NOW, body_sha="ab"), _poll(feed))
    feeds.remove(feed.id, now=NOW)
    assert feeds.list() == []
    again = feeds.add(URL, now=NOW + timedelta(days=400))
    assert (again.id, again.state, again.baseline_at, again.body_sha) == (feed.id, FeedState.ACTIVE, None, "")


def test_a_paused_feed_taken_up_again_keeps_its_line(feeds: Feeds) -> None:
    feed = feeds.add(URL, now=NOW)
    feeds.save_poll(replace(feed, baseline_at=NOW), _poll(feed))
    feeds.set_state(feed.id, FeedState.PAUSED, NOW)
    assert feeds.set_state(feed.id, FeedState.ACTIVE, NOW).baseline_at == NOW


def test_old_log_lines_are_dropped_and_young_ones_kept(feeds: Feeds) -> None:
    feed = feeds.add(URL, now=NOW)
    for days in (100, 91, 1):
        feeds.save_poll(feed, _poll(feed, NOW - timedelta(days=days)))
    assert feeds.prune_polls(NOW - timedelta(days=90)) == 2
    assert [poll.at for poll in feeds.polls(feed.id)] == [NOW - timedelta(days=1)]


def test_a_feed_can_be_made_due_at_once(feeds: Feeds) -> None:
    feed = feeds.add(URL, now=NOW)
    feeds.save_poll(replace(feed, next_poll_at=NOW + LEASE), _poll(feed))
    feeds.poll_at_once(feed.id, NOW, "the blog said that it has something new")
    due = feeds.get(feed.id)
    assert (due.next_poll_at, due.next_poll_reason) == (NOW, "the blog said that it has something new")


def test_a_hub_subscription_is_remembered_and_ended(feeds: Feeds) -> None:
    feed = feeds.add(URL, now=NOW)
    feeds.set_hub(feed.id, secret="s", lease_until=NOW)
    assert (feeds.get(feed.id).hub_secret, feeds.get(feed.id).hub_lease_until) == ("s", NOW)
    feeds.set_hub(feed.id, secret="", lease_until=None)
    assert feeds.get(feed.id).hub_secret == ""


def test_full_text_can_be_asked_for(feeds: Feeds) -> None:
    assert feeds.set_full_text(feeds.add(URL, now=NOW).id, True).full_text


def test_an_unknown_feed_is_told(feeds: Feeds) -> None:
    with pytest.raises(NotFound, match="no feed 7"):
        feeds.get(7)
    with pytest.raises(NotFound, match="no feed 7"):
        feeds.claim(7, NOW, lease=LEASE, token="a")


def test_a_hub_is_due_before_its_lease_ends_and_never_for_a_feed_that_is_not_watched(feeds: Feeds) -> None:
    plain, fresh, nearly, later, paused = (
        feeds.add(f"http://blog.example/{number}", now=NOW).id for number in range(5)
    )
    for feed_id in (fresh, nearly, later, paused):
        feed = feeds.get(feed_id)
        feeds.save_poll(replace(feed, hub_url="http://hub.example/"), _poll(feed))
    feeds.set_hub(nearly, secret="s", lease_until=NOW + timedelta(hours=1))
    feeds.set_hub(later, secret="s", lease_until=NOW + timedelta(days=5))
    feeds.set_state(paused, FeedState.PAUSED, NOW)
    assert {feed.id for feed in feeds.hubs_due(NOW + timedelta(days=1), limit=9)} == {fresh, nearly}
    assert len(feeds.hubs_due(NOW + timedelta(days=1), limit=1)) == 1
    assert plain not in {feed.id for feed in feeds.hubs_due(NOW + timedelta(days=30), limit=9)}


def test_a_lease_is_renewed_only_by_whoever_holds_it(feeds: Feeds) -> None:
    feed = feeds.add("https://kept.example/feed", now=NOW)
    assert feeds.claim(feed.id, NOW, lease=timedelta(seconds=30), token="mine")
    feeds.renew("another", NOW + timedelta(hours=1))
    feeds.renew("mine", NOW + timedelta(seconds=60))
    assert feeds.claim(feed.id, NOW + timedelta(seconds=45), lease=timedelta(seconds=30), token="x") is None
    assert feeds.claim(feed.id, NOW + timedelta(seconds=61), lease=timedelta(seconds=30), token="x")
    feeds.renew("mine", NOW + timedelta(hours=1))
    assert not feeds.holds(feed.id, "mine"), "what was taken over stays lost"
