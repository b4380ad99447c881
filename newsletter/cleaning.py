"""Forgets what has served its time: old poll logs, ended sessions, old audit lines."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from newsletter.tools import Tools

POLL_LOG_KEPT: Final = timedelta(days=90)
AUDIT_KEPT: Final = timedelta(days=365)


def clean(tools: Tools) -> None:
    now = tools.clock()
    with tools.begin() as unit:
        unit.feeds.prune_polls(now - POLL_LOG_KEPT)
        unit.doors.clean(now)
        unit.audit.clean(now - AUDIT_KEPT)
