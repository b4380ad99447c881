"""Segments: saved filters of the list, counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response

from newsletter.desk import Desk
from newsletter.errors import Invalid
from newsletter.web.doors import DeskHere, PagesHere, RowId, signed_in
from newsletter.web.pages import Pages, then
from newsletter.web.studio import filters
from subscribers.errors import SubscribersError
from subscribers.segments import Filter

router = APIRouter(prefix="/studio/subscribers/segments", dependencies=[Depends(signed_in)])

Text = Annotated[str, Form()]


@router.get("")
def segments(request: Request, desk: DeskHere, pages: PagesHere, name: str = "") -> Response:
    """With filters in the address: they stand in the form, and how many they reach is said."""
    try:
        wanted = filters.read(request.query_params)
    except Invalid as problem:
        return _page(request, desk, pages, request.query_params, name, problem=problem)
    count = desk.count_segment(wanted) if wanted != Filter() else None
    return _page(request, desk, pages, request.query_params, name, count=count)


@router.post("")
def save(
    request: Request,
    desk: DeskHere,
    pages: PagesHere,
    name: Text = "",
    cadence: Text = "",
    topic: Text = "",
    tags: Text = "",
    without_tags: Text = "",
    domains: Text = "",
    joined_from: Text = "",
    joined_before: Text = "",
    engaged_since: Text = "",
    quiet_since: Text = "",
) -> Response:
    values = {
        "cadence": cadence,
        "topic": topic,
        "tags": tags,
        "without_tags": without_tags,
        "domains": domains,
        "joined_from": joined_from,
        "joined_before": joined_before,
        "engaged_since": engaged_since,
        "quiet_since": quiet_since,
    }
    try:
        desk.save_segment(name, filters.read(values))
    except (Invalid, SubscribersError) as problem:
        return _page(request, desk, pages, values, name, problem=problem)
    return then("/studio/subscribers/segments", "segment-saved")


@router.post("/{segment_id}/remove")
def remove(segment_id: RowId, desk: DeskHere) -> Response:
    desk.remove_segment(segment_id)
    return then("/studio/subscribers/segments", "segment-removed")


def _page(
    request: Request,
    desk: Desk,
    pages: Pages,
    values: Mapping[str, str],
    name: str,
    *,
    count: int | None = None,
    problem: Invalid | SubscribersError | None = None,
) -> Response:
    return pages.page(
        request,
        "studio/segments.html",
        status=400 if problem else 200,
        saved=[(one, filters.told(one.segment.filter)) for one in desk.segments()],
        fields=filters.typed(values),
        called=name,
        count=count,
        problem=problem,
    )
