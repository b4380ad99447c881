"""One process: APScheduler calls each step of the pipeline as a job of its own.

The job store is in memory on purpose. A persistent one loses a job that was running when the process died,
and fires twice when shared; our tables already know what is due, so every start looks at them again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

Turn = Callable[[str, threading.Event], bool]
"""Calls one step by name and says whether it did anything; the event asks it to stop soon."""

EVERY_S: Final = {
    "learn": 5,
    "poll": 15,
    "detect": 5,
    "compose": 5,
    "start": 2,
    "import": 2,
    "send": 2,
    "clean": 3600,
}
"""How often each step asks the tables what is due, seconds. A step that runs long delays no other."""

WAKES: Final = {"poll": ("detect", "compose"), "detect": ("compose",), "compose": ("start", "send")}
"""Whom a step that did something gives work: they need not wait for their time."""


class LocalEngine:
    """Starts and stops the schedule. ``stop`` waits for what is in flight. Thread-safe."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._again: set[str] = set()  # woken while they ran
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(len(EVERY_S) + 1)},
            # Two, so that no wake is lost while the scheduler does not know yet that a step has ended; that
            # a step never runs twice at once is seen to here.
            job_defaults={"coalesce": True, "max_instances": 2, "misfire_grace_time": None},
            timezone="UTC",
        )

    def start(self) -> None:
        for step, seconds in EVERY_S.items():
            self._scheduler.add_job(self._run, IntervalTrigger(seconds=seconds), args=[step], id=step)
        self._scheduler.start()
        for step in EVERY_S:
            self.wake(step)

    def wake(self, step: str) -> None:
        """Runs a step at once instead of at its next time; once more where it is running now."""
        with self._lock:
            if step in self._running:
                self._again.add(step)
                return
        job = self._scheduler.get_job(step)
        if job is not None:
            job.modify(next_run_time=datetime.now(UTC))

    def _run(self, step: str) -> None:
        with self._lock:
            if step in self._running:
                return
            self._running.add(step)
        did = False
        try:
            if not self._stop.is_set():
                did = self._turn(step, self._stop)
        finally:
            with self._lock:
                self._running.remove(step)
                again = step in self._again
                self._again.discard(step)
            woken = (*((step,) if again else ()), *(WAKES.get(step, ()) if did else ()))
            for other in woken if not self._stop.is_set() else ():
                self.wake(other)

    def stop(self) -> None:
        """Asks running steps to stop, waits for them, and schedules nothing more."""
        self._stop.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
