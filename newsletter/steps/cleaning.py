"""Forgets what has served its time: old logs, ended sessions, sign-ups that were never confirmed."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from newsletter.steps.telling import confirmation
from newsletter.steps.tools import Tools
from subscribers import former
from subscribers.signups import SignUps

POLL_LOG_KEPT: Final = timedelta(days=90)
AUDIT_KEPT: Final = timedelta(days=365)


def clean(tools: Tools) -> None:
    now = tools.clock()
    with tools.begin() as unit:
        unit.feeds.prune_polls(now - POLL_LOG_KEPT)
        unit.doors.clean(now)
        unit.audit.clean(now - AUDIT_KEPT)
        signups = SignUps(unit.subscribers)
        for ask in signups.reminders(now):
            unit.notices.queue(confirmation(ask), now)
        unit.notices.forget_all(signups.vanish(now))
        unit.leases.clean(now)
        former.clean(unit.conn, now)
