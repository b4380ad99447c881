"""Two ``newsletter worker`` processes send one issue; one is killed, the other finishes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from newsletter.model.issue import IssueState
from tests.crash.sink import FaultySink, Step
from tests.crash.test_run import IN_HAND, PATIENCE_S, READERS, Place, SlowBlog, until
from tests.support.databases import migrate
from tests.support.postgres import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    made = postgres.create(template=postgres.template("newsletter", migrate))
    yield made
    postgres.drop(made)


def test_a_killed_worker_leaves_the_rest_to_another(url: str, tmp_path: Path) -> None:
    blog = SlowBlog()
    blog.release.set()
    reached, killed = threading.Event(), threading.Event()

    def at_a_third(step: Step) -> str | None:
        if step.verb == "DOT" and step.recipient.startswith("reader") and step.message > READERS // 3:
            reached.set()
            killed.wait(PATIENCE_S)
        return None

    with ExitStack() as stack:
        sink = stack.enter_context(FaultySink(fault=at_a_third))
        place = Place(tmp_path, url, blog, sink)
        house = stack.enter_context(place.house())
        for number in range(READERS):
            house.desk.add_subscriber(f"reader{number}@example.org")
        workers = [start(tmp_path)]
        stack.callback(end, workers)
        until(lambda: any(shown.issue.content_hash for shown in house.desk.issues()))
        issue = house.desk.issues()[0].issue.id
        house.desk.approve_issue(issue)
        assert reached.wait(PATIENCE_S)
        workers[0].send_signal(signal.SIGKILL)
        workers[0].wait()
        workers.append(start(tmp_path))
        killed.set()
        until(lambda: house.desk.issue(issue).issue.state is IssueState.FINISHED)
        receipt = house.desk.receipt(issue).receipt
        workers[1].terminate()
        assert workers[1].wait(PATIENCE_S) == 0
        copies = Counter(address for address in sink.recipients if address.startswith("reader"))
    blog.close()
    assert receipt.balances
    assert (receipt.audience, receipt.remaining, receipt.failed, receipt.skipped) == (READERS, 0, 0, 0)
    assert receipt.unknown <= IN_HAND
    assert max(copies.values()) == 1, "nobody is mailed twice"
    assert receipt.accepted <= len(copies) <= receipt.accepted + receipt.unknown


def test_a_worker_on_sqlite_says_what_it_needs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "newsletter.cli"]
    subprocess.run([*command, "init"], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    done = subprocess.run(
        [*command, "worker"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "need PostgreSQL" in done.stderr and "Traceback" not in done.stderr


def start(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "out.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "newsletter.cli", "worker"], cwd=folder, stdout=log, stderr=log
        )


def end(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        if worker.poll() is None:
            worker.kill()
            worker.wait()
