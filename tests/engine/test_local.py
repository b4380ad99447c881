"""The schedule of one process, on the real scheduler."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from newsletter.engine import local
from newsletter.engine.local import LocalEngine
from newsletter.pipeline import Step

PATIENCE_S = 10.0


def test_every_step_of_the_pipeline_is_scheduled() -> None:
    assert set(local.EVERY_S) == {step.value for step in Step}


def test_every_step_runs_at_once_and_a_long_one_delays_no_other() -> None:
    seen: Counter[str] = Counter()
    all_ran, long_one = threading.Event(), threading.Event()

    def turn(step: str, stop: threading.Event) -> None:
        seen[step] += 1
        if len(seen) == len(local.EVERY_S):
            all_ran.set()
        if step == "send":
            long_one.set()
            stop.wait(PATIENCE_S)

    engine = LocalEngine(turn)
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


def test_stopping_asks_what_runs_and_waits_for_it() -> None:
    running, finished = threading.Event(), threading.Event()

    def turn(step: str, stop: threading.Event) -> None:
        if step == "send":
            running.set()
            assert stop.wait(PATIENCE_S)
            time.sleep(0.2)
            finished.set()

    engine = LocalEngine(turn)
    engine.start()
    assert running.wait(PATIENCE_S)
    engine.stop()
    assert finished.is_set()


def test_an_engine_that_never_started_can_be_stopped() -> None:
    LocalEngine(lambda step, stop: pytest.fail("nothing runs")).stop()
