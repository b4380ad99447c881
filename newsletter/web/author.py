"""The author's signed link to one issue, from the mail that tells of it. Needs no signing in.

Programs that follow every link in a mail change nothing: GET shows, POST approves, goes on or cancels.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from newsletter.errors import Conflict
from newsletter.model.issue import IssueState
from newsletter.web import words
from newsletter.web.doors import DeskHere, PagesHere
from newsletter.web.pages import then
from newsletter.web.preview import View, answer
from newsletter.wiring import House

router = APIRouter(prefix="/a")


def issue_of(request: Request, token: str) -> int:
    """The issue that a link is for. Raises ``subscribers.errors.BadToken``."""
    house: House = request.app.state.house
    return house.author_issue(token)


@router.get("/{token}")
def show(request: Request, token: str, desk: DeskHere, pages: PagesHere, view: str = "") -> Response:
    shown = desk.issue(issue_of(request, token))
    state = shown.issue.state
    return pages.page(
        request,
        "studio/author.html",
        shown=shown,
        issue=shown.issue,
        token=token,
        view=View.parse(view),
        open=state is IssueState.DRAFT,
        approved=state is IssueState.APPROVED,
        paused=state is IssueState.PAUSED,
        receipt=desk.receipt(shown.issue.id).receipt if state is IssueState.PAUSED else None,
        goes_by_itself=state is IssueState.DRAFT and shown.issue.send_at is not None,
    )


@router.get("/{token}/preview")
def preview(request: Request, token: str, desk: DeskHere, view: str = "") -> Response:
    return answer(desk, issue_of(request, token), View.parse(view))


@router.post("/{token}")
def decide(
    request: Request,
    token: str,
    desk: DeskHere,
    pages: PagesHere,
    choice: Annotated[Literal["approve", "stop", "unapprove", "resume", "cancel"], Form()],
    seen: Annotated[str, Form()] = "",
) -> Response:
    """``seen`` is the content hash that the page showed: only that is approved."""
    issue_id = issue_of(request, token)
    if choice == "approve":
        try:
            shown = desk.approve_issue(issue_id, seen=seen or "nothing")
        except Conflict:
            if desk.issue(issue_id).issue.content_hash == seen:
                raise
            return then(f"/a/{token}", "look-again")
        return then(f"/a/{token}", words.approved(shown.issue, pages.now()))
    if choice == "stop":
        return then(f"/a/{token}", words.stopped(desk.stop_issue(issue_id).issue))
    if choice == "unapprove":
        desk.unapprove_issue(issue_id)
        return then(f"/a/{token}", "unapproved")
    if choice == "resume":
        desk.resume_issue(issue_id)
        return then(f"/a/{token}", "resumed")
    begun = desk.issue(issue_id).issue.started_at is not None
    desk.cancel_issue(issue_id)
    return then(f"/a/{token}", "cancelled" if begun else "cancelled-draft")
