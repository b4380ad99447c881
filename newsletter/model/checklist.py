"""Checklist: what stands between a draft and approval."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    BLOCKING = "blocking"
    ADVICE = "advice"
    GOOD = "good"


@dataclass(frozen=True, kw_only=True)
class CheckLine:
    """One line: what was looked at, what was found, and how to mend it.

    ``code`` is stable (``postal_address``, ``size``); ``text`` is one sentence with its evidence;
    ``mend`` says what to do and is empty for a good line.
    """

    level: Level
    code: str
    text: str
    mend: str = ""


_ORDER = tuple(Level)


@dataclass(frozen=True, kw_only=True)
class Checklist:
    """Blocking lines first, good ones last."""

    lines: tuple[CheckLine, ...]

    @classmethod
    def of(cls, lines: Iterable[CheckLine]) -> Checklist:
        """Puts the lines in order."""
        return cls(lines=tuple(sorted(lines, key=lambda line: _ORDER.index(line.level))))

    def renewed(self, lines: Iterable[CheckLine]) -> Checklist:
        """With these lines instead of those of the same codes."""
        fresh = tuple(lines)
        codes = {line.code for line in fresh}
        return Checklist.of([*(line for line in self.lines if line.code not in codes), *fresh])

    @property
    def blocking(self) -> tuple[CheckLine, ...]:
        return tuple(line for line in self.lines if line.level is Level.BLOCKING)
