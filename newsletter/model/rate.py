"""Rate: how many messages may leave in how long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True, kw_only=True)
class Rate:
    """At most ``count`` messages in any ``seconds`` seconds; ``count`` 0 is unlimited.

    ``scope`` names what is counted together: all mail, or the mail to one domain. ``also`` are further limits
    on the same messages. ``plan`` is what may leave on the first day on which anything is sent, on the
    second, and so on, in days of UTC; after its last day it limits nothing.
    """

    count: int
    seconds: int
    scope: str = "mail"
    also: tuple[Rate, ...] = ()
    plan: tuple[int, ...] = ()

    @property
    def unlimited(self) -> bool:
        return not self.limits

    @property
    def limits(self) -> tuple[Rate, ...]:
        """Each limit by itself."""
        alone = (replace(self, also=()),) if self.count or self.plan else ()
        return (*alone, *(limit for further in self.also for limit in further.limits))

    def most_in(self, seconds: int, most: int) -> int:
        """How many these limits let leave in so many seconds, at most ``most``."""
        found = [limit.count * seconds // limit.seconds for limit in self.limits if limit.count]
        return min([most, *found])

    def __str__(self) -> str:
        return ", ".join(map(_written, self.limits)) or "unlimited"


def _written(limit: Rate) -> str:
    if limit.plan:
        return f"{', '.join(map(str, limit.plan))} on the first days"
    unit = next(name for name, seconds in SECONDS.items() if seconds == limit.seconds)
    return f"{limit.count}/{unit}"


UNLIMITED = Rate(count=0, seconds=1)


def warming(plan: tuple[int, ...], of: str) -> Rate:
    """The limit of a plan for what warms up: a sender's domain."""
    return Rate(count=0, seconds=86400, scope=f"warm:{of}", plan=plan)
