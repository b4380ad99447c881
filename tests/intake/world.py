"""A world for intake tests: a real database, the real parser, a web of canned answers and a clock to turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from newsletter.detect import settle_due
from newsletter.errors import RequestFailed
from newsletter.guard.http import Hop, Response
from newsletter.model.policy import PollPolicy
from newsletter.model.post import Post, PostState
from newsletter.poll.parser import Parser
from newsletter.steps.polling import Polled, poll_due, poll_feed
from newsletter.store.database import Database
from newsletter.store.feeds import Feeds
from newsletter.store.issue_posts import IssuePosts
from newsletter.store.posts import Posts

_NONE: Mapping[str, str] = {}
START = datetime(2026, 5, 10, 8, 0, tzinfo=UTC)
URL = "http://blog.example/feed"


@dataclass
class Page:
    """What one address answers."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    to: str = ""  #: for a redirect


class CannedWeb:
    """Answers like :class:`newsletter.guard.http.HttpClient`, from a table; remembers what was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.posted: list[tuple[str, dict[str, str]]] = []

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] = _NONE,
        max_bytes: int = 0,
        deadline_s: float = 0,
        max_redirects: int = 5,
    ) -> Response:
        self.asked.append((url, dict(headers)))
        hops: list[Hop] = []
        while True:
            page = self.pages.get(url, Page(status=404))
            if page.status == 0:
                raise RequestFailed("There is no connection.", url=url)
            if not page.to:
                break
            hops.append(Hop(url=url, status=page.status))
            url = page.to
        status = page.status
        if status == 200 and headers.get("If-None-Match", "") == page.headers.get("etag", "-"):
            status = 304
        return Response(
            url=url,
            status=status,
            headers=page.headers,
            body=page.body if status == 200 else b"",
            hops=tuple(hops),
            elapsed_ms=1,
        )

    def post(
        self,
        url: str,
        *,
        data: Mapping[str, str],
        headers: Mapping[str, str] = _NONE,
        max_bytes: int = 0,
        deadline_s: float = 0,
    ) -> Response:
        self.posted.append((url, dict(data)))
        page = self.pages.get(url, Page(status=404))
        return Response(
            url=url, status=page.status, headers=page.headers, body=page.body, hops=(), elapsed_ms=1
        )


class _Unit:
    def __init__(self, conn: Connection) -> None:
        self.feeds = Feeds(conn)
        self.posts = Posts(conn)
        self.issue_posts = IssuePosts(conn)


class World:
    def __init__(self, database: Database, parser: Parser, policy: PollPolicy) -> None:
        self.database, self.parser, self.policy = database, parser, policy
        self.web = CannedWeb()
        self.now = START
        self.work: Callable[[], AbstractContextManager[_Unit]] = self._work
        self.feed_id = 0  #: of the feed that was added first

    @contextmanager
    def _work(self) -> Iterator[_Unit]:
        with self.database.write() as conn:
            yield _Unit(conn)

    def clock(self) -> datetime:
        return self.now

    def add(self, body: bytes, url: str = URL) -> int:
        """Adds a feed, and polls it for the first time."""
        self.web.pages[url] = Page(body=body)
        with self.work() as unit:
            feed = unit.feeds.add(url, now=self.now)
        self.feed_id = self.feed_id or feed.id
        self.poll(feed.id)
        return feed.id

    def poll(self, feed_id: int = 0) -> Polled:
        return poll_feed(feed_id or self.feed_id, self.work, self.web, self.parser, self.policy, self.clock)

    def poll_due(self) -> Sequence[Polled]:
        return poll_due(self.work, self.web, self.parser, self.policy, self.clock)

    def serves(self, body: bytes, url: str = URL) -> Polled:
        """From now on the feed gives this; an hour later it is polled."""
        self.web.pages[url] = Page(body=body)
        self.now += timedelta(hours=1)
        with self.work() as unit:
            feed = unit.feeds.by_url(url)
        assert feed is not None
        return self.poll(feed.id)

    def settle(self) -> int:
        with self.work() as unit:
            return settle_due(unit, self.policy, self.now)

    def posts(self, *states: PostState) -> list[Post]:
        with self.work() as unit:
            found = unit.posts.list(limit=10_000)
        return sorted(
            (post for post in found if not states or post.state in states), key=lambda post: post.id
        )

    def titles(self, *states: PostState) -> list[str]:
        return [post.title for post in self.posts(*states)]
