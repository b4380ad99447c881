"""What approval needs from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from newsletter.model.checklist import Checklist
from newsletter.model.issue import Issue


class IssueStore(Protocol):
    def get(self, issue_id: int) -> Issue:
        """Raises NotFound."""
        ...

    def approve(self, issue_id: int, *, send_at: datetime, now: datetime, segment_filter: str) -> Issue:
        """Freezes the content hash and for whom it is. Raises Conflict where the issue is no draft."""
        ...


class ArtefactStore(Protocol):
    def checklist(self, issue_id: int) -> Checklist: ...


class ApproveUnit(Protocol):
    """One transaction."""

    @property
    def issues(self) -> IssueStore: ...
    @property
    def artefacts(self) -> ArtefactStore: ...
