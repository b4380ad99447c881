from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.approve import approve
from newsletter.errors import Conflict, NotReady
from newsletter.model.checklist import CheckLine, Checklist, Level
from newsletter.model.issue import Issue, IssueState
from subscribers.model import Cadence

NOW = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)
BLOCKING = CheckLine(level=Level.BLOCKING, code="from", text="From is not set.", mend="Set it.")


class Shelf:
    """Issues in memory."""

    def __init__(self, *issues: Issue, lines: tuple[CheckLine, ...] = ()) -> None:
        self._issues = {issue.id: issue for issue in issues}
        self._lines = lines

    @property
    def issues(self) -> Shelf:
        return self

    @property
    def artefacts(self) -> Shelf:
        return self

    def get(self, issue_id: int) -> Issue:
        return self._issues[issue_id]

    def checklist(self, issue_id: int) -> Checklist:
        return Checklist(lines=self._lines)

    def approve(self, issue_id: int, *, send_at: datetime, now: datetime, segment_filter: str) -> Issue:
        issue = self.get(issue_id)
        return self._put(
            replace(
                issue,
                state=IssueState.APPROVED,
                send_at=send_at,
                approved_at=now,
                approved_hash=issue.content_hash,
                segment_filter=segment_filter,
            )
        )

    def _put(self, issue: Issue) -> Issue:
        self._issues[issue.id] = issue
        return issue


def an_issue(state: IssueState = IssueState.DRAFT, *, content_hash: str = "abc") -> Issue:
    return Issue(
        id=1,
        state=state,
        cadence=Cadence.EACH,
        subject="S",
        content_hash=content_hash,
        created_at=NOW,
        changed_at=NOW,
    )


def test_approval_freezes_what_was_composed() -> None:
    issue = approve(Shelf(an_issue()), 1, at=None, now=NOW)
    assert (issue.state, issue.approved_hash, issue.send_at) == (IssueState.APPROVED, "abc", NOW)


def test_approval_freezes_whom_a_segment_holds_and_needs_one_that_is_there() -> None:
    shelf = Shelf(replace(an_issue(), segment="The few"))
    with pytest.raises(NotReady, match="“The few”, which is not there any more"):
        approve(shelf, 1, at=None, now=NOW)
    assert approve(shelf, 1, at=None, now=NOW, segment_filter="{}").segment_filter == "{}"


def test_approval_for_later_is_due_then_and_for_the_past_is_due_now() -> None:
    later = NOW + timedelta(hours=3)
    assert approve(Shelf(an_issue()), 1, at=later, now=NOW).send_at == later
    assert approve(Shelf(an_issue()), 1, at=NOW - timedelta(days=1), now=NOW).send_at == NOW


def test_a_blocking_line_stops_approval_and_is_named() -> None:
    shelf = Shelf(an_issue(), lines=(BLOCKING,))
    with pytest.raises(NotReady, match="From is not set") as caught:
        approve(shelf, 1, at=None, now=NOW)
    assert caught.value.hint == "Set it."
    assert shelf.get(1).state is IssueState.DRAFT


def test_what_was_never_composed_cannot_be_approved() -> None:
    with pytest.raises(NotReady, match="not composed"):
        approve(Shelf(an_issue(content_hash="")), 1, at=None, now=NOW)


def test_only_a_draft_can_be_approved() -> None:
    with pytest.raises(Conflict):
        approve(Shelf(an_issue(IssueState.SENDING)), 1, at=None, now=NOW)
