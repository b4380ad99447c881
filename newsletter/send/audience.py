"""From an approved issue to a delivery for each subscriber: resumable, in pages, in constant memory."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Final

import structlog

from newsletter.model.issue import Issue, IssueState
from newsletter.send.masks import mask_for
from newsletter.send.ports import Clock, SendUnit, Work
from subscribers.model import Cadence
from subscribers.segments import Filter

PAGE: Final = 5000
MAX_LATE: Final = timedelta(hours=24)

log = structlog.get_logger(__name__)


def start_issue(unit: SendUnit, issue_id: int, now: datetime) -> Issue:
    """Sending begins: from now on the audience is bounded. Raises Conflict for one that is not approved."""
    issue = unit.issues.start(issue_id, unit.subscribers.highest_id(), now)
    log.info("sending begins", issue=issue_id, bound=issue.audience_bound)
    return issue


def start_due(unit: SendUnit, now: datetime, *, max_late: timedelta = MAX_LATE) -> list[int]:
    """Starts the approved issues whose time has come.

    One whose time passed longer than ``max_late`` ago (the machine was off, a copy of the database was
    restored) goes back to draft and waits for the author.
    """
    started = []
    for issue in unit.issues.due(now):
        if issue.send_at is not None and now - issue.send_at > max_late:
            unit.issues.back_to_draft(
                issue.id,
                reason="Its time passed while nothing was running here. Approve it again to send it.",
                now=now,
            )
            log.warning("too late to send", issue=issue.id)
        else:
            started.append(start_issue(unit, issue.id, now).id)
    return started


def expand_audience(
    issue_id: int,
    *,
    work: Work,
    default_cadence: Cadence,
    clock: Clock,
    stop: threading.Event | None = None,
    page: int = PAGE,
) -> bool:
    """Draws the audience on, each page in its own transaction; True once all of it is drawn.

    An issue for a segment draws those in it, as it was when the issue was approved; whoever is outside is
    not in the audience at all, and nothing asks again whether who is drawn still belongs to it.
    A crash loses the page it was at, which is drawn again: who is drawn already stays as they are.
    """
    while not (stop and stop.is_set()):
        with work() as unit:
            issue = unit.issues.get(issue_id)
            if issue.audience_drawn or issue.state is not IssueState.SENDING:
                return issue.audience_drawn
            if _draw_page(unit, issue, default_cadence, clock(), page):
                log.info("audience drawn", issue=issue_id)
                return True
    return False


def _draw_page(unit: SendUnit, issue: Issue, default_cadence: Cadence, now: datetime, page: int) -> bool:
    unit.deliveries.lock_audience()
    candidates = unit.subscribers.candidates(
        issue.cadence,
        default_cadence,
        after=issue.audience_cursor,
        bound=issue.audience_bound,
        limit=page,
        now=now,
        segment=Filter.from_json(issue.segment_filter) if issue.segment_filter else None,
    )
    block_of = {place.post_id: place.block for place in issue.included}
    topics = unit.issues.block_topics(issue.id)
    received = unit.deliveries.already_received(issue.id, [c.id for c in candidates], list(block_of))
    masks: dict[int, int] = {}
    skipped: dict[int, str] = {}
    for candidate in candidates:
        had = [block_of[post_id] for post_id in received.get(candidate.id, ())]
        mask, reason = mask_for(topics, candidate.topics_off, had)
        if mask:
            masks[candidate.id] = mask
        else:
            skipped[candidate.id] = reason
    unit.deliveries.add(issue.id, masks, skipped, now)
    drawn = len(candidates) < page
    cursor = issue.audience_bound if drawn else candidates[-1].id
    unit.issues.advance_audience(issue.id, cursor, drawn)
    return drawn
