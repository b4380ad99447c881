"""Draft to approved."""

from __future__ import annotations

from datetime import datetime

from newsletter.approve.ports import ApproveUnit
from newsletter.errors import NotReady
from newsletter.model.issue import Issue, IssueState, move_issue


def approve(
    unit: ApproveUnit, issue_id: int, *, at: datetime | None, now: datetime, segment_filter: str = ""
) -> Issue:
    """Approve a draft as it was last composed; what is frozen is its content hash (invariant 5).

    ``at`` is when sending is due, None or the past: now. ``segment_filter`` is whom its segment holds now,
    frozen with it. Raises NotReady naming every blocking line of
    the checklist, Conflict where the issue is no draft, NotFound. Never composes or sends anything.
    """
    issue = unit.issues.get(issue_id)
    move_issue(issue.state, IssueState.APPROVED)
    if not issue.content_hash:
        raise NotReady(
            f"Issue {issue_id} is not composed yet.", hint="Wait for the next turn, or run: newsletter tick"
        )
    if blocking := unit.artefacts.checklist(issue_id).blocking:
        if len(blocking) == 1:
            raise NotReady(
                f"Issue {issue_id} cannot be approved yet: {blocking[0].text}", hint=blocking[0].mend
            )
        listed = "".join(f"\n- {line.text} {line.mend}".rstrip() for line in blocking)
        raise NotReady(f"Issue {issue_id} cannot be approved yet, for {len(blocking)} reasons:{listed}")
    if issue.segment and not segment_filter:
        raise NotReady(
            f"Issue {issue_id} is for the segment “{issue.segment}”, which is not there any more.",
            hint="Choose for whom it is, then approve it.",
        )
    due = max(at, now) if at is not None else now
    return unit.issues.approve(issue_id, send_at=due, now=now, segment_filter=segment_filter)
