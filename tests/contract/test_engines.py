"""What every engine promises: on the real scheduler, and on the real queue over PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from newsletter.engine import cluster, local
from newsletter.engine.cluster import ClusterEngine
from newsletter.engine.local import LocalEngine, Turn
from newsletter.pipeline import Step
from newsletter.store.database import Database
from tests.support.databases import migrate

PATIENCE_S = 30.0


class Engine(Protocol):
    def start(self) -> None: ...
    def wake(self, step: str) -> None: ...
    def stop(self) -> None: ...


Make = Callable[[Turn], Engine]


@pytest.fixture(params=["local", pytest.param("cluster", marks=pytest.mark.postgres)])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes engines of one kind; all that were made are stopped at the end."""
    made: list[Engine] = []

    def kept(engine: Engine) -> Engine:
        made.append(engine)
        return engine

    if request.param == "local":
        yield lambda turn: kept(LocalEngine(turn))
    else:
        server = request.getfixturevalue("postgres")
        url = server.create(template=server.template("newsletter", migrate))
        database = Database(url)
        yield lambda turn: kept(ClusterEngine(turn, database.libpq_url))
    for engine in made:
        engine.stop()
    if request.param == "cluster":
        database.close()
        server.drop(url)


@pytest.fixture
def seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step is due by itself again while the test lasts."""
    monkeypatch.setattr(local, "EVERY_S", dict.fromkeys(local.EVERY_S, 3600))
    monkeypatch.setattr(cluster, "EVERY", dict.fromkeys(cluster.EVERY, "0 0 1 1 *"))


def test_every_step_of_the_pipeline_is_scheduled() -> None:
    assert set(local.EVERY_S) == set(cluster.EVERY) == {step.value for step in Step}


def test_every_step_runs_at_once_and_a_long_one_delays_no_other(make: Make) -> None:
    seen: Counter[str] = Counter()
    all_ran, long_one = threading.Event(), threading.Event()

    def turn(step: str, stop: threading.Event) -> bool:
        seen[step] += 1
        if len(seen) == len(local.EVERY_S):
            all_ran.set()
        if step == "send":
            long_one.set()
            stop.wait(PATIENCE_S)
        return False

    engine = make(turn)
    engine.start()
    try:
        assert all_ran.wait(PATIENCE_S)
        assert long_one.is_set()
        before = seen["start"]
        engine.wake("start")
        deadline = time.monotonic() + PATIENCE_S
        while seen["start"] == before and time.monotonic() < deadline:
            time.sleep(0.01)
        assert seen["start"] > before
        assert seen["send"] == 1, "never twice at the same time"
    finally:
        engine.stop()


def test_a_step_that_did_something_gives_the_next_ones_work_at_once(make: Make, seldom: None) -> None:
    ran: Counter[str] = Counter()
    changed = threading.Condition()

    def turn(step: str, stop: threading.Event) -> bool:
        with changed:
            ran[step] += 1
            changed.notify_all()
            return step == "poll" and ran["poll"] == 2

    engine = make(turn)
    engine.start()
    try:
        with changed:
            assert changed.wait_for(lambda: len(ran) == len(local.EVERY_S), PATIENCE_S)
        engine.wake("poll")
        with changed:
            assert changed.wait_for(lambda: ran["detect"] == ran["compose"] == 2, PATIENCE_S)
        assert (ran["poll"], ran["learn"]) == (2, 1)
    finally:
        engine.stop()


def test_a_step_woken_while_it_runs_runs_once_more(make: Make, seldom: None) -> None:
    started, go_on, second = threading.Event(), threading.Event(), threading.Event()

    def turn(step: str, stop: threading.Event) -> bool:
        if step == "poll":
            if started.is_set():
                second.set()
            started.set()
            go_on.wait(PATIENCE_S)
        return False

    engine = make(turn)
    engine.start()
    try:
        assert started.wait(PATIENCE_S)
        engine.wake("poll")
        engine.wake("poll")
        assert not second.is_set(), "never twice at the same time"
        go_on.set()
        assert second.wait(PATIENCE_S)
    finally:
        engine.stop()


def test_stopping_asks_what_runs_and_waits_for_it(make: Make) -> None:
    running, finished = threading.Event(), threading.Event()

    def turn(step: str, stop: threading.Event) -> bool:
        if step == "send":
            running.set()
            assert stop.wait(PATIENCE_S)
            time.sleep(0.2)
            finished.set()
        return False

    engine = make(turn)
    engine.start()
    assert running.wait(PATIENCE_S)
    engine.stop()
    assert finished.is_set()


def test_an_engine_that_never_started_can_be_stopped(make: Make) -> None:
    make(lambda step, stop: pytest.fail("nothing runs")).stop()
