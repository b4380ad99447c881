"""Checklist: what stands between a draft and approval."""

from __future__ import annotations

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


@dataclass(frozen=True, kw_only=True)
class Checklist:
    lines: tuple[CheckLine, ...]

    @property
    def blocking(self) -> tuple[CheckLine, ...]:
        return tuple(line for line in self.lines if line.level is Level.BLOCKING)
