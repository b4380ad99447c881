"""Issues: the list, and the page of one: the draft to approve, or the receipt of what was sent."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from newsletter.desk import IssueShown
from newsletter.model.issue import IssueState
from newsletter.web.doors import DeskHere, PagesHere, RowId, signed_in
from newsletter.web.studio import draft, receipt

PAGE: Final = 25

router = APIRouter(prefix="/studio/issues", dependencies=[Depends(signed_in)])


@router.get("")
def issues(
    request: Request, desk: DeskHere, pages: PagesHere, state: IssueState | None = None, after: RowId = 0
) -> Response:
    found = desk.issues(state=state, limit=PAGE + 1, after=after)
    sent = {shown.issue.id: desk.receipt(shown.issue.id).receipt for shown in found if _was_started(shown)}
    return pages.page(
        request,
        "studio/issues.html",
        issues=found[:PAGE],
        receipts=sent,
        state=state,
        states=list(IssueState),
        more=found[PAGE - 1].issue.id if len(found) > PAGE else 0,
    )


def _was_started(shown: IssueShown) -> bool:
    return shown.issue.started_at is not None


@router.get("/{issue_id}")
def issue(request: Request, issue_id: RowId, desk: DeskHere, pages: PagesHere) -> Response:
    shown = desk.issue(issue_id)
    if shown.issue.state in {IssueState.DRAFT, IssueState.APPROVED} or not _was_started(shown):
        return draft.page(request, desk, pages, shown)
    return receipt.page(request, desk, pages, issue_id)
