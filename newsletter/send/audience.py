"""From an approved issue to a delivery for each subscriber: resumable, in pages, in constant memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from newsletter.model.issue import Issue, IssueState
from newsletter.send.masks import mask_for
from newsletter.send.ports import Clock, SendUnit, Work
from subscribers.model import Cadence
from subscribers.rhythms import Former
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
            unit.deliveries.lock_audience()  # before the issue is read: another may just have drawn a page
            issue = unit.issues.get(issue_id)
            if issue.audience_drawn or issue.state is not IssueState.SENDING:
                return issue.audience_drawn
            if _draw_page(unit, issue, default_cadence, clock(), page):
                log.info("audience drawn", issue=issue_id)
                return True
    return False


def _draw_page(unit: SendUnit, issue: Issue, default_cadence: Cadence, now: datetime, page: int) -> bool:
    after = issue.audience_cursor
    segment = Filter.from_json(issue.segment_filter) if issue.segment_filter else None
    candidates = unit.subscribers.candidates(
        issue.cadence,
        default_cadence,
        after=after,
        bound=issue.audience_bound,
        limit=page,
        now=now,
        segment=segment,
    )
    drawn = len(candidates) < page
    cursor = issue.audience_bound if drawn else candidates[-1].id
    former = unit.subscribers.former(issue.cadence, default_cadence, after, cursor, page, now, segment)
    if len(former) == page and former[-1].id < cursor:  # the next page goes on where this one ends
        drawn, cursor = False, former[-1].id
        candidates = [candidate for candidate in candidates if candidate.id <= cursor]
    block_of = {place.post_id: place.block for place in issue.included}
    topics = unit.issue_posts.topics(issue.id)
    wanted: list[tuple[int, frozenset[str], Mapping[int, frozenset[str]]]] = [
        (candidate.id, candidate.topics_off, topics) for candidate in candidates
    ]
    wanted += _missed(unit, issue, former, topics)
    received = unit.deliveries.already_received(issue.id, [who for who, _, _ in wanted], list(block_of))
    masks: dict[int, int] = {}
    skipped: dict[int, str] = {}
    for who, topics_off, blocks in wanted:
        had = [block_of[post_id] for post_id in received.get(who, ())]
        mask, reason = mask_for(blocks, topics_off, had)
        if mask:
            masks[who] = mask
        elif blocks is topics:  # whoever left this rhythm and misses nothing is no recipient
            skipped[who] = reason
    unit.deliveries.add(issue.id, masks, skipped, now)
    unit.issues.advance_audience(issue.id, cursor, drawn)
    return drawn


def _missed(
    unit: SendUnit, issue: Issue, former: Sequence[Former], topics: Mapping[int, frozenset[str]]
) -> Iterator[tuple[int, frozenset[str], Mapping[int, frozenset[str]]]]:
    """Those who left this rhythm, with the blocks that the rhythm they went to does not bring them: it had
    begun to mail them before they came."""
    if not former:
        return
    reach = unit.issue_posts.out_of_reach(issue.id)
    for one in former:
        blocks = {
            block: topics[block]
            for block, since in reach[one.cadence].items()
            if since <= one.came_at and block in topics
        }
        if blocks:
            yield one.id, one.topics_off, blocks
