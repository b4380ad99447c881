"""kill -9 on both databases, at random and after the dot: nothing lost, nothing twice, the unknown counted.

Named points stand in ``test_points``; here a small process of the tests sends, so that PostgreSQL is met too.

``CRASH_ROUNDS`` sets how many random rounds there are, ``CRASH_RECIPIENTS`` how many recipients each has.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.store.database import Database
from tests.crash.harness import Child, Round, check, wait_until
from tests.crash.sink import DROP, FaultySink, Step
from tests.support.postgres import PostgresServer

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "2"))
RECIPIENTS = int(os.environ.get("CRASH_RECIPIENTS", "250"))

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ready(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Round]:
    yield from _round(kind, request, tmp_path)


def _round(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Round]:
    server: PostgresServer | None = request.getfixturevalue("postgres") if kind == "postgres" else None
    url = server.create() if server else f"sqlite:///{tmp_path}/newsletter.db"
    made = Round(url, tmp_path, RECIPIENTS)
    yield made
    made.close()
    if server:
        server.drop(url)


class Executioner:
    """A fault that kills the sender when a conversation reaches a point, once."""

    def __init__(self, verb: str, message: int, *, stored: bool = False) -> None:
        self.verb, self.message, self.stored = verb, message, stored
        self.child: Child | None = None
        self.done = threading.Event()

    def __call__(self, step: Step) -> str | None:
        if step.verb == self.verb and step.message >= self.message and not self.done.is_set():
            assert self.child is not None
            self.done.set()
            self.child.kill()
            self.child.process.wait()
            return None if self.stored else DROP
        return None


def test_killed_after_the_dot(ready: Round) -> None:
    _kill_at(ready, Executioner("DOT", RECIPIENTS // 2, stored=True))


def _kill_at(ready: Round, fault: Executioner) -> None:
    with FaultySink(fault=fault, record=ready.record, keep=False) as sink:
        fault.child = ready.child(smtp=sink.url)
        assert fault.child.wait() == -signal.SIGKILL
        ready.finish(smtp=sink.url)
    check(ready.count(), subscribers=RECIPIENTS, most_unknown=32)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_killed_again_and_again_at_random(ready: Round, seed: int) -> None:
    chance = random.Random(seed)
    crashes = 3
    with FaultySink(record=ready.record, keep=False) as sink:
        for start in range(crashes):
            child = ready.child(smtp=sink.url, ahead_s=25.0 * start, connections=chance.choice([1, 2, 8]))
            target = sum(ready.taken().values()) + chance.randrange(RECIPIENTS // 4)
            wait_until(
                lambda child=child, target=target: (  # type: ignore[misc]  # bound per start
                    child.process.poll() is not None or sum(ready.taken().values()) >= target
                )
            )
            child.kill()
            child.wait()
        ready.finish(crashes=crashes, smtp=sink.url)
    check(ready.count(), subscribers=RECIPIENTS, most_unknown=32 * crashes)


def fell_asleep(child: Child, ready: Round) -> bool:
    """Stops the process, unless that was in the middle of a transaction: whoever sleeps there keeps the
    database's own lock, and everybody waits, which is the database's promise and not ours to test."""
    child.process.send_signal(signal.SIGSTOP)
    time.sleep(0.05)
    if free(ready):
        return True
    child.process.send_signal(signal.SIGCONT)
    return False


def free(ready: Round) -> bool:
    database = Database(ready.url)
    if database.path is not None:
        # Never opened, so never closed: to close SQLite is a write, which would wait for the sleeper.
        with database.path.with_name(f"{database.path.name}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True
    busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    try:
        with database.read() as conn:
            return (
                conn.exec_driver_sql(f"{busy} AND state <> 'idle' AND pid <> pg_backend_pid()").scalar() == 0
            )
    finally:
        database.close()


def test_a_process_that_slept_past_its_lease_sends_nothing_twice(ready: Round) -> None:
    with FaultySink(record=ready.record, keep=False) as sink:
        sleeper = ready.child(smtp=sink.url)
        wait_until(lambda: sum(ready.taken().values()) >= 40)
        wait_until(lambda: fell_asleep(sleeper, ready))
        ready.finish(smtp=sink.url)
        sleeper.process.send_signal(signal.SIGCONT)
        assert sleeper.wait() == 0
    check(ready.count(), subscribers=RECIPIENTS, most_unknown=32)


def test_two_processes_at_once_send_each_delivery_once(ready: Round) -> None:
    with FaultySink(record=ready.record, keep=False) as sink:
        children = [ready.child(smtp=sink.url, batch=40) for _ in range(2)]
        assert [child.wait() for child in children] == [0, 0]
    check(ready.count(), subscribers=RECIPIENTS, most_unknown=0)
