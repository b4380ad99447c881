"""Whatever a feed, its server and our own process do, each post is queued at most once and none is lost."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.model.policy import PollPolicy
from newsletter.model.post import PostState
from newsletter.poll.parser import Parser
from newsletter.store.database import Database
from newsletter.store.tables import aliases, feeds, polls, posts, revisions
from tests.intake.blog import Article, article, atom
from tests.intake.world import URL, Page, World
from tests.support.databases import migrate

MAILED = {PostState.SETTLING, PostState.READY}
STEPS = [
    "publish", "edit", "delete", "shuffle", "shorten", "reguid", "https", "host", "redate", "same",
    "reguid one", "move one", "rename one", "fail", "not modified", "crash at commit 1",
    "crash at commit 2", "crash at commit 3", "crash at commit 4", "settle", "cut short", "bump", "restore",
    "copy one", "one guid", "one link", "summaries", "empty", "two at once", "crash while settling",
]  # fmt: skip


class _Crash(BaseException):
    """Not an Exception: nothing may catch it, as nothing catches kill -9."""


class Story:
    """A blog that lives through steps; its posts carry a marker word by which the test knows them again."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.articles: list[Article] = [_marked(number) for number in (3, 2, 1)]
        self.shown = 100
        self.published = 3
        self.deleted: list[Article] = []
        self.as_summaries = False
        world.add(atom(self.articles))

    def step(self, name: str, choice: int) -> None:
        crash = int(name[-1]) if name.startswith("crash at") else 0
        match name:
            case "publish":
                self.published += 1
                self.articles.insert(0, _marked(self.published))
            case "edit" if self.articles:
                index = choice % len(self.articles)
                self.articles[index] = self.articles[index].edited(f"Correction {choice}.")
            case "delete" if self.articles:
                self.deleted.append(self.articles.pop(choice % len(self.articles)))
            case "restore" if self.deleted:
                self.articles.insert(choice % (len(self.articles) + 1), self.deleted.pop())
            case "bump" if self.articles:
                self.articles.insert(0, self.articles.pop())
            # A copy of a few words under other names, title too, cannot be told from a post.
            case "copy one" if not self.as_summaries and (long := [p for p in self.articles if p.number % 3]):
                copied = long[choice % len(long)]
                copy = replace(copied, guid=f"copy:{choice}", link=f"http://blog.example/copy/{choice}")
                self.articles.insert(0, replace(copy, title=f"Copy {choice}"))
            case "one guid":
                self._change(lambda post: replace(post, guid="the same"))
            case "one link":
                self._change(lambda post: replace(post, link="http://blog.example/one"))
            case "two at once":
                for _ in range(2):
                    self.published += 1
                    self.articles.insert(0, _marked(self.published))
            case "summaries":
                self.as_summaries = not self.as_summaries
            case "shuffle":
                Random(choice).shuffle(self.articles)
            case "shorten":
                self.shown = 1 + choice % 6
            case "reguid":
                self._change(lambda post: replace(post, guid=f"new:{choice}:{post.number}"))
            case "reguid one" if self.articles:
                self._change_one(choice, guid=f"one:{choice}")
            case "move one" if self.articles:
                self._change_one(choice, guid=f"moved:{choice}", link=f"http://blog.example/moved/{choice}")
            case "rename one" if self.articles:
                self._change_one(
                    choice, title=f"Renamed {choice}", link=f"http://blog.example/renamed/{choice}"
                )
            case "https":
                self._change(lambda post: replace(post, link=post.link.replace("http://", "https://")))
            case "host":
                self._change(lambda post: replace(post, link=f"https://host{choice}.example/{post.number}"))
            case "redate":
                moment = self.world.now
                self._change(lambda post: replace(post, published=moment))
        share = choice / 51 if name == "cut short" else 0.0 if name == "empty" else 1.0
        self._poll(crash, status=500 if name == "fail" else 200, same=name == "not modified", share=share)
        if name in ("settle", "crash while settling"):
            self.world.now += timedelta(minutes=20)
            self._poll(0)
            with suppress(_Crash), _crashing(self.world, commits=1 if name != "settle" else 0):
                self.world.settle()

    def _document(self, share: float) -> bytes:
        """What the feed shows; a ``share`` below 1 breaks off, 0 has no posts."""
        whole = atom(self.articles[: self.shown] if share else [])
        if self.as_summaries:
            whole = re.sub(rb"(marker-\d+\.&lt;/p&gt;&lt;p&gt;(?:\w+ ){20})[^<]*", rb"\1&amp;hellip;", whole)
            whole = whole.replace(b"<content", b"<summary").replace(b"</content", b"</summary")
        return whole[: int(len(whole) * share)] if share else whole

    def _change_one(self, choice: int, **changes: str) -> None:
        index = choice % len(self.articles)
        self.articles[index] = replace(self.articles[index], **changes)  # type: ignore[arg-type]

    def _change(self, change: Any) -> None:
        self.articles = [change(post) for post in self.articles]

    def _poll(self, crash: int, status: int = 200, same: bool = False, share: float = 1.0) -> None:
        self.world.now += timedelta(minutes=11)
        body = self.world.web.pages[URL].body if same else self._document(share)
        etag = f'"{hash(body)}"'
        self.world.web.pages[URL] = Page(body=body, status=status, headers={"etag": etag})
        if not crash:
            self.world.poll()
            return
        with suppress(_Crash), _crashing(self.world, commits=crash):
            self.world.poll()


@contextmanager
def _crashing(world: World, commits: int) -> Iterator[None]:
    """Dies instead of making the n-th commit; the first one takes the feed's lease, the last one stores."""
    honest, made = world.work, 0

    @contextmanager
    def work() -> Iterator[Any]:
        nonlocal made
        with honest() as unit:
            yield unit
            made += 1
            if made == commits:
                raise _Crash

    world.work = work
    try:
        yield
    finally:
        world.work = honest


def _marked(number: int) -> Article:
    post = article(number, words=60 if number % 3 else 8)
    return replace(post, html=f"<p>marker-{number}.</p>{post.html}")


def _numbers(world: World, *states: PostState) -> Counter[int]:
    found = (re.search(r"marker-(\d+)\.", post.html) for post in world.posts(*states))
    return Counter(int(match[1]) for match in found if match)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path: Path = tmp_path_factory.mktemp("story")
    migrate(f"sqlite:///{path}/newsletter.db")
    database = Database(f"sqlite:///{path}/newsletter.db")
    yield database
    database.close()


@settings(
    max_examples=int(os.environ.get("STORIES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 50)), max_size=12))
def test_each_post_is_queued_at_most_once_and_none_is_lost(
    database: Database, parser: Parser, steps: list[tuple[str, int]]
) -> None:
    with database.write() as conn:
        for table in (aliases, revisions, posts, polls, feeds):
            conn.execute(table.delete())
    world = World(database, parser, PollPolicy())
    story = Story(world)
    ever_queued: set[int] = set()
    for name, choice in steps:
        story.step(name, choice)
        queued = {post.id for post in world.posts(*MAILED)}
        ever_queued |= queued
        counted = _numbers(world, *MAILED)
        assert all(count == 1 for count in counted.values()), f"queued twice after {name}: {counted}"
        assert not set(counted) & {1, 2, 3}, "what was there before us is never mailed"
    story.shown = 100
    story.step("same", 0)
    assert set(_numbers(world)) >= {post.number for post in story.articles}, "a post was lost"
    by_number: Counter[int] = Counter()
    for post in world.posts():
        if post.id in ever_queued and (match := re.search(r"marker-(\d+)\.", post.html)):
            by_number[int(match[1])] += 1
    assert all(count == 1 for count in by_number.values()), f"queued twice over time: {by_number}"
