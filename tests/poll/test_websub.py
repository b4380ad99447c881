from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import FeedUnreachable
from newsletter.guard.http import HttpClient
from newsletter.model.feed import Feed, FeedState
from newsletter.poll.websub import (
    ask_hub,
    confirm,
    is_genuine,
    reachable,
    receive_push,
    receive_verification,
    subscribe_due,
)
from tests.intake.world import CannedWeb, Page

NOW = datetime(2026, 5, 10, 8, 0, tzinfo=UTC)
HUB, BASE = "https://hub.example/", "https://news.example"
FEED = Feed(
    id=4, url="https://blog.example/feed", added_at=NOW, hub_url=HUB, self_url="https://blog.example/self"
)
ASKED = replace(FEED, hub_secret="s3cret", hub_lease_until=NOW + timedelta(days=5))
QUERY = {
    "hub.mode": "subscribe",
    "hub.topic": FEED.self_url,
    "hub.challenge": "abc",
    "hub.lease_seconds": "259200",
}


class Feeds:
    """What WebSub uses of the feed store, on a list."""

    def __init__(self, *feeds: Feed) -> None:
        self.feeds = feeds
        self.saved: list[tuple[int, str, datetime | None]] = []
        self.due: list[tuple[int, datetime]] = []

    def get(self, feed_id: int) -> Feed:
        return next(feed for feed in self.feeds if feed.id == feed_id)

    def poll_at_once(self, feed_id: int, now: datetime, reason: str) -> None:
        self.due.append((feed_id, now))

    def set_hub(self, feed_id: int, *, secret: str, lease_until: datetime | None) -> None:
        self.saved.append((feed_id, secret, lease_until))

    def hubs_due(self, until: datetime, *, limit: int) -> Sequence[Feed]:
        return self.feeds[:limit]


class Unit:
    def __init__(self, feeds: Feeds) -> None:
        self.feeds = feeds


def _subscribe(feeds: Feeds, web: CannedWeb | HttpClient) -> list[str]:
    @contextmanager
    def work() -> Iterator[Unit]:
        yield Unit(feeds)

    return subscribe_due(work, web, BASE, new_secret=lambda: "fresh", now=NOW)


def _web(status: int) -> CannedWeb:
    web = CannedWeb()
    web.pages[HUB] = Page(status=status)
    return web


def test_the_hub_is_told_topic_callback_and_secret_after_they_are_stored() -> None:
    feeds, web = Feeds(FEED), _web(202)
    assert _subscribe(feeds, web) == []
    [(url, sent)] = web.posted
    assert (url, sent["hub.mode"], sent["hub.topic"]) == (HUB, "subscribe", FEED.self_url)
    assert (sent["hub.callback"], sent["hub.secret"]) == (f"{BASE}/hooks/websub/4", "fresh")
    [(feed_id, secret, until)] = feeds.saved
    assert (feed_id, secret) == (4, "fresh")
    assert until is not None and NOW < until < NOW + timedelta(days=2)


@pytest.mark.parametrize(
    ("base_url", "publicly", "privately"),
    [
        ("https://news.example", True, True),
        ("http://news.example", False, True),
        ("https://192.168.1.4", False, True),
        ("https://localhost:8000", False, True),
        ("http://localhost:8000", False, True),
        ("", False, False),
    ],
)
def test_hubs_are_asked_only_where_they_can_reach_us(base_url: str, publicly: bool, privately: bool) -> None:
    assert reachable(base_url, allow_private=False) is publicly
    assert reachable(base_url, allow_private=True) is privately


def test_a_few_hubs_are_asked_at_a_time() -> None:
    web = _web(202)
    _subscribe(Feeds(*(replace(FEED, id=number) for number in range(1, 30))), web)
    assert 0 < len(web.posted) < 10


def test_a_hub_that_refuses_is_a_problem_of_that_feed_only() -> None:
    problems = _subscribe(Feeds(FEED, replace(FEED, id=5)), _web(500))
    assert len(problems) == 2
    assert "refuses to tell us of new posts (HTTP 500)" in problems[0]
    with pytest.raises(FeedUnreachable):
        ask_hub(FEED, f"{BASE}/x", "s", _web(400))


def test_a_hub_at_no_address_keeps_no_other_from_being_asked() -> None:
    feeds = [replace(FEED, id=4, hub_url="http://xn--/"), replace(FEED, id=5, hub_url="http://xn--a.com/")]
    with HttpClient() as http:
        problems = _subscribe(Feeds(*feeds), http)
    assert [problem.partition(": ")[2] for problem in problems] == ["That is not a web address."] * 2


def test_what_we_asked_for_is_confirmed_with_the_challenge() -> None:
    confirmed = confirm(ASKED, QUERY, NOW)
    assert confirmed is not None
    assert (confirmed.challenge, confirmed.lease_until) == ("abc", NOW + timedelta(days=3))


def test_a_lease_is_believed_for_two_weeks_at_most() -> None:
    confirmed = confirm(ASKED, {**QUERY, "hub.lease_seconds": "999999999"}, NOW)
    assert confirmed is not None and confirmed.lease_until == NOW + timedelta(days=14)


@pytest.mark.parametrize("seconds", ["0", "1", "3600"])
def test_a_hub_that_grants_minutes_is_asked_again_in_an_hour_and_not_at_every_turn(seconds: str) -> None:
    confirmed = confirm(ASKED, {**QUERY, "hub.lease_seconds": seconds}, NOW)
    assert confirmed is not None
    renewed_at = confirmed.lease_until - timedelta(days=1)  # a day before it ends
    assert renewed_at == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("feed", "change"),
    [
        (FEED, {}),
        (replace(ASKED, state=FeedState.REMOVED), {}),
        (ASKED, {"hub.topic": "https://evil.example/"}),
        (ASKED, {"hub.mode": "unsubscribe"}),
        (ASKED, {"hub.challenge": ""}),
    ],
)
def test_what_we_did_not_ask_for_is_not_confirmed(feed: Feed, change: dict[str, str]) -> None:
    assert confirm(feed, {**QUERY, **change}, NOW) is None


@given(body=st.binary(max_size=200), method=st.sampled_from(["sha1", "sha256", "sha512"]))
def test_only_the_holder_of_the_secret_can_sign(body: bytes, method: str) -> None:
    signature = f"{method}={hmac.new(b's3cret', body, method).hexdigest()}"
    assert is_genuine(body, signature, "s3cret")
    assert not is_genuine(body + b"x", signature, "s3cret")
    assert not is_genuine(body, signature, "other")
    assert not is_genuine(body, signature, "")


@given(st.text(max_size=80))
def test_any_signature_is_judged(signature: str) -> None:
    assert not is_genuine(b"body", signature, "s3cret")


def test_a_confirmed_subscription_is_stored_and_echoed() -> None:
    feeds = Feeds(ASKED)
    assert receive_verification(Unit(feeds), 4, QUERY, NOW) == "abc"
    assert feeds.saved == [(4, "s3cret", NOW + timedelta(days=3))]
    assert receive_verification(Unit(feeds), 4, {**QUERY, "hub.topic": "x"}, NOW) is None


def test_a_genuine_push_makes_the_feed_due_and_a_forged_one_does_nothing() -> None:
    feeds = Feeds(ASKED)
    signature = f"sha256={hmac.new(b's3cret', b'body', 'sha256').hexdigest()}"
    assert not receive_push(Unit(feeds), 4, b"forged", signature, NOW)
    assert not receive_push(Unit(Feeds(replace(ASKED, state=FeedState.REMOVED))), 4, b"body", signature, NOW)
    assert feeds.due == []
    assert receive_push(Unit(feeds), 4, b"body", signature, NOW)
    assert feeds.due == [(4, NOW)]
