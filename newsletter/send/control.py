"""What the author may decide about an issue that is being sent, and recovery after a crash."""

from __future__ import annotations

from datetime import datetime

import structlog

from newsletter.errors import Conflict
from newsletter.model.issue import IssueState
from newsletter.send.guards import CANCELLED
from newsletter.send.ports import Clock, SendUnit, Work

log = structlog.get_logger(__name__)


def pause_issue(unit: SendUnit, issue_id: int, now: datetime, *, problem: str = "") -> None:
    """Nothing further is handed over; what is being handed over ends as it ends."""
    unit.issues.pause(issue_id, problem, now)


def resume_issue(unit: SendUnit, issue_id: int, now: datetime) -> None:
    """Sends a paused issue on. Raises Conflict for any other."""
    state = unit.issues.get(issue_id).state
    if state is not IssueState.PAUSED:
        raise Conflict(f"Issue {issue_id} is {state}, not paused.")
    unit.issues.resume(issue_id, now)


def cancel_issue(unit: SendUnit, issue_id: int, now: datetime) -> int:
    """Ends an unfinished issue; returns how many of those drawn will now get nothing."""
    unit.issues.cancel(issue_id, now)
    return unit.deliveries.skip_open(issue_id, CANCELLED, now)


def retry_failed(unit: SendUnit, issue_id: int, now: datetime) -> int:
    """The author's choice: failed deliveries are tried again, but not of those whose address does not exist
    or who may not be mailed any more; returns how many. Raises Conflict for an issue that was cancelled or
    never sent."""
    _require_account(unit, issue_id)
    count = unit.deliveries.retry_failed(
        issue_id, now, lambda ids: unit.subscribers.claimable(ids, now).recipients
    )
    if count:
        _send_on(unit, issue_id, now)
    return count


def settle_unknown(unit: SendUnit, issue_id: int, now: datetime, *, resend: bool) -> int:
    """The author's choice for messages that may or may not have arrived; returns how many are resent.

    Hold leaves them counted as unknown. Resend may give somebody the message twice (invariant 8). Raises
    Conflict for an issue that was cancelled or never sent.
    """
    _require_account(unit, issue_id)
    count = unit.deliveries.resend_unknown(issue_id, now) if resend else 0
    if count:
        _send_on(unit, issue_id, now)
    return count


def recover(work: Work, clock: Clock) -> tuple[int, int]:
    """Takes over attempts whose lease ran out, and notices alike; ``(pending again, now unknown)``.

    Never requeues anything that a provider could have acted upon (invariant 7).
    """
    released = unknown = 0
    with work() as unit:
        now = clock()
        unknown += unit.notices.recover(now)
        expired = unit.deliveries.expired_attempts(now)
        for attempt_id in expired:
            back, lost = unit.deliveries.recover(attempt_id, now)
            released += back
            unknown += lost
            log.warning("attempt recovered", attempt=attempt_id, pending=back, unknown=lost)
    return released, unknown


def _require_account(unit: SendUnit, issue_id: int) -> None:
    state = unit.issues.get(issue_id).state
    if state not in {IssueState.SENDING, IssueState.PAUSED, IssueState.FINISHED}:
        raise Conflict(f"Issue {issue_id} is {state}: nobody is waiting for it.")


def _send_on(unit: SendUnit, issue_id: int, now: datetime) -> None:
    if unit.issues.get(issue_id).state is IssueState.FINISHED:
        unit.issues.resume(issue_id, now)
