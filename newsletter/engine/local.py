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

Turn = Callable[[str, threading.Event], None]
"""Calls one step by name; the event asks it to stop soon."""

EVERY_S: Final = {
    "learn": 5,
    "poll": 15,
    "detect": 5,
    "compose": 5,
    "start": 2,
    "send": 2,
    "clean": 3600,
}
"""How often each step asks the tables what is due, seconds. A step that runs long delays no other."""


class LocalEngine:
    """Starts and stops the schedule. ``stop`` waits for what is in flight."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._stop = threading.Event()
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(len(EVERY_S))},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )

    def start(self) -> None:
        for step, seconds in EVERY_S.items():
            self._scheduler.add_job(
                self._turn, IntervalTrigger(seconds=seconds), args=[step, self._stop], id=step
            )
        self._scheduler.start()
        for step in EVERY_S:
            self.wake(step)

    def wake(self, step: str) -> None:
        """Runs a step as soon as it is free instead of at its next time."""
        job = self._scheduler.get_job(step)
        if job is not None:
            job.modify(next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Asks running steps to stop, waits for them, and schedules nothing more."""
        self._stop.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)
