"""Forgets what has served its time: old poll logs, ended sessions, old audit lines."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from newsletter import polling
from newsletter.tools import Tools

AUDIT_KEPT: Final = timedelta(days=365)


def clean(tools: Tools) -> None:
    now = tools.clock()
    with tools.begin() as unit:
        polling.clean(unit, now)
        unit.doors.clean(now)
        unit.audit.clean(now - AUDIT_KEPT)
