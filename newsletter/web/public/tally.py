"""What visitors of counted links add up to, on its way into the database: one transaction at a time, with
everything that came meanwhile. So a crowd costs a few transactions a second, and each visit is answered
once it is on disk."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 2.0  #: nobody waits longer for a page because the database is busy


@dataclass
class Counts:
    """How many more people and machines came, by a link's token; and of those who agreed, by themselves and
    token, how many times more and when last."""

    people: Counter[str] = field(default_factory=Counter)
    machines: Counter[str] = field(default_factory=Counter)
    times: Counter[tuple[int, str]] = field(default_factory=Counter)
    last_at: dict[tuple[int, str], datetime] = field(default_factory=dict)

    def add(self, other: Counts) -> None:
        self.people.update(other.people)
        self.machines.update(other.machines)
        self.times.update(other.times)
        self.last_at |= other.last_at

    @property
    def tokens(self) -> list[str]:
        """In one order, so that no two writers wait for each other."""
        return sorted(
            token for token in {*self.people, *self.machines} if self.people[token] or self.machines[token]
        )

    @property
    def readers(self) -> list[tuple[int, str]]:
        return sorted(one for one in self.times if self.times[one])


class Tally:
    """Thread-safe. ``write`` puts counts into the database in one transaction."""

    def __init__(self, write: Callable[[Counts], None], *, patience_s: float = PATIENCE_S) -> None:
        self._write = write
        self._patience_s = patience_s
        self._counts = Counts()
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._left = False  #: somebody went without having seen their count written

    def person(self, token: str, reader: int, at: datetime) -> None:
        """Takes note of a person's visit; ``reader`` is who of those who agreed, 0: nobody known. ``flush``
        makes it last."""
        with self._lock:
            self._counts.people[token] += 1
            if reader:
                self._counts.times[reader, token] += 1
                self._counts.last_at[reader, token] = at

    def machine(self, token: str) -> None:
        """Takes note of a program's visit."""
        with self._lock:
            self._counts.machines[token] += 1

    def mistaken(self, token: str, reader: int, at: datetime) -> None:
        """What was noted as a person's visit was a program's."""
        with self._lock:
            self._counts.people[token] -= 1
            self._counts.machines[token] += 1
            if reader:
                self._counts.times[reader, token] -= 1
                self._counts.last_at.setdefault((reader, token), at)

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
            counts, self._counts = self._counts, Counts()
        if not counts.tokens and not counts.readers:
            return
        try:
            self._write(counts)
        except Exception:  # whoever follows a link gets there, whatever becomes of the count
            log.exception("visits could not be counted yet")
            with self._lock:
                counts.add(self._counts)
                self._counts = counts
