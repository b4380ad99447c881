"""What visitors of counted links add up to, on its way into the database: one transaction at a time, with
everything that came meanwhile. So a crowd costs a few transactions a second, and each visit is answered
once it is on disk."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import structlog

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 2.0  #: nobody waits longer for a page because the database is busy

Counts = Mapping[str, tuple[int, int]]
"""Token -> how many more people and machines."""


class Tally:
    """Thread-safe. ``write`` puts counts into the database in one transaction."""

    def __init__(self, write: Callable[[Counts], None], *, patience_s: float = PATIENCE_S) -> None:
        self._write = write
        self._patience_s = patience_s
        self._people: Counter[str] = Counter()
        self._machines: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._left = False  #: somebody went without having seen their count written

    def add(self, token: str, *, people: int = 0, machines: int = 0) -> None:
        """Takes note; ``flush`` makes it last."""
        with self._lock:
            self._people[token] += people
            self._machines[token] += machines

    def flush(self) -> None:
        """Returns when everything noted so far is on disk, or after ``patience_s``: then whoever is writing
        writes it next. A database that cannot be written loses nothing noted here and keeps nobody."""
        if not self._turn.acquire(timeout=self._patience_s):
            self._left = True
            return
        try:
            self._left = True
            while self._left:
                self._left = False
                self._flush()
        finally:
            self._turn.release()

    def _flush(self) -> None:
        with self._lock:
            people, machines = self._people, self._machines
            self._people, self._machines = Counter(), Counter()
        counts = {
            token: (people[token], machines[token]) for token in people if people[token] or machines[token]
        }
        if not counts:
            return
        try:
            self._write(counts)
        except Exception:  # whoever follows a link gets there, whatever becomes of the count
            log.exception("visits could not be counted yet")
            with self._lock:
                self._people.update(people)
                self._machines.update(machines)
