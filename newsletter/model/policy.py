"""PollPolicy: what the author decided about polling, and about which posts may be mailed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class FirstPoll(StrEnum):
    """What becomes of the posts that a feed already has when it is added."""

    BASELINE = "baseline"  #: none is mailed
    NEWEST = "newest"  #: the newest one is offered as a draft


@dataclass(frozen=True, kw_only=True)
class PollPolicy:
    """``interval`` and ``longest`` bound the rhythm; a feed's own demands may lengthen it further."""

    interval: timedelta = timedelta(hours=1)
    longest: timedelta = timedelta(hours=4)  #: between polls of a quiet blog; never below ``interval``
    settle: timedelta = timedelta(minutes=10)  #: how long a new post waits for corrections; 0: not at all
    flood: int = 3  #: more new posts than this at once are held
    max_age: timedelta = timedelta(days=30)  #: an unseen post published longer ago is held
    first_poll: FirstPoll = FirstPoll.BASELINE
