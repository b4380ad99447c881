"""The sending rates as an author writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from newsletter.errors import Invalid
from newsletter.model.rate import SECONDS, UNLIMITED, Rate


def parse(text: str) -> Rate:
    """``60/minute``, ``100/day``, ``60/minute, 500/day`` or ``unlimited``. Raises Invalid."""
    if text.strip().lower() == "unlimited":
        return UNLIMITED
    first, *others = [_one(part) for part in text.split(",")]
    return replace(first, also=tuple(others))


def parse_domains(text: str) -> Mapping[str, Rate]:
    """``gmail.com=100/hour, outlook.com=20/minute``: the limit of each domain. Raises Invalid."""
    found: dict[str, Rate] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        domain, _, rate = part.partition("=")
        name = domain.strip().lower()
        found[name] = replace(_one(rate), scope=f"to:{name}")
    return found


def parse_at_once(text: str) -> Mapping[str, int]:
    """``gmail.com=20, outlook.com=5``: how many messages to each domain may be on their way together."""
    pairs = (part.partition("=") for part in text.split(",") if part.strip())
    return {domain.strip().lower(): int(most) for domain, _, most in pairs}


def parse_plan(text: str) -> tuple[int, ...]:
    """``50, 100, 500``: how many on the first, the second and the third day of sending."""
    return tuple(int(part) for part in text.split(",") if part.strip())


def _one(text: str) -> Rate:
    match = re.fullmatch(r"(\d{1,9})\s*/\s*(second|minute|hour|day)", text.strip().lower())
    if match is None or int(match[1]) == 0:
        raise Invalid(
            "The sending rate is not one that can be read.",
            hint="Write 60/minute, 100/day, 10/second or unlimited.",
        )
    return Rate(count=int(match[1]), seconds=SECONDS[match[2]])
