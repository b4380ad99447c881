"""What approval needs from outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from newsletter.model.checklist import Checklist
from newsletter.model.issue import Issue, IssueState


class IssueStore(Protocol):
    def get(self, issue_id: int) -> Issue:
        """Raises NotFound."""
        ...

    def checklist(self, issue_id: int) -> Checklist: ...

    def approve(self, issue_id: int, *, send_at: datetime, now: datetime) -> Issue:
        """Freezes the content hash. Raises Conflict where the issue is no draft."""
        ...

    def back_to_draft(self, issue_id: int, *, reason: str, now: datetime) -> Issue: ...

    def with_post(self, post_ids: Iterable[int], states: Iterable[IssueState]) -> Sequence[Issue]:
        """Issues in these states that carry one of these posts."""
        ...


class ApproveUnit(Protocol):
    """One transaction."""

    @property
    def issues(self) -> IssueStore: ...
