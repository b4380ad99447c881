"""Subscribers: who receives the newsletter, one by one and by file."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response, StreamingResponse

from newsletter.desk import Desk
from newsletter.errors import Conflict, Invalid
from newsletter.web import words
from newsletter.web.chart import ceiling, change_chart, total_chart
from newsletter.web.doors import DeskHere, PagesHere, RowId, signed_in
from newsletter.web.pages import Pages, then
from newsletter.web.public.embed import embed_form
from newsletter.web.security import host_of, is_local
from newsletter.web.studio import filters
from subscribers.errors import SubscribersError
from subscribers.model import SubscriberState
from subscribers.segments import Filter

PAGE: Final = 50

router = APIRouter(prefix="/studio/subscribers", dependencies=[Depends(signed_in)])

Text = Annotated[str, Form()]


@router.get("")
def subscribers(
    request: Request,
    desk: DeskHere,
    pages: PagesHere,
    state: SubscriberState | None = None,
    text: str = "",
    after: RowId = 0,
    segment: str = "",
) -> Response:
    return page(request, desk, pages, state=state, text=text.strip(), after=after, segment=segment)


def page(
    request: Request,
    desk: Desk,
    pages: Pages,
    *,
    state: SubscriberState | None = None,
    text: str = "",
    after: int = 0,
    segment: str = "",
    problem: Invalid | Conflict | SubscribersError | None = None,
    typed: str = "",
) -> Response:
    """The list; with ``problem``, why the address ``typed`` was not added."""
    saved = desk.saved_segments()
    chosen = next((one for one in saved if str(one.id) == segment), None)
    wrong: Invalid | None = None
    among: list[Filter] = [chosen.filter] if chosen else []
    try:
        wanted = filters.read(request.query_params)
    except Invalid as error:  # told beside the fields, with everybody beneath
        wanted, wrong = Filter(), error
    if wanted != Filter():
        among.append(wanted)
    found = desk.subscribers(state=state, text=text, limit=PAGE + 1, after=after, among=among)
    fields = filters.typed(request.query_params)
    whole = not (state or text or after or among or problem or wrong)
    return pages.page(
        request,
        "studio/subscribers.html",
        status=400 if problem or wrong else 200,
        subscribers=found[:PAGE],
        counts=desk.subscriber_counts(),
        grown=_grown(desk) if whole else None,
        state=state,
        text=text,
        more=found[PAGE - 1].id if len(found) > PAGE else 0,
        problem=problem,
        typed=typed,
        saved=saved,
        chosen=chosen,
        fields=fields,
        kept={**fields, "text": text, "segment": chosen.id if chosen else ""},
        filtered=bool(among),
        told=filters.told(wanted) if wanted != Filter() else "",
        wrong=wrong,
    )


def _grown(desk: Desk) -> dict[str, object]:
    """What ``_growth.html`` needs; without periods where there is nothing to compare yet."""
    periods = desk.growth()
    if len(periods) < 2:
        return {"periods": ()}
    zone = periods[0].start.tzinfo or UTC
    joined, left = sum(one.joined for one in periods), sum(one.left for one in periods)
    told = (
        f"{words.number(periods[-1].total)} active now; {words.number(joined)} joined and "
        f"{words.number(left)} left since {words.day(periods[0].start, periods[-1].start, zone)}."
    )
    return {
        "periods": periods,
        "top": ceiling(max(one.total for one in periods)),
        "most": ceiling(max(1, *(max(one.joined, one.left) for one in periods))),
        "total": total_chart(periods, title="Active subscribers", description=told),
        "change": change_chart(periods, title="Joined and left", description=told),
    }


@router.post("/add")
def add(request: Request, desk: DeskHere, pages: PagesHere, address: Text = "", name: Text = "") -> Response:
    try:
        added = desk.add_subscriber(address.strip(), name=name.strip())
    except (Invalid, Conflict, SubscribersError) as problem:
        return page(request, desk, pages, problem=problem, typed=address)
    return then("/studio/subscribers", "added" if added.created else "already")


@router.post("/export")
def export(desk: DeskHere) -> Response:
    """Streamed: a million rows never lie in memory at once."""
    return StreamingResponse(
        desk.export_subscribers(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="subscribers.csv"'},
    )


@router.get("/form")
def form(request: Request, desk: DeskHere, pages: PagesHere) -> Response:
    """How people join: the sign-up page, and the form to copy into the blog."""
    newsletter = desk.newsletter()
    return pages.page(
        request,
        "studio/form.html",
        base=newsletter.base_url,
        code=embed_form(newsletter),
        reachable=not is_local(host_of(urlsplit(newsletter.base_url).netloc)),
    )


@router.get("/{subscriber_id}")
def subscriber(request: Request, subscriber_id: RowId, desk: DeskHere, pages: PagesHere) -> Response:
    return pages.page(request, "studio/subscriber.html", shown=desk.subscriber(subscriber_id))


@router.get("/{subscriber_id}/erase")
def ask_to_erase(request: Request, subscriber_id: RowId, desk: DeskHere, pages: PagesHere) -> Response:
    """What erasing them would mean; changes nothing."""
    shown = desk.subscriber(subscriber_id)
    transport = next((one.value for one in desk.settings() if one.name == "TRANSPORT"), "")
    return pages.page(
        request, "studio/erase.html", shown=shown, transport=transport, files=desk.open_imports()
    )


@router.post("/{subscriber_id}/erase")
def erase(subscriber_id: RowId, desk: DeskHere, sure: Text = "") -> Response:
    if sure != "yes":
        return then(f"/studio/subscribers/{subscriber_id}/erase")
    desk.erase(subscriber_id)
    return then("/studio/subscribers", "erased")


@router.post("/{subscriber_id}/copy")
def copy(subscriber_id: RowId, desk: DeskHere) -> Response:
    """By POST, as the list's export: a link that prints somebody's data belongs in no history."""
    return Response(
        desk.copy_of(subscriber_id),
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="subscriber-{subscriber_id}.json"'},
    )


@router.post("/{subscriber_id}/unsubscribe")
def unsubscribe(subscriber_id: RowId, desk: DeskHere) -> Response:
    desk.unsubscribe(desk.subscriber(subscriber_id).subscriber.address)
    return then(f"/studio/subscribers/{subscriber_id}", "unsubscribed")


@router.post("/{subscriber_id}/suppress")
def suppress(subscriber_id: RowId, desk: DeskHere) -> Response:
    desk.suppress(desk.subscriber(subscriber_id).subscriber.address)
    return then(f"/studio/subscribers/{subscriber_id}", "suppressed")


@router.post("/{subscriber_id}/unsuppress")
def unsuppress(subscriber_id: RowId, desk: DeskHere) -> Response:
    desk.unsuppress(desk.subscriber(subscriber_id).subscriber.address)
    return then(f"/studio/subscribers/{subscriber_id}", "lifted")
