"""Being polite: validators, redirects, failures, leases, and what is told of each poll."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from newsletter.errors import Conflict, NotFound
from newsletter.guard.http import HttpClient
from newsletter.model.entry import FeedDocument
from newsletter.model.feed import Feed, FeedState, PollResult, Validators
from newsletter.model.post import PostState
from newsletter.steps import polling
from newsletter.steps.filing import file_look
from newsletter.steps.polling import Polled, poll_due, poll_feed
from tests.intake.blog import article, articles, atom
from tests.intake.world import URL, Page, World
from tests.support.malformed import COMPUTES_FOR_EVER, traps

OLD, NEW = atom(articles(1, 2, 3)), atom(articles(1, 2, 3, 6))


def _feed(world: World) -> Feed:
    with world.work() as unit:
        return unit.feeds.get(world.feed_id)


def _answers(world: World, body: bytes = OLD, status: int = 200, to: str = "", **headers: str) -> None:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    world.web.pages[URL] = Page(body=body, status=status, headers=names, to=to)


def _poll_later(world: World, hours: float = 1) -> PollResult:
    world.now += timedelta(hours=hours)
    return world.poll().result


def test_validators_are_sent_back_verbatim_and_survive_a_304_without_any(world: World) -> None:
    world.add(OLD)
    _answers(world, NEW, etag='W/"a b"', last_modified="yesterday, I think")
    _poll_later(world)
    kept = Validators(etag='W/"a b"', last_modified="yesterday, I think")
    assert _feed(world).validators == kept
    world.web.pages[URL] = Page(status=304)
    assert _poll_later(world) is PollResult.UNCHANGED
    assert _poll_later(world) is PollResult.UNCHANGED
    asked = world.web.asked[-1][1]
    assert (asked["If-None-Match"], asked["If-Modified-Since"]) == ('W/"a b"', "yesterday, I think")
    assert _feed(world).validators == kept


def test_once_a_day_a_feed_is_asked_without_validators(world: World) -> None:
    world.add(OLD)
    _answers(world, OLD, etag='"lies"')
    _poll_later(world)
    _answers(world, NEW, etag='"lies"')
    assert _poll_later(world, 23) is PollResult.UNCHANGED
    assert _poll_later(world, 2) is PollResult.READ
    assert world.titles(PostState.SETTLING) == [article(6).title]


def test_a_failed_poll_changes_nothing_and_comes_again(world: World) -> None:
    world.add(OLD)
    before = _feed(world)
    _answers(world, status=503, retry_after="7200")
    world.now += timedelta(hours=1)
    polled = world.poll()
    assert polled.result is PollResult.FAILED
    assert polled.problem.startswith(
        f"The feed {URL} cannot be read: blog.example has a fault of its own (HTTP 503)."
    )
    assert polled.next_poll_reason == "the server asked us to wait 2 hours"
    after = _feed(world)
    assert (after.body_sha, after.validators, after.failures) == (before.body_sha, before.validators, 1)
    assert after.next_poll_at is not None and after.next_poll_at >= world.now + timedelta(hours=2)
    _answers(world, NEW)
    assert _poll_later(world) is PollResult.READ
    assert (_feed(world).failures, _feed(world).problem) == (0, "")


def test_a_feed_that_fails_for_months_is_still_polled_daily(world: World) -> None:
    world.add(OLD)
    _answers(world, status=0)
    for _ in range(40):
        _poll_later(world, 30)
    feed = _feed(world)
    assert (feed.state, feed.failures) == (FeedState.ACTIVE, 40)
    assert feed.next_poll_at is not None and feed.next_poll_at <= world.now + timedelta(hours=27)


def test_a_retry_date_is_kept_to(world: World) -> None:
    world.add(OLD)
    _answers(world, status=429, retry_after=format_datetime(world.now + timedelta(hours=10), usegmt=True))
    world.poll()
    assert _feed(world).next_poll_reason == "the server asked us to wait 10 hours"


def test_a_cloudflare_challenge_is_named(world: World) -> None:
    world.add(OLD)
    _answers(world, status=403, cf_mitigated="challenge")
    assert "Cloudflare challenge" in world.poll().problem


def test_a_feed_that_is_gone_is_asked_once_more_then_paused(world: World) -> None:
    world.add(OLD)
    _answers(world, status=410)
    assert _poll_later(world) is PollResult.GONE
    assert _feed(world).state is FeedState.ACTIVE
    assert _poll_later(world, 25) is PollResult.GONE
    feed = _feed(world)
    assert (feed.state, feed.next_poll_at) == (FeedState.PAUSED, None)
    assert "has ended (410 Gone)" in feed.problem


def test_https_is_adopted_at_once_another_host_after_a_week(world: World) -> None:
    world.add(OLD)
    secure, moved = "https://blog.example/feed", "https://new.example/feed"
    world.web.pages[secure] = Page(body=OLD)
    _answers(world, to=secure, status=301)
    _poll_later(world)
    assert _feed(world).url == secure
    world.web.pages[moved] = Page(body=OLD)
    world.web.pages[secure] = Page(to=moved, status=308)
    _poll_later(world)
    assert (_feed(world).url, _feed(world).redirect_url) == (secure, moved)
    _poll_later(world, 24 * 8)
    assert _feed(world).url == moved


def test_a_temporary_redirect_is_never_adopted(world: World) -> None:
    world.add(OLD)
    _answers(world, to="https://blog.example/feed", status=302)
    world.web.pages["https://blog.example/feed"] = Page(body=NEW)
    assert _poll_later(world) is PollResult.READ
    assert (_feed(world).url, _feed(world).redirect_url) == (URL, "")


def test_an_old_address_that_vanishes_gives_way_to_the_new_one(world: World) -> None:
    world.add(OLD)
    moved = "https://new.example/feed"
    world.web.pages[moved] = Page(body=OLD)
    _answers(world, to=moved, status=301)
    _poll_later(world)
    _answers(world, status=404)
    assert _poll_later(world) is PollResult.FAILED
    assert (_feed(world).url, _feed(world).next_poll_at) == (moved, world.now)
    assert _poll_later(world) is PollResult.UNCHANGED


def test_a_feed_is_never_moved_onto_another_one(world: World) -> None:
    world.add(OLD)
    secure = "https://blog.example/feed"
    world.add(OLD, url=secure)
    _answers(world, to=secure, status=301)
    _poll_later(world)
    assert _feed(world).url == URL


def test_what_is_no_feed_any_more_is_told_and_forgets_nothing(world: World) -> None:
    world.add(OLD)
    _answers(world, b"<html>Buy this domain</html>", etag='"new"')
    world.now += timedelta(hours=1)
    assert "it is a web page" in world.poll().problem
    _answers(world, NEW, etag='"new"')
    assert _poll_later(world) is PollResult.READ
    assert world.titles(PostState.SETTLING) == [article(6).title]


def test_every_poll_is_logged_with_what_came_back_and_what_comes_next(world: World) -> None:
    world.add(OLD)
    world.serves(NEW)
    with world.work() as unit:
        polls = unit.feeds.polls(world.feed_id)
    assert [(poll.result, poll.status, poll.entries, poll.new) for poll in polls] == [
        (PollResult.READ, 200, 4, 1),
        (PollResult.READ, 200, 3, 0),
    ]
    assert polls[0].size == len(NEW)
    assert polls[0].next_poll_reason == "a new post is read once more before it is mailed"


def test_a_feed_polled_by_somebody_else_is_left_alone(world: World) -> None:
    world.add(OLD)
    with world.work() as unit:
        unit.feeds.claim(world.feed_id, world.now, lease=timedelta(minutes=5), token="other")
    with pytest.raises(Conflict, match="being polled right now"):
        world.poll()
    assert world.poll_due() == []


def test_an_outdated_look_is_not_stored(world: World) -> None:
    world.add(OLD)
    _answers(world, NEW)

    class Slow:
        def parse(self, body: bytes, *, url: str, content_type: str = "") -> FeedDocument:
            with world.work() as unit:  # the lease ended meanwhile, and another process took the feed
                later = world.now + timedelta(minutes=11)
                unit.feeds.claim(world.feed_id, later, lease=timedelta(minutes=5), token="other")
            return world.parser.parse(body, url=url, content_type=content_type)

    with pytest.raises(Conflict, match="by another process meanwhile"):
        poll_feed(world.feed_id, world.work, world.web, Slow(), world.policy, world.clock)
    assert world.titles(PostState.SETTLING) == []


def test_polling_an_unknown_feed_is_told(world: World) -> None:
    with pytest.raises(NotFound):
        world.poll(99)


def test_all_due_feeds_are_polled_and_one_bad_one_stops_none(world: World) -> None:
    urls = [f"http://blog{number}.example/feed" for number in range(12)]
    with world.work() as unit:
        for number, url in enumerate(urls):
            unit.feeds.add(url, now=world.now)
            world.web.pages[url] = Page(body=atom([article(100 + number)]), status=200 if number != 3 else 0)
    world.web.pages[urls[5]].body = b"<html>"
    polled = world.poll_due()
    assert sorted(one.result for one in polled) == [PollResult.FAILED] * 2 + [PollResult.READ] * 10
    assert world.poll_due() == []
    assert len(world.posts(PostState.BASELINE)) == 10


class _Server(BaseHTTPRequestHandler):
    """Answers 304 to the right validator, else the feed."""

    def do_GET(self) -> None:
        known = self.headers.get("If-None-Match") == '"v1"'
        self.send_response(304 if known else 200)
        self.send_header("ETag", '"v1"')
        self.send_header("Content-Length", "0" if known else str(len(OLD)))
        self.end_headers()
        if not known:
            self.wfile.write(OLD)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def _served() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/feed"
        server.shutdown()
        thread.join()


def test_over_the_real_client_a_feed_is_read_once_and_then_unchanged(world: World) -> None:
    with _served() as url, HttpClient(allow_private=True) as http:
        with world.work() as unit:
            feed = unit.feeds.add(url, now=world.now)
        first = poll_due(world.work, http, world.parser, world.policy, world.clock)
        world.now += timedelta(days=1) - timedelta(minutes=1)
        second = poll_due(world.work, http, world.parser, world.policy, world.clock)
    assert [one.result for one in (*first, *second)] == [PollResult.READ, PollResult.UNCHANGED]
    with world.work() as unit:
        assert [poll.status for poll in unit.feeds.polls(feed.id)] == [304, 200]


def test_a_private_address_is_refused_by_the_real_client(world: World) -> None:
    with _served() as url, HttpClient() as http:
        with world.work() as unit:
            unit.feeds.add(url, now=world.now)
        [polled] = poll_due(world.work, http, world.parser, world.policy, world.clock)
    assert polled.result is PollResult.FAILED
    assert "cannot be fetched" in polled.problem


def test_a_fault_of_our_own_is_that_feeds_trouble_alone(world: World) -> None:
    class Broken:
        def parse(self, body: bytes, *, url: str, content_type: str = "") -> FeedDocument:
            if "bad" in url:
                raise ZeroDivisionError
            return world.parser.parse(body, url=url, content_type=content_type)

    urls = ["http://bad.example/feed", "http://good.example/feed"]
    with world.work() as unit:
        for url in urls:
            unit.feeds.add(url, now=world.now)
            world.web.pages[url] = Page(body=OLD)
    polled = poll_due(world.work, world.web, Broken(), world.policy, world.clock)
    assert sorted(one.result for one in polled) == [PollResult.FAILED, PollResult.READ]
    assert any("a fault of ours" in one.problem for one in polled)


def test_a_post_that_cannot_be_stored_is_that_feeds_trouble_alone(world: World) -> None:
    world.add(OLD)

    class Unstorable:
        def parse(self, body: bytes, *, url: str, content_type: str = "") -> FeedDocument:
            document = world.parser.parse(body, url=url, content_type=content_type)
            broken = [replace(entry, title=None) for entry in document.entries]  # type: ignore[arg-type]
            return replace(document, entries=tuple(broken))

    _answers(world, NEW)
    world.now += timedelta(hours=1)
    polled = poll_feed(world.feed_id, world.work, world.web, Unstorable(), world.policy, world.clock)
    assert polled.result is PollResult.FAILED
    assert _poll_later(world) is PollResult.READ
    assert world.titles(PostState.SETTLING) == [article(6).title]


@pytest.mark.parametrize(
    ("header", "hub", "own"),
    [
        ('<http://hub.example/>; rel="hub", <http://blog.example/f>; rel="self"', "http://hub.example/",
         "http://blog.example/f"),
        ("</hub>;rel=hub", "http://blog.example/hub", ""),
        ('<https://a.example/>; title="x, y"; rel="next hub"', "https://a.example/", ""),
        ('<javascript:alert(1)>; rel="hub"', "", ""),
        ("<http://hub.example/>", "", ""),
        ("<<<<;;;rel=hub", "", ""),
    ],
)  # fmt: skip
def test_a_hub_named_in_a_header_is_known(world: World, header: str, hub: str, own: str) -> None:
    world.add(atom(articles(1)))
    world.web.pages[URL] = Page(body=atom(articles(1, 2)), headers={"link": header})
    world.poll()
    with world.work() as unit:
        feed = unit.feeds.get(world.feed_id)
    assert (feed.hub_url, feed.self_url) == (hub, own)


def test_a_visit_asked_for_during_a_look_is_still_owed(world: World) -> None:
    world.add(atom(articles(1)))
    world.serves(atom(articles(1, 2)))
    with world.work() as unit:
        planned = unit.feeds.get(world.feed_id).next_poll_at
    honest = world.web.get

    def pushed_meanwhile(url: str, **options: Any) -> Any:
        with world.work() as unit:
            unit.feeds.poll_at_once(world.feed_id, world.now, "the blog said that it has something new")
        return honest(url, **options)

    world.now += timedelta(minutes=5)
    world.web.get = pushed_meanwhile  # type: ignore[method-assign]  # a push in the middle of a look
    world.poll()
    with world.work() as unit:
        feed = unit.feeds.get(world.feed_id)
    assert planned is not None and feed.next_poll_at == world.now < planned
    assert feed.next_poll_reason == "the blog said that it has something new"


@pytest.mark.slow
def test_a_feed_that_computes_for_ever_delays_no_other(world: World) -> None:
    trap = next(sample.body for sample in traps(600_000) if sample.name == COMPUTES_FOR_EVER)
    stored: list[str] = []
    with world.work() as unit:
        unit.feeds.add("http://trap.example/feed", now=world.now)
        for number in range(5):
            unit.feeds.add(f"http://blog{number}.example/feed", now=world.now)
            world.web.pages[f"http://blog{number}.example/feed"] = Page(body=atom(articles(number + 1)))
    world.web.pages["http://trap.example/feed"] = Page(body=trap)
    for polled in world.poll_due():
        with world.work() as unit:
            stored.append(unit.feeds.get(polled.feed_id).url)
        if "trap" in stored[-1]:
            assert "computing time" in polled.problem or "longer than 20 seconds" in polled.problem
        else:
            assert polled.problem == ""
    assert len(stored) == 6
    assert stored[-1] == "http://trap.example/feed", "the others were stored while it was still read"


def test_a_look_without_a_document_that_cannot_be_stored_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(unit: Any, feed: Feed, *more: Any) -> Polled:
        if "bad" in feed.url and not stumbled:
            stumbled.append(feed.id)
            raise ZeroDivisionError
        return file_look(unit, feed, *more)

    stumbled: list[int] = []
    urls = ["http://bad.example/feed", "http://good.example/feed"]  # neither is there: 404
    with world.work() as unit:
        for url in urls:
            unit.feeds.add(url, now=world.now)
    monkeypatch.setattr(polling, "file_look", broken)
    polled = poll_due(world.work, world.web, world.parser, world.policy, world.clock)
    assert len(polled) == 2 and stumbled
    with world.work() as unit:
        assert all(feed.problem for feed in unit.feeds.list())
