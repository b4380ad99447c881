"""Servers that mislead, and servers that are slow: polite to each, patient with none at the others' cost."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from email.utils import format_datetime
from random import Random

import pytest

from newsletter.guard.http import HttpClient
from newsletter.model.feed import Feed, FeedState, PollResult
from newsletter.model.post import PostState
from newsletter.poll import fetch
from newsletter.steps import polling
from newsletter.steps.polling import poll_due
from tests.guard.listener import Answer, Listener, reply
from tests.guard.test_http_limits import gzip_bomb
from tests.intake.blog import article, articles, atom
from tests.intake.world import URL, Page, World

OLD = atom(articles(1, 2, 3))
MOVED = "https://new.example/feed"


def _feed(world: World) -> Feed:
    with world.work() as unit:
        return unit.feeds.get(world.feed_id)


def _later(world: World, hours: float = 1) -> PollResult:
    world.now += timedelta(hours=hours)
    return world.poll().result


@pytest.mark.parametrize("status", [404, 410])
def test_a_new_address_that_breaks_is_not_moved_to(world: World, status: int) -> None:
    world.add(OLD)
    world.web.pages[URL] = Page(to=MOVED, status=301)
    world.web.pages[MOVED] = Page(body=OLD)
    _later(world)
    world.web.pages[MOVED] = Page(status=status)
    _later(world)
    assert (_feed(world).url, _feed(world).redirect_url) == (URL, MOVED)


def test_a_redirect_to_what_is_no_feed_is_never_adopted(world: World) -> None:
    world.add(OLD)
    world.web.pages[URL] = Page(to=MOVED, status=301)
    world.web.pages[MOVED] = Page(body=b"<html>This domain is for sale")
    for _ in range(10):
        assert _later(world, 30) is PollResult.FAILED
    assert (_feed(world).url, _feed(world).redirect_url) == (URL, "")


def test_a_feedburner_that_says_gone_is_read_past(world: World) -> None:
    blogger = "http://blog.example/feeds/posts/default"
    burner = "http://feeds.feedburner.com/TheBlog"
    world.add(OLD, url=blogger)
    world.web.pages[blogger] = Page(status=302, to=burner)
    world.web.pages[burner] = Page(status=410)
    world.web.pages[f"{blogger}?redirect=false&orderby=published"] = Page(body=atom(articles(1, 2, 3, 6)))
    assert _later(world) is PollResult.READ
    assert _feed(world).state is FeedState.ACTIVE
    assert world.titles(PostState.SETTLING) == [article(6).title]


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ("in 10 hours", "the server asked us to wait 10 hours"),
        ("an hour ago", "the last visit failed"),
        ("nonsense", "the last visit failed"),
        ("-5", "the last visit failed"),
        ("99999999999999999999", "the server asked us to wait 7 days"),
        ("²", "the last visit failed"),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_is_kept_to_where_it_makes_sense(
    world: World, status: int, stated: str, reason: str
) -> None:
    world.add(OLD)
    shift = {"in 10 hours": 10, "an hour ago": -1}.get(stated)
    value = stated if shift is None else format_datetime(world.now + timedelta(hours=shift), usegmt=True)
    world.web.pages[URL] = Page(status=status, headers={"retry-after": value})
    world.poll()
    assert _feed(world).next_poll_reason == reason


def test_a_validator_of_unreasonable_length_is_not_sent_back(world: World) -> None:
    world.add(OLD)
    headers = {"etag": '"' + "x" * 5_000 + '"', "last-modified": "Sun, 10 May 2026 06:00:00 GMT"}
    world.web.pages[URL] = Page(body=atom(articles(1, 2)), headers=headers)
    _later(world)
    _later(world)
    assert "If-None-Match" not in world.web.asked[-1][1]
    assert world.web.asked[-1][1]["If-Modified-Since"] == headers["last-modified"]


@pytest.mark.parametrize(
    ("headers", "body", "named"),
    [
        ({"cf-mitigated": "challenge"}, b"", True),
        ({"server": "cloudflare"}, b'<script src="/cdn-cgi/challenge-platform/h/b/chl_page/v1">', True),
        ({"server": "cloudflare"}, b"<h1>Sorry, you have been blocked</h1>", False),
        ({"server": "nginx"}, b"", False),
    ],
)  # fmt: skip
def test_a_browser_check_is_told_from_a_refusal(
    world: World, headers: dict[str, str], body: bytes, named: bool
) -> None:
    world.add(OLD)
    challenge = reply(body, status="403 Forbidden", headers=headers)
    with Listener(challenge) as server, HttpClient(allow_private=True) as http:
        with world.work() as unit:
            feed = unit.feeds.add(server.url, now=world.now)
        polled = polling.poll_feed(feed.id, world.work, http, world.parser, world.policy, world.clock)
    assert ("Cloudflare challenge" in polled.problem) is named
    assert named or "refuses to give it to us (HTTP 403)" in polled.problem


def _trickle(request: bytes) -> Iterator[bytes]:
    """One byte at a time, never done: each byte would renew an ordinary time-out."""
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    while True:
        yield b"<"
        time.sleep(0.05)


def test_servers_that_trickle_delay_no_feed_beyond_their_own_deadline(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "DEADLINE_S", 3.0)
    with ExitStack() as stack:
        slow = [stack.enter_context(Listener(_trickle)) for _ in range(polling.AT_ONCE - 1)]
        good = [stack.enter_context(Listener(reply(OLD))) for _ in range(10)]
        # One host is asked twice at a time, so that each blog here has a name of its own.
        http = stack.enter_context(HttpClient(allow_private=True, resolver=lambda host, port: ["127.0.0.1"]))
        with world.work() as unit:
            for number, server in enumerate((*slow, *good)):
                unit.feeds.add(f"http://blog{number}.example:{server.port}/", now=world.now)
        polled = poll_due(world.work, http, world.parser, world.policy, world.clock)
    problems = [one.problem for one in polled]
    assert problems[: len(good)] == [""] * len(good), "stored while the slow ones were still awaited"
    assert len(problems) == len(good) + len(slow)
    assert all("did not answer completely within 3 s" in told for told in problems[len(good) :])


def test_feeds_that_failed_last_time_are_looked_at_after_the_others(world: World) -> None:
    with world.work() as unit:
        bad = unit.feeds.add("http://bad.example/", now=world.now)
    world.poll_due()
    world.now += timedelta(days=1)
    with world.work() as unit:
        good = unit.feeds.add("http://good.example/", now=world.now)
        [first] = unit.feeds.claim_due(world.now, lease=timedelta(minutes=1), token="a", limit=1)
        [second] = unit.feeds.claim_due(world.now, lease=timedelta(minutes=1), token="b", limit=1)
    assert (first.id, second.id) == (good.id, bad.id)


def test_bombs_loops_and_nonsense_each_end_in_one_sentence(world: World) -> None:
    def around(request: bytes) -> Iterable[bytes]:
        return [reply(status="302 Found", headers={"Location": f"/{Random(request).random()}"})]

    answers: dict[str, Answer | bytes] = {
        "longer than 10 MiB": reply(gzip_bomb(), headers={"Content-Encoding": "gzip"}),
        "redirected once more after 5 redirects": around,
        "not packed as it says": reply(b"plain", headers={"Content-Encoding": "gzip"}),
        "not proper HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
        "the answer is empty": reply(b""),
        "broke off": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n<rss>",
        "gave no feed (HTTP 204)": reply(status="204 No Content", length=False),
        "not a web address": reply(status="302 Found", headers={"Location": "http://[::1"}),
        "not a web address ": reply(status="302 Found", headers={"Location": "http://xn--a.com/"}),
        "asks for a password": reply(status="401 Unauthorized"),
    }
    with ExitStack() as stack:
        http = stack.enter_context(HttpClient(allow_private=True))
        for expected, answer in answers.items():
            server = stack.enter_context(Listener(answer))
            with world.work() as unit:
                feed = unit.feeds.add(server.url, now=world.now)
            polled = polling.poll_feed(feed.id, world.work, http, world.parser, world.policy, world.clock)
            assert expected.strip() in polled.problem, polled.problem
            assert polled.result is PollResult.FAILED


def test_another_hub_is_asked_at_once_and_the_same_one_is_not_asked_again(world: World) -> None:
    def document(hub: str, *numbers: int) -> bytes:
        return atom(articles(*numbers), extra=f"<link rel='hub' href='{hub}'/>")

    world.add(document("https://one.example/", 1, 2))
    lease = world.now + timedelta(days=9)
    with world.work() as unit:
        unit.feeds.set_hub(world.feed_id, secret="s", lease_until=lease)
    world.serves(document("https://one.example/", 1, 2, 3))
    assert _feed(world).hub_lease_until == lease
    world.serves(document("https://two.example/", 1, 2, 3, 4))
    assert (_feed(world).hub_url, _feed(world).hub_lease_until) == ("https://two.example/", None)


def test_older_pages_are_not_asked_for_without_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(OLD)
    monkeypatch.setattr(polling, "PAGING_S", -1.0)
    asked = len(world.web.asked)
    world.serves(atom(articles(9), extra="<link rel='next' href='http://blog.example/feed?page=2'/>"))
    assert len(world.web.asked) == asked + 1
