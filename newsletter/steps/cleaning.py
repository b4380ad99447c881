"""Forgets what has served its time: old logs, ended sessions, sign-ups that were never confirmed."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from newsletter.model.notice import NoticeKind
from newsletter.steps.telling import confirmation, tell_author
from newsletter.steps.tools import Tools
from subscribers import asking, bulk, former, rhythms
from subscribers.signups import SignUps

POLL_LOG_KEPT: Final = timedelta(days=90)
AUDIT_KEPT: Final = timedelta(days=365)
FORMS_KEPT: Final = timedelta(hours=1)  # as long as their limits count
FORGET_EVERY: Final = timedelta(hours=1)


def clean(tools: Tools) -> None:
    now, settings = tools.clock(), tools.settings()
    with tools.begin() as unit:
        unit.feeds.prune_polls(now - POLL_LOG_KEPT)
        unit.doors.clean(now)
        unit.audit.clean(now - AUDIT_KEPT)
        signups = SignUps(unit.subscribers)
        for ask in signups.reminders(now):
            unit.notices.queue(confirmation(ask), now)
        unit.notices.forget_all(signups.vanish(now))
        asks, stopped = asking.due(unit.subscribers, now)
        for ask in asks:
            unit.notices.queue(confirmation(ask), now)
        for one in stopped:
            tell_author(
                unit,
                settings,
                key=f"asking:{one.batch_id}",
                kind=NoticeKind.PROBLEM,
                now=now,
                data={
                    "text": f"Nobody else of import {one.batch_id} is asked to confirm: {one.bounced} of the "
                    f"{one.asked} who were asked bounced.",
                    "hint": "A list like this harms how your mail is received everywhere. Leave it, or check "
                    "the addresses elsewhere and import those that are good.",
                },
            )
        unit.leases.clean(now)
        if unit.leases.take("forget readings", secrets.token_hex(8), now=now, length=FORGET_EVERY):
            unit.links.forget_others()  # whoever left in a way that does not forget at once
        former.clean(unit.conn, now)
        bulk.clean(unit.conn, now)
        unit.forms.clean(now - FORMS_KEPT)
        rhythms.clean(unit.conn, now)
