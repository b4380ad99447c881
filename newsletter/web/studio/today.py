"""Today: what needs the author, and when nothing does, when the next look at the blog is."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from newsletter.model.feed import FeedState
from newsletter.web.doors import DeskHere, PagesHere, RowId, signed_in
from newsletter.web.pages import then
from subscribers.model import Cadence

router = APIRouter(prefix="/studio", dependencies=[Depends(signed_in)])


@router.get("/")
def today(request: Request, desk: DeskHere, pages: PagesHere) -> Response:
    shown = desk.today()
    active = [feed for feed in desk.feeds() if feed.state is FeedState.ACTIVE]
    return pages.page(
        request,
        "studio/today.html",
        today=shown,
        receipts={one.issue.id: desk.receipt(one.issue.id).receipt for one in shown.sending},
        next_look=min((feed.next_poll_at for feed in active if feed.next_poll_at), default=None),
        feeds=len(active),
        has_password=desk.doors.has_password(),
    )


@router.post("/posts/{post_id}/release")
def release(request: Request, post_id: RowId, desk: DeskHere) -> Response:
    """Its draft is made at once where each post is an issue, else with the others of its period."""
    desk.release_post(post_id)
    if desk.newsletter().cadence is not Cadence.EACH:
        return then("/studio/", "released")
    request.app.state.wake("compose")
    return then("/studio/", "released-now")


@router.post("/posts/{post_id}/skip")
def skip(post_id: RowId, desk: DeskHere) -> Response:
    desk.skip_post(post_id)
    return then("/studio/", "skipped")
