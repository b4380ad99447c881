"""``newsletter run`` killed while it polls, composes, sends or imports; a second start finishes what began.

The process is the one that a user starts. The sink counts what arrived, the receipt must agree.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import pytest

from newsletter import wiring
from newsletter.model.importing import ImportState
from newsletter.model.issue import IssueState
from newsletter.steps import importing
from newsletter.wiring import House
from subscribers.imports import Outcome, Report
from subscribers.model import SubscriberState
from tests.crash.sink import FaultySink, Step

READERS = 60
IN_HAND = 32  #: what one crash may leave unknown by SMTP
PATIENCE_S = 90.0

pytestmark = pytest.mark.slow


class SlowBlog:
    """The sample feed, whose body comes only after ``release`` is set. ``asked`` is set when it is wanted."""

    def __init__(self) -> None:
        self.asked, self.release = threading.Event(), threading.Event()
        body = (files("newsletter.demo") / "blog" / "feed.xml").read_bytes()
        blog = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/atom+xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:1000])
                self.wfile.flush()
                blog.asked.set()
                blog.release.wait(PATIENCE_S)
                self.wfile.write(body[1000:])

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/feed"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def blog() -> Iterator[SlowBlog]:
    running = SlowBlog()
    yield running
    running.close()


class Place:
    """A folder as ``newsletter init`` leaves it, set up; its process can be started and killed."""

    def __init__(self, folder: Path, url: str, blog: SlowBlog, sink: FaultySink) -> None:
        self.folder = folder
        self.fixed = {
            "secret_key": "a secret key of the tests that is long enough",
            "database_url": url,
            "data_dir": str(folder),
            "port": "0",
            "sender": "Ann <ann@example.org>",
            "postal_address": "PO Box 1",
            "transport": "smtp",
            "smtp_url": sink.url,
            "rate": "unlimited",
            "settle": "0",
            "first_poll": "newest",
            "feed_url": blog.url,
            "allow_private_addresses": "true",
        }
        names = {"sender": "FROM"}
        (folder / ".env").write_text(
            "".join(
                f"NEWSLETTER_{names.get(name, name.upper())}='{value}'\n"
                for name, value in self.fixed.items()
            )
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
        with (self.folder / "out.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "newsletter.cli", "run"],
                cwd=self.folder,
                env=clean,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    @contextmanager
    def house(self) -> Iterator[House]:
        """The same database, seen from the test beside the running process."""
        with wiring.build(self.fixed) as house:
            yield house


@pytest.fixture
def place(database_url: str, tmp_path: Path, blog: SlowBlog) -> Iterator[Callable[[FaultySink], Place]]:
    places: list[Place] = []

    def make(sink: FaultySink) -> Place:
        made = Place(tmp_path, database_url, blog, sink)
        places.append(made)
        with made.house() as house:
            for number in range(READERS):
                house.desk.add_subscriber(f"reader{number}@example.org")
        return made

    yield make
    for made in places:
        if made.process is not None and made.process.poll() is None:
            made.kill()


def until(true: Callable[[], bool], *, every_s: float = 0.1) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(every_s)


def finish(place: Place, sink: FaultySink, *, most_unknown: int = 0) -> None:
    """Approves the draft that waits, lets the process send it, and holds the receipt against the sink."""
    with place.house() as house:
        until(lambda: any(shown.issue.content_hash for shown in house.desk.issues()))
        [shown] = house.desk.issues()
        if shown.issue.state is IssueState.DRAFT:
            house.desk.approve_issue(shown.issue.id)
        until(lambda: house.desk.issue(shown.issue.id).issue.state is IssueState.FINISHED)
        receipt = house.desk.receipt(shown.issue.id).receipt
    copies = Counter(address for address in sink.recipients if address.startswith("reader"))
    assert receipt.balances
    assert (receipt.audience, receipt.remaining, receipt.failed, receipt.skipped) == (READERS, 0, 0, 0)
    assert receipt.unknown <= most_unknown
    assert max(copies.values()) == 1, "nobody is mailed twice"
    assert receipt.accepted <= len(copies) <= receipt.accepted + receipt.unknown
    assert place.stop() == 0


@contextmanager
def nothing_compiled_is_stored(house: House) -> Iterator[None]:
    """Holds the steps that compose where they are: PostgreSQL lets them wait, SQLite refuses the row."""
    engine = house.store.database.engine
    if house.store.database.is_sqlite:
        with engine.begin() as conn:
            conn.exec_driver_sql(
                "CREATE TRIGGER held BEFORE INSERT ON artefacts BEGIN SELECT RAISE(ABORT, 'held'); END"
            )
        yield
        with engine.begin() as conn:
            conn.exec_driver_sql("DROP TRIGGER held")
    else:
        with engine.begin() as conn:
            conn.exec_driver_sql("LOCK TABLE artefacts IN EXCLUSIVE MODE")
            yield


def test_killed_while_polling_it_looks_again(place: Callable[[FaultySink], Place], blog: SlowBlog) -> None:
    with FaultySink() as sink:
        here = place(sink)
        here.start()
        assert blog.asked.wait(PATIENCE_S)
        here.kill()
        with here.house() as house:
            assert house.desk.posts() == [], "half a feed changes nothing"
        blog.release.set()
        here.start()
        finish(here, sink)


def test_killed_while_composing_it_composes_again(
    place: Callable[[FaultySink], Place], blog: SlowBlog
) -> None:
    blog.release.set()
    with FaultySink() as sink:
        here = place(sink)
        with here.house() as house, nothing_compiled_is_stored(house):
            here.start()
            until(lambda: bool(house.desk.issues()))
            time.sleep(1)  # it compiles, and cannot write down what it has
            here.kill()
            [shown] = house.desk.issues()
            assert shown.issue.content_hash == "", "it was killed before it was compiled"
        here.start()
        finish(here, sink)


def test_killed_while_sending_it_sends_the_rest(place: Callable[[FaultySink], Place], blog: SlowBlog) -> None:
    blog.release.set()
    once, killed = threading.Lock(), threading.Event()

    def at_the_middle(step: Step) -> str | None:
        if step.verb == "DOT" and step.recipient.startswith("reader") and step.message > READERS // 2:
            if once.acquire(blocking=False):
                here.kill()
                killed.set()
        return None

    with FaultySink(fault=at_the_middle) as sink:
        here = place(sink)
        here.start()
        with here.house() as house:
            until(lambda: any(shown.issue.content_hash for shown in house.desk.issues()))
            house.desk.approve_issue(house.desk.issues()[0].issue.id)
        assert killed.wait(PATIENCE_S)
        here.start()
        finish(here, sink, most_unknown=IN_HAND)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the same steps on either database
def test_killed_while_importing_every_row_is_on_the_list_once(
    place: Callable[[FaultySink], Place], blog: SlowBlog
) -> None:
    blog.release.set()
    rows = [f"imported{number}@example.org" for number in range(30_000)]
    file = "\n".join(["email", *rows, *rows[:50]]).encode()
    with FaultySink() as sink:
        here = place(sink)
        with here.house() as house:
            one = house.desk.look_at_import(io.BytesIO(file), "list.csv", PATIENCE_S)
            importing.begin(house.tools, one.id, 0)
            here.start()
            until(lambda: house.desk.import_of(one.id).done >= 2_000, every_s=0.01)
            here.kill()
            halfway = house.desk.import_of(one.id)
            assert halfway.state is ImportState.RUNNING and halfway.done < len(rows), "it came too late"
            counts = house.desk.subscriber_counts()
            assert counts[SubscriberState.ACTIVE] == READERS + halfway.done, "rows and their count are one"
            here.start()
            until(lambda: house.desk.import_of(one.id).state is ImportState.DONE)
            report = Report.read(house.desk.import_of(one.id).report)
            assert report.counts == {Outcome.ADDED: len(rows), Outcome.TWICE: 50}
            assert house.desk.subscriber_counts()[SubscriberState.ACTIVE] == READERS + len(rows)
            (batch,) = house.desk.imports()
            assert house.desk.undo(batch.id).gone == len(rows)
        assert here.stop() == 0
