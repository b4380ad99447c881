"""What only several workers can show: shared beats, and a queue that goes away and comes back."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest

from newsletter.engine import cluster
from newsletter.engine.cluster import ClusterEngine
from newsletter.store.database import Database
from tests.support.databases import migrate
from tests.support.postgres import PostgresServer

PATIENCE_S = 60.0

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[str]:
    made = postgres.create(template=postgres.template("newsletter", migrate))
    database = Database(made)
    yield database.libpq_url
    database.close()
    postgres.drop(made)


def test_workers_share_the_beats_of_a_step(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "EVERY", {"start": "* * * * * *"})  # each second
    ran: Counter[int] = Counter()
    enough = threading.Event()

    def turn_of(number: int) -> ClusterEngine:
        def turn(step: str, stop: threading.Event) -> bool:
            ran[number] += 1
            if sum(ran.values()) >= 12:
                enough.set()
            return False

        return ClusterEngine(turn, url)

    engines = [turn_of(number) for number in range(3)]
    began = time.monotonic()
    try:
        for engine in engines:
            engine.start()
        assert enough.wait(PATIENCE_S)
        elapsed = time.monotonic() - began
    finally:
        for engine in engines:
            engine.stop()
    asked_at_the_start = len(engines)
    assert sum(ran.values()) <= elapsed + 2 + asked_at_the_start, "a beat is nobody's twice"


def test_a_worker_goes_on_when_the_database_comes_back(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_AGAIN_S", 0.2)
    monkeypatch.setattr(cluster, "EVERY", {"start": "* * * * * *"})
    ran = threading.Event()

    def turn(step: str, stop: threading.Event) -> bool:
        ran.set()
        return False

    engine = ClusterEngine(turn, url)
    engine.start()
    try:
        assert ran.wait(PATIENCE_S)
        for _ in range(3):
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            ran.clear()
            assert ran.wait(PATIENCE_S)
    finally:
        engine.stop()


def test_a_job_whose_worker_died_is_forgotten(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "EVERY", {"start": "0 0 1 1 *"})
    monkeypatch.setattr(cluster, "_STALLED", "* * * * * *")
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')")
        conn.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status, worker_id)"
            " SELECT 'default', 'send', 'doing', id FROM procrastinate_workers"
        )
        engine = ClusterEngine(lambda step, stop: False, url)
        engine.start()
        try:
            deadline = time.monotonic() + PATIENCE_S
            while time.monotonic() < deadline:
                left = conn.execute("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'send'")
                if left.fetchone() == (0,):
                    return
                time.sleep(0.1)
            pytest.fail("the dead worker's job is still there")
        finally:
            engine.stop()
