"""WebSub (https://www.w3.org/TR/websub/): a hub tells us at once that a feed has something new.

An accelerator only. A push makes the feed due and nothing of it is believed beyond that; polling goes on
as if there were no hub, since hubs forget.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from newsletter.errors import FeedUnreachable, RequestProblem
from newsletter.guard.http import is_private_host
from newsletter.model.feed import Feed, FeedState
from newsletter.poll.ports import Http

LEASE = timedelta(days=10)  #: asked for
LONGEST = timedelta(days=14)  #: believed
_RENEW_BEFORE = timedelta(days=1)
_SHORTEST = timedelta(hours=1)  #: between two requests of a hub, however short a lease it grants
_UNANSWERED = timedelta(hours=6)  #: after which a hub that never confirmed is asked again
_AT_ONCE = 5  #: hubs asked in one go: a slow one delays the next visit to a feed
_DEADLINE_S = 10.0
_METHODS = {"sha1", "sha256", "sha384", "sha512"}


class HubFeeds(Protocol):
    def get(self, feed_id: int) -> Feed: ...
    def poll_at_once(self, feed_id: int, now: datetime, reason: str) -> None: ...
    def hubs_due(self, until: datetime, *, limit: int) -> Sequence[Feed]: ...
    def set_hub(self, feed_id: int, *, secret: str, lease_until: datetime | None) -> None: ...


class HubUnit(Protocol):
    @property
    def feeds(self) -> HubFeeds: ...


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """Our agreement with a hub: ``challenge`` is echoed as the whole answer (200, text/plain)."""

    challenge: str
    lease_until: datetime


def callback_url(base_url: str, feed_id: int) -> str:
    return f"{base_url}/hooks/websub/{feed_id}"


def reachable(base_url: str, *, allow_private: bool) -> bool:
    """Whether hubs could call us back: over https at a public host, or anywhere in a world of one's own."""
    parts = urlsplit(base_url)
    if not parts.hostname:
        return False
    return allow_private or (parts.scheme == "https" and not is_private_host(base_url))


def subscribe_due(
    work: Callable[[], AbstractContextManager[HubUnit]],
    http: Http,
    base_url: str,
    *,
    new_secret: Callable[[], str],
    now: datetime,
) -> list[str]:
    """Asks hubs that were never asked, or whose lease is nearly over, a few at a time.

    Returns the problems, one sentence each. A hub that does not confirm is asked again after some hours. The
    caller has made sure that hubs can reach ``base_url``.
    """
    waiting = []
    with work() as unit:  # stored first: the hub may confirm before its answer is read
        for feed in unit.feeds.hubs_due(now + _RENEW_BEFORE, limit=_AT_ONCE):
            secret = feed.hub_secret or new_secret()
            unit.feeds.set_hub(feed.id, secret=secret, lease_until=now + _UNANSWERED + _RENEW_BEFORE)
            waiting.append((feed, secret))
    problems = []
    for feed, secret in waiting:
        try:
            ask_hub(feed, callback_url(base_url, feed.id), secret, http)
        except FeedUnreachable as problem:
            problems.append(str(problem))
    return problems


def ask_hub(feed: Feed, callback: str, secret: str, http: Http, *, mode: str = "subscribe") -> None:
    """Asks the feed's hub to (un)subscribe us. Raises FeedUnreachable where it refuses."""
    request = {
        "hub.mode": mode,
        "hub.topic": topic_of(feed),
        "hub.callback": callback,
        "hub.secret": secret,
        "hub.lease_seconds": str(int(LEASE.total_seconds())),
    }
    try:
        status = http.post(feed.hub_url, data=request, deadline_s=_DEADLINE_S).status
    except RequestProblem as problem:
        raise FeedUnreachable(
            f"The hub of feed {feed.url} cannot be asked: {problem.message}", url=feed.url
        ) from problem
    if status not in (202, 204, 200):
        raise FeedUnreachable(
            f"The hub of feed {feed.url} refuses to tell us of new posts (HTTP {status}).",
            url=feed.url,
            hint="It is polled as usual.",
        )


def topic_of(feed: Feed) -> str:
    """What the hub knows the feed by (section 4): its own word for itself, else the address we use."""
    return feed.self_url or feed.url


def confirm(feed: Feed, query: Mapping[str, str], now: datetime) -> Confirmed | None:
    """Answers a hub's verification of intent (section 5.3); None: we did not ask for this (404). Pure."""
    lease = query.get("hub.lease_seconds", "")
    asked = (
        query.get("hub.mode") == "subscribe"
        and query.get("hub.topic") == topic_of(feed)
        and feed.state is FeedState.ACTIVE
        and bool(feed.hub_secret)
        and bool(query.get("hub.challenge"))
    )
    if not asked:
        return None
    seconds = int(lease[:9]) if lease.isascii() and lease.isdigit() else int(LEASE.total_seconds())
    believed = min(max(timedelta(seconds=seconds), _RENEW_BEFORE + _SHORTEST), LONGEST)
    return Confirmed(challenge=query["hub.challenge"], lease_until=now + believed)


def is_genuine(body: bytes, signature: str, secret: str) -> bool:
    """Whether X-Hub-Signature (``sha256=…``, section 7) is the secret's over this body. Pure."""
    method, _, value = signature.strip().partition("=")
    if not secret or method.lower() not in _METHODS:
        return False
    expected = hmac.new(secret.encode(), body, method.lower()).hexdigest()
    return hmac.compare_digest(expected.encode(), value.strip().lower().encode())


def receive_verification(unit: HubUnit, feed_id: int, query: Mapping[str, str], now: datetime) -> str | None:
    """What to answer a hub that asks whether we want its pushes (GET): the text, or None for 404.

    Raises NotFound.
    """
    feed = unit.feeds.get(feed_id)
    confirmed = confirm(feed, query, now)
    if confirmed is None:
        return None
    unit.feeds.set_hub(feed_id, secret=feed.hub_secret, lease_until=confirmed.lease_until)
    return confirmed.challenge


def receive_push(unit: HubUnit, feed_id: int, body: bytes, signature: str, now: datetime) -> bool:
    """Makes a feed due because its hub says so (POST); False where the hub's signature is not good.

    Either way the hub is answered 202 (section 7.1): it must not learn which. Raises NotFound.
    """
    feed = unit.feeds.get(feed_id)
    if feed.state is not FeedState.ACTIVE or not is_genuine(body, signature, feed.hub_secret):
        return False
    unit.feeds.poll_at_once(feed_id, now, "the blog said that it has something new")
    return True
