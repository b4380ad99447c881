"""Answers that take the same time whatever they found, so that the time tells nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

ANSWER_AFTER_S: Final = 0.3


class Evenly:
    """Ends what it encloses on the next whole multiple of ``step_s``: not merely after it, or whoever
    takes longer than that would show."""

    def __init__(
        self, step_s: float = ANSWER_AFTER_S, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._step_s = step_s
        self._clock = clock

    def left_s(self, started: float) -> float:
        """How long to wait now; ``started`` is by the same clock."""
        if not self._step_s:
            return 0.0
        return self._step_s - (self._clock() - started) % self._step_s

    async def wait(self, started: float) -> None:
        await asyncio.sleep(self.left_s(started))

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """For what runs in a thread of its own."""
        started = self._clock()
        try:
            yield
        finally:
            time.sleep(self.left_s(started))
