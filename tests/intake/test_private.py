"""What a feed says never leads to a private address: real listeners there see no connection."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from newsletter.errors import FeedProblem, FeedUnreachable
from newsletter.guard.dial import resolve
from newsletter.guard.http import HttpClient
from newsletter.model.feed import Feed
from newsletter.model.policy import PollPolicy
from newsletter.poll import find_feeds
from newsletter.poll.fulltext import full_text
from newsletter.poll.parser import Parser
from newsletter.poll.websub import ask_hub
from newsletter.steps.polling import poll_feed
from tests.guard.listener import Listener, reply
from tests.intake.blog import articles, atom
from tests.intake.world import World

NOW = datetime(2026, 5, 10, 8, 0, tzinfo=UTC)
PUBLIC = "93.184.216.34"  # nobody is asked there: what is dialled is led to a listener of the test
BLOG = "http://blog.example/feed"


@pytest.fixture
def secret() -> Iterator[Listener]:
    """A service of the inner network that answers everything with a feed."""
    with Listener(reply(atom(articles(9)))) as server:
        yield server


class Outside:
    """A world where blog.example is public and everything else is what it is."""

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers = list(answers)

    def __call__(self, host: str, port: int) -> Sequence[str]:
        if not host.endswith("blog.example"):
            return resolve(host, port)
        return [self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]]


def led_to(monkeypatch: pytest.MonkeyPatch, server: Listener) -> None:
    """Lets connections to the public address end at ``server``, all others go where they go."""
    connect = socket.create_connection

    def wire(address: tuple[str, int], timeout: float) -> socket.socket:
        target = ("127.0.0.1", server.port) if address[0] == PUBLIC else address
        made: Any = connect(target, timeout)
        assert isinstance(made, socket.socket)
        return made

    monkeypatch.setattr(socket, "create_connection", wire)


def polled(world: World, url: str, http: HttpClient) -> str:
    """The problem that a poll of this address ends in."""
    with world.work() as unit:
        feed = unit.feeds.add(url, now=world.now)
    return poll_feed(feed.id, world.work, http, world.parser, PollPolicy(), world.clock).problem


def test_a_feed_at_a_private_address_is_never_asked(world: World, secret: Listener) -> None:
    with HttpClient() as http:
        assert "private or reserved" in polled(world, secret.url, http)
    assert secret.connections == 0


def test_a_feed_that_redirects_to_a_private_address_is_not_followed(
    world: World, secret: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    jump = reply(status="301 Moved Permanently", headers={"Location": secret.url})
    with Listener(jump) as public, HttpClient(resolver=Outside([PUBLIC])) as http:
        led_to(monkeypatch, public)
        assert "private or reserved" in polled(world, BLOG, http)
        assert public.connections == 1
    assert secret.connections == 0
    assert world.posts() == []


def test_a_name_that_turns_private_between_two_polls_is_refused_at_the_second(
    world: World, secret: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing = reply(atom(articles(1, 2)), headers={"Connection": "close"})
    with Listener(closing) as public, HttpClient(resolver=Outside([PUBLIC, "127.0.0.1"])) as http:
        led_to(monkeypatch, public)
        url = f"http://blog.example:{80}/feed"
        assert polled(world, url, http) == ""
        monkeypatch.undo()
        led_to(monkeypatch, secret)  # the public address would lead there too, were it dialled
        world.now = world.now.replace(day=11)
        assert "private or reserved" in polled(world, url, http)
    assert secret.connections == 0


def test_an_older_page_at_a_private_address_is_not_fetched(
    world: World, secret: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, later = atom(articles(1, 2)), atom(articles(5, 6), extra=f'<link rel="next" href="{secret.url}"/>')
    with HttpClient(resolver=Outside([PUBLIC])) as http:
        for document in (first, later):
            with Listener(reply(document, headers={"Connection": "close"})) as public:
                led_to(monkeypatch, public)
                assert polled(world, BLOG, http) == ""
                monkeypatch.undo()
    assert secret.connections == 0
    assert [post.title for post in world.posts()] == [
        *(post.title for post in articles(1, 2)[::-1]), *(post.title for post in articles(5, 6)[::-1])
    ]  # fmt: skip


def test_a_hub_at_a_private_address_is_not_asked(secret: Listener) -> None:
    feed = Feed(id=1, url=BLOG, added_at=NOW, hub_url=secret.url)
    with HttpClient() as http, pytest.raises(FeedUnreachable, match="private or reserved"):
        ask_hub(feed, "https://news.example/hooks/websub/1", "s", http)
    assert secret.connections == 0


def test_a_post_whose_page_is_at_a_private_address_keeps_its_summary(secret: Listener) -> None:
    with HttpClient() as http:
        assert full_text(secret.url, "A summary", http) is None
    assert secret.connections == 0


def test_discovery_never_follows_a_page_to_a_private_address(
    secret: Listener, parser: Parser, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = f'<html><link rel="alternate" type="application/rss+xml" href="{secret.url}"></html>'.encode()
    with Listener(reply(page)) as public, HttpClient(resolver=Outside([PUBLIC])) as http:
        led_to(monkeypatch, public)
        assert find_feeds("http://blog.example/", http, parser) == []
        monkeypatch.undo()
        with pytest.raises(FeedProblem, match="private or reserved"):
            find_feeds(secret.url, http, parser)
    assert secret.connections == 0
