"""The sending rate as an author writes it."""

from __future__ import annotations

import re

from newsletter.errors import Invalid
from newsletter.model.rate import SECONDS, UNLIMITED, Rate


def parse(text: str) -> Rate:
    """``60/minute``, ``100/day``, ``10/second``, ``500/hour`` or ``unlimited``. Raises Invalid."""
    cleaned = text.strip().lower()
    if cleaned == "unlimited":
        return UNLIMITED
    match = re.fullmatch(r"(\d{1,9})\s*/\s*(second|minute|hour|day)", cleaned)
    if match is None or int(match[1]) == 0:
        raise Invalid(
            "The sending rate is not one that can be read.",
            hint="Write 60/minute, 100/day, 10/second or unlimited.",
        )
    return Rate(count=int(match[1]), seconds=SECONDS[match[2]])
