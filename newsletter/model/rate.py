"""Rate: how many messages may leave in how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True, kw_only=True)
class Rate:
    """At most ``count`` messages in any ``seconds`` seconds; ``count`` 0 is unlimited."""

    count: int
    seconds: int

    @property
    def unlimited(self) -> bool:
        return self.count == 0

    def __str__(self) -> str:
        if self.unlimited:
            return "unlimited"
        unit = next(name for name, seconds in SECONDS.items() if seconds == self.seconds)
        return f"{self.count}/{unit}"


UNLIMITED = Rate(count=0, seconds=1)
