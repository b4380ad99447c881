"""What feeds cost: cheap polls as ratios to the bare libraries, many feeds at once, the memory of a big one.

    python -m tests.bench.bench_feeds [--rounds 15] [--feeds 1000]

Rounds of ours and of the reference take turns; the median of each counts. Times are CPU times of this
process and of the parsing child together (Linux only). Asserts nothing about time.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import feedparser
from sqlalchemy import Connection

from newsletter.guard.http import HttpClient
from newsletter.model.feed import Feed, Poll, PollResult, Validators
from newsletter.model.policy import PollPolicy
from newsletter.poll.fetch import Fetched
from newsletter.poll.look import look, read_document
from newsletter.poll.parser import Parser
from newsletter.poll.split import split
from newsletter.steps.polling import poll_due, poll_feed
from newsletter.store.database import Database
from newsletter.store.feeds import Feeds
from newsletter.store.issue_posts import IssuePosts
from newsletter.store.migrate import upgrade
from newsletter.store.posts import Posts
from tests.bench.answer_304 import addresses
from tests.bench.word_blog import feed
from tests.intake.world import CannedWeb, Page

URL = "http://blog.example/feeds/posts/default"
NOW = datetime(2026, 5, 10, 8, 0, tzinfo=UTC)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--feeds", type=int, default=1_000)
    arguments.add_argument("--only", choices=["cheap", "many", "memory"])
    chosen = arguments.parse_args()
    if chosen.only in (None, "cheap"):
        _cheap_polls(chosen.rounds)
    if chosen.only in (None, "memory"):
        _memory()
    if chosen.only in (None, "many"):
        _many_feeds(chosen.feeds)


def _cheap_polls(rounds: int) -> None:
    document = feed(500, size=16_500)
    grown = feed(501, size=16_500)
    known = frozenset(piece.sha for piece in split(document) or [])
    web = CannedWeb()
    web.pages[URL] = Page(body=document)
    with Parser() as parser:
        fetched = _fetched(grown)

        def one_new() -> None:
            sha256(grown).hexdigest()
            assert len(read_document(fetched, known, parser).entries) == 1

        watched = _feed(document)

        def same() -> None:
            seen = look(watched, lambda: known, http=web, parser=parser, now=NOW)
            assert seen.result is PollResult.UNCHANGED

        def whole() -> None:
            assert len(feedparser.parse(BytesIO(grown)).entries) == 501

        def bare_hash() -> None:
            sha256(document).hexdigest()

        one_new()
        turns = [(_cpu(whole, parser), _cpu(one_new, parser)) for _ in range(rounds)]
        reference, ours = (statistics.median(column) for column in zip(*turns, strict=True))
        print(f"document: {len(grown) / 1e6:.1f} MB, 501 entries")
        print(
            f"one new entry: {ours * 1e3:.1f} ms; feedparser.parse of the whole: {reference * 1e3:.0f} ms;",
            end=" ",
        )
        print(f"{reference / ours:.0f} times cheaper")
        pairs = [(_cpu(same, parser), _cpu(bare_hash, parser)) for _ in range(rounds)]
        mine, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"same body: {mine * 1e3:.2f} ms; bare SHA-256: {bare * 1e3:.2f} ms; ratio {mine / bare:.2f}")


def _fetched(body: bytes) -> Fetched:
    return Fetched(
        status=200, asked=URL, url=URL, body=body, content_type="", validators=Validators(), max_age=None,
        permanent="", redirects=(), elapsed_ms=0,
    )  # fmt: skip


def _feed(body: bytes) -> Feed:
    sha = sha256(body).hexdigest()
    return Feed(id=1, url=URL, added_at=NOW, baseline_at=NOW, full_fetch_at=NOW, body_sha=sha)


def _cpu(work: Callable[[], None], parser: Parser) -> float:
    before = time.process_time() + _child_cpu(parser)
    work()
    return time.process_time() + _child_cpu(parser) - before


def _children(parser: Parser) -> list[int]:
    return [child._process.pid for child in list(parser._idle.queue) if child._process is not None]


def _child_cpu(parser: Parser) -> float:
    """User and system time of the parsing children, in seconds: nanoseconds run, from schedstat."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9 for pid in _children(parser))


class _Unit:
    def __init__(self, conn: Connection) -> None:
        self.feeds, self.posts, self.issue_posts = Feeds(conn), Posts(conn), IssuePosts(conn)


class _House:
    def __init__(self, folder: str) -> None:
        self.database = Database(f"sqlite:///{folder}/newsletter.db")
        upgrade(self.database)
        self.now = NOW

    @contextmanager
    def work(self) -> Iterator[_Unit]:
        with self.database.write() as conn:
            yield _Unit(conn)

    def clock(self) -> datetime:
        return self.now


def _memory() -> None:
    """Adds a feed of 5,000 entries in 10 MB, in a process of its own."""
    code = "from tests.bench.bench_feeds import add_big_feed; add_big_feed()"
    subprocess.run([sys.executable, "-c", code], check=True)


def add_big_feed() -> None:
    """Fetched over loopback from a server in a process of its own, like any feed."""
    with tempfile.TemporaryDirectory() as folder, Parser() as parser, HttpClient(allow_private=True) as http:
        document = Path(folder, "feed.xml")
        # Without addresses 5,000 entries stay just under the 10 MiB that a feed may have.
        document.write_bytes(feed(5_000, size=1_225).replace(b"<email>noreply@blogger.com</email>", b""))
        size = document.stat().st_size
        house = _House(folder)
        with _file_server(folder) as address:
            with house.work() as unit:
                added = unit.feeds.add(f"{address}/{document.name}", now=NOW)
            started = time.monotonic()
            polled = poll_feed(added.id, house.work, http, parser, PollPolicy(), house.clock)
            elapsed = time.monotonic() - started
        assert polled.baseline == 5_000, polled
        parent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        children = sum(_peak(pid) for pid in _children(parser))
        print(f"adding a feed of 5,000 entries in {size / 1e6:.1f} MB: {elapsed:.1f} s,", end=" ")
        print(f"peak of this process {parent:.0f} MB, of all processes {parent + children:.0f} MB")
        house.database.close()


@contextmanager
def _file_server(folder: str) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", folder]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _try in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _many_feeds(count: int) -> None:
    """Polls ``count`` feeds on loopback, all answering 304, on addresses of their own and on one core."""
    command = [sys.executable, "-m", "tests.bench.answer_304", str(count)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {0})
            os.sched_setaffinity(server.pid, {max(os.sched_getaffinity(server.pid))})
        with (
            tempfile.TemporaryDirectory() as folder,
            Parser() as parser,
            HttpClient(allow_private=True) as http,
        ):
            house = _House(folder)
            with house.work() as unit:
                for address in addresses(count):
                    added = unit.feeds.add(f"http://{address}:{port}/feed", now=NOW)
                    unit.feeds.save_poll(*_seen(added))
            peaks = []
            for _round in range(3):
                house.now += timedelta(hours=7)
                started, cpu = time.monotonic(), time.process_time()
                polled = poll_due(house.work, http, parser, PollPolicy(), house.clock, 300)
                elapsed, cpu = time.monotonic() - started, time.process_time() - cpu
                assert len(polled) == count and {one.result for one in polled} == {PollResult.UNCHANGED}
                peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
                print(f"{count} feeds, all 304: {count / elapsed:.0f} feeds/s", end=" ")
                print(f"({count / cpu:.0f} per CPU second), peak memory {peaks[-1]:.0f} MB")
            house.database.close()
    finally:
        server.kill()
        server.wait()


def _seen(added: Feed) -> tuple[Feed, Poll]:
    known = replace(
        added, validators=Validators(etag='"v1"'), baseline_at=NOW, full_fetch_at=NOW + timedelta(days=9)
    )
    return known, Poll(feed_id=added.id, at=NOW, result=PollResult.READ)


if __name__ == "__main__":
    main()
