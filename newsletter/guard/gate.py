"""A gate per host: how many requests at once, and how far apart.

Many hosts pass through one process, so a gate exists only while somebody stands at it, or until the pause it
asks for is over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class GateClosed(Exception):
    """The time ran out before it was this request's turn."""


class _Gate:
    def __init__(self, lock: threading.Lock) -> None:
        self.changed = threading.Condition(lock)
        self.inside = 0
        self.waiting = 0
        self.opens_at = 0.0


class HostGates:
    """At most ``at_once`` requests inside per host, their starts ``interval_s`` seconds apart.

    Safe to share between threads. Memory follows the hosts in use, not the hosts ever seen.
    """

    _TIDY_AT = 1024

    def __init__(self, *, at_once: int, interval_s: float = 0.0) -> None:
        self._at_once = at_once
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._gates: dict[str, _Gate] = {}

    def __len__(self) -> int:
        return len(self._gates)

    @contextmanager
    def enter(self, host: str, until: float) -> Iterator[None]:
        """Wait for a turn at ``host``; raises :class:`GateClosed` at the monotonic instant ``until``."""
        with self._lock:
            gate = self._gates.get(host)
            if gate is None:
                self._tidy()
                gate = self._gates[host] = _Gate(self._lock)
            gate.waiting += 1
            try:
                self._wait(gate, until)
            finally:
                gate.waiting -= 1
                self._forget_if_idle(host, gate)
        try:
            yield
        finally:
            with self._lock:
                gate.inside -= 1
                gate.changed.notify()
                self._forget_if_idle(host, gate)

    def _wait(self, gate: _Gate, until: float) -> None:
        while True:
            now = time.monotonic()
            if gate.inside < self._at_once and now >= gate.opens_at:
                gate.inside += 1
                gate.opens_at = now + self._interval_s
                return
            if now >= until:
                # A wake-up meant for somebody who can still use it must not end here.
                gate.changed.notify()
                raise GateClosed
            wake = until if gate.inside >= self._at_once else min(until, gate.opens_at)
            gate.changed.wait(wake - now)

    def _forget_if_idle(self, host: str, gate: _Gate) -> None:
        if not gate.inside and not gate.waiting and time.monotonic() >= gate.opens_at:
            self._gates.pop(host, None)

    def _tidy(self) -> None:
        if len(self._gates) >= self._TIDY_AT:
            for host, gate in list(self._gates.items()):
                self._forget_if_idle(host, gate)
