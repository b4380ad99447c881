"""The author's signed link to what waits of a feed, from the mail that tells of it. Needs no signing in.

As with an issue's link, GET shows and POST decides.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from pydantic import Field
from starlette.responses import Response

from newsletter.errors import Conflict, NotFound
from newsletter.model.feed import FeedState
from newsletter.model.post import PostState
from newsletter.web.doors import DeskHere, PagesHere
from newsletter.web.pages import then
from newsletter.wiring import House
from subscribers.model import Cadence

router = APIRouter(prefix="/f")


def feed_of(request: Request, token: str) -> int:
    """The feed that a link is for. Raises ``subscribers.errors.BadToken``."""
    house: House = request.app.state.house
    return house.author_feed(token)


@router.get("/{token}")
def show(request: Request, token: str, desk: DeskHere, pages: PagesHere) -> Response:
    waiting = desk.feed_waiting(feed_of(request, token))
    watched = waiting.feed.state is not FeedState.REMOVED
    return pages.page(request, "studio/author_feed.html", waiting=waiting, token=token, watched=watched)


@router.post("/{token}")
def decide(
    request: Request,
    token: str,
    desk: DeskHere,
    choice: Annotated[Literal["release", "skip", "look"], Form()],
    post: Annotated[int, Form(), Field(ge=0, le=2**63 - 1)] = 0,
) -> Response:
    """``post`` is a held post of this feed; the link is good for no other."""
    feed_id = feed_of(request, token)
    if choice == "look":
        desk.poll(feed_id)
        return then(f"/f/{token}", "looked-told")
    found = desk.post(post)
    if found.feed_id != feed_id:
        raise NotFound(f"There is no post {post} in this feed.")
    if found.state is not PostState.HELD:
        raise Conflict("This post is no longer on hold: it was decided already.")
    if choice == "skip":
        desk.skip_post(post)
        return then(f"/f/{token}", "skipped")
    desk.release_post(post)
    if desk.newsletter().cadence is not Cadence.EACH:
        return then(f"/f/{token}", "released")
    request.app.state.wake("compose")
    return then(f"/f/{token}", "released-told")
