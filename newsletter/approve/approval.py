"""Draft to approved."""

from __future__ import annotations

from datetime import datetime

from newsletter.approve.ports import ApproveUnit
from newsletter.errors import NotReady
from newsletter.model.issue import Issue, IssueState, move_issue


def approve(unit: ApproveUnit, issue_id: int, *, at: datetime | None, now: datetime) -> Issue:
    """Approve a draft as it was last composed; what is frozen is its content hash (invariant 5).

    ``at`` is when sending is due, None or the past: now. Raises NotReady naming every blocking line of
    the checklist, Conflict where the issue is no draft, NotFound. Never composes or sends anything.
    """
    issue = unit.issues.get(issue_id)
    move_issue(issue.state, IssueState.APPROVED)
    if not issue.content_hash:
        raise NotReady(
            f"Issue {issue_id} is not composed yet.", hint="Wait for the next turn, or run: newsletter tick"
        )
    if blocking := unit.issues.checklist(issue_id).blocking:
        raise NotReady(
            f"Issue {issue_id} cannot be approved yet: " + " ".join(line.text for line in blocking),
            hint=" ".join(line.mend for line in blocking if line.mend),
        )
    return unit.issues.approve(issue_id, send_at=max(at, now) if at is not None else now, now=now)
