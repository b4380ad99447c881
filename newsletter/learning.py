"""Learning, put together."""

from __future__ import annotations

from newsletter.tools import Tools


def apply_events(tools: Tools) -> dict[str, int]:
    return {}
