"""Events are stored as they come and applied afterwards, each once, in short transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from newsletter.errors import NotFound
from newsletter.learn.merge import ABOUT_US, Consequence, consequence, merge
from newsletter.learn.ports import Clock, LearnUnit, Work
from newsletter.model.alarm import alarm, done_once
from newsletter.model.delivery import DeliveryState
from newsletter.model.event import Event, EventKind
from newsletter.model.issue import IssueState
from newsletter.model.slowdown import wants_less
from newsletter.model.times import ONCE
from subscribers.model import SuppressionCause

PAGE: Final = 200
_ALARMING: Final = frozenset({EventKind.BOUNCED, EventKind.COMPLAINED})
_PASSING: Final = frozenset({EventKind.DEFERRED, EventKind.SOFT_BOUNCED, EventKind.BLOCKED})
_RECENT: Final = timedelta(hours=1)
_FAILED: Final = frozenset({EventKind.BOUNCED, EventKind.BLOCKED, EventKind.DROPPED})

log = structlog.get_logger(__name__)


def take_in(unit: LearnUnit, news: Sequence[tuple[Event, str]], now: datetime) -> int:
    """Keeps events with their raw form; returns how many were new. The same event twice is kept once."""
    return unit.events.add(news, now)


def apply_events(
    work: Work,
    clock: Clock,
    *,
    page: int = PAGE,
    tell: Callable[[int, str], None] = lambda issue_id, problem: None,
) -> dict[str, int]:
    """Applies what was taken in; returns how many of each kind.

    An event and its effect commit together, so a crash applies it again or not at all. ``tell`` is called,
    after the commit, with each issue that these events paused and why.
    """
    counts: dict[str, int] = {}
    while True:
        paused: dict[int, str] = {}
        with work() as unit:
            found = unit.events.open(page)
            now = clock()
            applied = []
            for row_id, event in found:
                stopped = _apply(unit, event, now)
                if stopped is None:
                    continue  # its delivery has just been taken up again
                paused |= stopped
                counts[event.kind.value] = counts.get(event.kind.value, 0) + 1
                applied.append(row_id)
            unit.events.applied(applied, now)
            for issue_id in sorted({event.issue_id for _, event in found if event.kind in _ALARMING}):
                if issue_id:
                    paused |= _watch(unit, issue_id, now)
        for issue_id, problem in paused.items():
            tell(issue_id, problem)
        if len(found) < page:
            return counts


def _watch(unit: LearnUnit, issue_id: int, now: datetime) -> dict[int, str]:
    """Too many bounces or complaints pause an issue, once: an author who goes on has decided."""
    done = done_once(issue_id)
    handed, _ = unit.deliveries.begun(issue_id)
    if not handed:
        return {}  # no issue of ours, or nobody's yet
    if unit.issues.get(issue_id).state is not IssueState.SENDING or unit.leases.held(done, now):
        return {}
    problem = alarm(
        handed,
        unit.deliveries.hard_bounces(issue_id),
        unit.events.subscribers_with(issue_id, EventKind.COMPLAINED),
    )
    if not problem:
        return {}
    unit.leases.take(done, "told", now=now, length=ONCE)
    return _pause(unit, issue_id, problem, now)


def _apply(unit: LearnUnit, event: Event, now: datetime) -> dict[int, str] | None:
    """Returns the issue that it paused, and why. None: it has to wait until its delivery was handed over."""
    if event.notice_id:
        if event.kind in _FAILED:
            unit.notices.failed(event.notice_id, now, event.code, event.reason)
        else:
            unit.notices.accepted(event.notice_id, now, event.code)
        _tell_of_notice(unit, event, now)
    subscriber_id = event.subscriber_id
    what, mailed_at = consequence(event), None
    if event.issue_id and subscriber_id:
        before = unit.deliveries.find(event.issue_id, subscriber_id)
        if before is None:
            return {}  # nobody we ever mailed: a stranger's event moves nothing
        if before.state is DeliveryState.SUBMITTING:
            return None
        if what is not Consequence.NONE:
            mailed_at = unit.deliveries.attempted_at(event.attempt_id or before.attempt_id)
        state, flags = merge(before.state, before.flags, event)
        unit.deliveries.learned(before, now, state=state, flags=flags, code=event.code, reason=event.reason)
    if subscriber_id and event.kind in _PASSING and wants_less(event.code, event.reason):
        _slow(unit, subscriber_id, event, now)
    if subscriber_id:
        _tell(unit, what, subscriber_id, event, now, mailed_at)
    if event.kind is EventKind.DROPPED and event.code in ABOUT_US and event.issue_id:
        why = "the sending quota is used up" if event.code == "quota" else "it takes this issue for spam"
        return _pause(unit, event.issue_id, f"The mail provider drops messages: {why}.", now)
    return {}


def _slow(unit: LearnUnit, subscriber_id: int, event: Event, now: datetime) -> None:
    """The recipient's server wants less from us: its domain rests. Old news is not about now."""
    person = unit.subscribers.find(subscriber_id)
    if person is not None and person.address and now - event.at < _RECENT:
        unit.domains.slow(person.address.rpartition("@")[2], now)


def _tell(
    unit: LearnUnit,
    what: Consequence,
    subscriber_id: int,
    event: Event,
    now: datetime,
    mailed_at: datetime | None,
) -> None:
    """``mailed_at`` is when the message left: what came back is about the address they had then."""
    people = unit.subscribers
    if what is Consequence.DELIVERED:
        people.mark_delivered(subscriber_id, mailed_at=mailed_at)
    elif what is Consequence.STRIKE:
        people.mark_bounced(subscriber_id, now, hard=False, reason=event.code, mailed_at=mailed_at)
    elif what is Consequence.BOUNCED:
        people.mark_bounced(subscriber_id, now, reason=event.code, mailed_at=mailed_at)
    elif what is Consequence.COMPLAINED:
        people.mark_complained(subscriber_id, now, reason=event.provider, mailed_at=mailed_at)
    elif what is Consequence.UNSUBSCRIBED:
        people.unsubscribe(subscriber_id, now, event.provider)  # the wish of a person, whatever their address
    if what not in (Consequence.DELIVERED, Consequence.NONE):
        unit.deliveries.unclaim(subscriber_id)  # they may not be mailed any more


_FOR_AN_ADDRESS: Final = {
    Consequence.BOUNCED: SuppressionCause.BOUNCED,
    Consequence.COMPLAINED: SuppressionCause.COMPLAINED,
    Consequence.UNSUBSCRIBED: SuppressionCause.UNSUBSCRIBED,
}


def _tell_of_notice(unit: LearnUnit, event: Event, now: datetime) -> None:
    """A notice keeps the address it went to. What goes to the author suppresses nobody."""
    cause = _FOR_AN_ADDRESS.get(consequence(event))
    if cause is None:
        return
    try:
        notice = unit.notices.get(event.notice_id)
    except NotFound:
        return  # forgotten with its reader, or forged
    if notice.subscriber_id is not None:
        unit.subscribers.suppress(notice.to, cause, now, reason=event.code or event.provider)


def _pause(unit: LearnUnit, issue_id: int, problem: str, now: datetime) -> dict[int, str]:
    if unit.issues.get(issue_id).state is not IssueState.SENDING:
        return {}
    unit.issues.pause(issue_id, problem, now)
    log.error("issue paused", issue=issue_id)
    return {issue_id: problem}
