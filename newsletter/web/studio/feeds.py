"""Feeds: which blogs are watched, and why each post was mailed, held or left alone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response

from newsletter.desk.shown import brought, fate, is_mailed
from newsletter.errors import NewsletterError
from newsletter.model.feed import FeedState
from newsletter.web.doors import DeskHere, PagesHere, RowId, signed_in
from newsletter.web.pages import then

router = APIRouter(prefix="/studio/settings/feeds", dependencies=[Depends(signed_in)])

Text = Annotated[str, Form()]


@router.get("")
def feeds(request: Request, desk: DeskHere, pages: PagesHere) -> Response:
    return pages.page(
        request, "studio/feeds.html", feeds=_watched(desk), found=None, url="", problem=None, tab="feeds"
    )


@router.post("/find")
def find(request: Request, desk: DeskHere, pages: PagesHere, url: Text = "") -> Response:
    """Look at an address and show the feeds behind it, for the author to choose."""
    found, problem = None, None
    try:
        found = desk.find_feeds(url.strip())
    except NewsletterError as error:
        problem = error
    return pages.page(
        request,
        "studio/feeds.html",
        status=400 if problem else 200,
        feeds=_watched(desk),
        found=found,
        url=url,
        problem=problem,
        tab="feeds",
    )


@router.post("/add")
def add(desk: DeskHere, url: Text = "") -> Response:
    feed = desk.add_feed(url.strip())
    return then(f"/studio/settings/feeds/{feed.id}", "feed-added")


@router.get("/{feed_id}")
def feed(request: Request, feed_id: RowId, desk: DeskHere, pages: PagesHere) -> Response:
    return pages.page(
        request,
        "studio/feed.html",
        shown=desk.feed(feed_id),
        fate=fate,
        brought=brought,
        is_mailed=is_mailed,
        tab="feeds",
    )


@router.post("/{feed_id}/poll")
def poll(feed_id: RowId, desk: DeskHere) -> Response:
    desk.poll(feed_id)
    return then(f"/studio/settings/feeds/{feed_id}", "looked")


@router.post("/{feed_id}/full-text")
def full_text(feed_id: RowId, desk: DeskHere, wanted: Text = "") -> Response:
    desk.set_full_text(feed_id, wanted == "on")
    return then(f"/studio/settings/feeds/{feed_id}", "full-text" if wanted == "on" else "feed-text")


@router.post("/{feed_id}/remove")
def remove(feed_id: RowId, desk: DeskHere) -> Response:
    desk.remove_feed(feed_id)
    return then("/studio/settings/feeds", "feed-removed")


def _watched(desk: DeskHere) -> list[object]:
    return [feed for feed in desk.feeds() if feed.state is not FeedState.REMOVED]
