"""Many subscribers at once: first how many it would change, then it, and every one can be taken back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Request
from starlette.datastructures import QueryParams
from starlette.responses import Response

from newsletter.desk import Desk, Whom
from newsletter.errors import Invalid
from newsletter.web.doors import DeskHere, PagesHere, RowId, signed_in
from newsletter.web.pages import Pages, then
from newsletter.web.studio import filters
from subscribers import bulk
from subscribers.bulk import Doing, What
from subscribers.errors import SubscribersError
from subscribers.model import SubscriberState
from subscribers.segments import Filter

MOST_TICKED: Final = 1_000

router = APIRouter(prefix="/studio/subscribers/many", dependencies=[Depends(signed_in)])


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is wanted with whom; ``told`` says in words whom a search, a state and filters find."""

    whom: Whom
    wanted: Doing
    told: str


@router.get("")
def look(request: Request, desk: DeskHere, pages: PagesHere) -> Response:
    """With a choice in the address: how many it would change. Without: what was done so far."""
    asked = request.query_params
    if "what" not in asked:
        return _page(request, desk, pages)
    try:
        choice = _choice(desk, asked)
    except (Invalid, SubscribersError) as problem:
        return _page(request, desk, pages, problem=problem)
    return pages.page(
        request,
        "studio/many.html",
        choice=choice,
        asked=str(asked),
        counted=desk.count_many(choice.whom, choice.wanted),
        listed=(),
        problem=None,
    )


@router.post("")
def do(
    request: Request, desk: DeskHere, pages: PagesHere, choice: Annotated[str, Form(max_length=50_000)]
) -> Response:
    """``choice`` is the address of the page that said how many."""
    try:
        chosen = _choice(desk, QueryParams(choice))
    except (Invalid, SubscribersError) as problem:
        return _page(request, desk, pages, problem=problem)
    desk.do_to_many(chosen.whom, chosen.wanted)
    return then("/studio/subscribers/many", "many")


@router.post("/{batch_id}/undo")
def undo(batch_id: RowId, desk: DeskHere) -> Response:
    desk.undo(batch_id)
    return then("/studio/subscribers/many", "undone")


def _page(
    request: Request, desk: Desk, pages: Pages, problem: Invalid | SubscribersError | None = None
) -> Response:
    return pages.page(
        request,
        "studio/many.html",
        status=400 if problem else 200,
        choice=None,
        listed=desk.done_to_many(),
        problem=problem,
    )


def _choice(desk: Desk, asked: QueryParams) -> Choice:
    """Raises Invalid for what cannot be done, and for nobody."""
    if asked.get("what") not in set(What):
        raise Invalid("It is not said what to do.", hint="Choose it below the list.")
    wanted = bulk.doing(What(asked["what"]), asked.get("tag", ""))
    if asked.get("whom") != "all":
        ids = tuple(dict.fromkeys(int(id) for id in asked.getlist("id") if id.isdecimal() and len(id) < 19))
        if not ids or len(ids) > MOST_TICKED:
            raise Invalid(
                "Nobody is ticked." if not ids else "Too many are ticked at once.",
                hint="Tick somebody in the list, or choose everybody whom it finds.",
            )
        return Choice(whom=Whom(ids=ids), wanted=wanted, told="")
    text, state, segment = asked.get("text", "").strip(), asked.get("state", ""), asked.get("segment", "")
    if state and state not in set(SubscriberState):
        raise Invalid("Nobody is in that state.")
    chosen = next((one for one in desk.saved_segments() if str(one.id) == segment), None)
    if segment and chosen is None:
        raise Invalid("This segment is not there any more.", hint="Choose another one.")
    filter = filters.read(asked)
    parts = [
        f"“{text}” in address or name" if text else "",
        f"in the segment “{chosen.name}”" if chosen else "",
        "t" + filters.told(filter)[1:].removesuffix(".") if filter != Filter() else "",
    ]
    return Choice(
        whom=Whom(
            state=SubscriberState(state) if state else None,
            text=text,
            among=(*((chosen.filter,) if chosen else ()), *((filter,) if filter != Filter() else ())),
        ),
        wanted=wanted,
        told="; ".join(part for part in parts if part),
    )
