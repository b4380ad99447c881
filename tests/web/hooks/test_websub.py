"""A real hub on loopback, the real server and the real schedule."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from newsletter import wiring
from newsletter.desk import IssueShown
from newsletter.pipeline import Step
from newsletter.serving import engine_of, listen
from newsletter.wiring import House
from tests.intake.blog import articles
from tests.support.live_blog import LiveBlog
from tests.web.conftest import serving_on

PATIENCE_S = 20.0


@contextmanager
def running(folder: Path, *, scheduled: bool = True, **settings: str) -> Iterator[House]:
    """A house as ``newsletter run`` has it, at the address that it tells hubs."""
    with ExitStack() as stack:
        listener = stack.enter_context(listen("127.0.0.1", 0))
        fixed = {
            "secret_key": "a secret key of the tests that is long enough",
            "database_url": f"sqlite:///{folder}/newsletter.db",
            "data_dir": str(folder),
            "base_url": f"http://127.0.0.1:{listener.getsockname()[1]}",
            "allow_private_addresses": "true",
            "settle": "0",
            "max_age": "36500 days",  # the blog's articles have dates of their own
            **settings,
        }
        wiring.prepare(fixed)
        house = stack.enter_context(wiring.build(fixed))
        engine = engine_of(house)
        stack.callback(engine.stop)
        stack.enter_context(serving_on(listener, house, wake=engine.wake))
        if scheduled:
            engine.start()
        yield house


@pytest.fixture
def blog() -> Iterator[LiveBlog]:
    with LiveBlog(articles(1, 2), has_hub=True) as blog:
        yield blog


def comes_true(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def composed(house: House) -> list[IssueShown]:
    """The drafts that can be looked at."""
    return [draft for draft in house.desk.today().drafts if draft.issue.content_hash]


def test_a_push_becomes_a_draft_long_before_the_next_poll(tmp_path: Path, blog: LiveBlog) -> None:
    with running(tmp_path, feed_url=blog.feed_url) as house:
        assert blog.subscribed.wait(PATIENCE_S), "the hub is asked and its question answered"
        assert comes_true(lambda: house.desk.feeds()[0].polled_at)
        blog.articles = articles(1, 2, 3)
        assert blog.push() == 202
        assert comes_true(lambda: composed(house)), "the next poll would be an hour away"
        [draft] = composed(house)
        assert [post.title for post in draft.posts] == [articles(3)[0].title]


def test_a_pushed_post_still_waits_for_its_authors_corrections(tmp_path: Path, blog: LiveBlog) -> None:
    with running(tmp_path, feed_url=blog.feed_url, settle="10 minutes") as house:
        assert blog.subscribed.wait(PATIENCE_S)
        blog.articles = articles(1, 2, 3)
        blog.push()
        assert comes_true(lambda: len(house.desk.posts()) == 3)
        house.turn([Step.DETECT, Step.COMPOSE])
        assert house.desk.posts()[0].state == "settling"
        assert not house.desk.today().drafts


def test_a_forged_push_is_answered_alike_and_moves_nothing(tmp_path: Path, blog: LiveBlog) -> None:
    with running(tmp_path, scheduled=False) as house:
        house.desk.add_feed(blog.feed_url)
        house.turn([Step.POLL])
        assert blog.subscribed.is_set()
        planned = house.desk.feeds()[0].next_poll_at
        assert blog.push(secret="a guess") == 202
        assert httpx.post(f"{house.settings().base_url}/hooks/websub/77", content=b"x").status_code == 202
        assert house.desk.feeds()[0].next_poll_at == planned
        blog.push()
        assert house.desk.feeds()[0].next_poll_at != planned


def test_a_question_about_what_was_never_asked_for_is_404(tmp_path: Path, blog: LiveBlog) -> None:
    with running(tmp_path, scheduled=False) as house:
        feed = house.desk.add_feed(blog.feed_url)
        base = f"{house.settings().base_url}/hooks/websub"
        query = {"hub.mode": "subscribe", "hub.topic": blog.feed_url, "hub.challenge": "<script>x</script>"}
        for address in (f"{base}/{feed.id}", f"{base}/77", f"{base}/x"):
            assert httpx.get(address, params=query).status_code == 404
        house.turn([Step.POLL])
        answer = httpx.get(f"{base}/{feed.id}", params=query)
        assert (answer.status_code, answer.text) == (200, "<script>x</script>")
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_oversized_push_is_refused(tmp_path: Path, blog: LiveBlog) -> None:
    with running(tmp_path, scheduled=False) as house:
        address = f"{house.settings().base_url}/hooks/websub/1"
        assert httpx.post(address, content=b"x" * (5 << 20)).status_code == 413
