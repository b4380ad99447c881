"""Import: a file is looked at, decided on and brought in. What takes longer than a moment goes on in the
background, and the page follows it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from starlette.responses import Response

from newsletter.desk import Desk
from newsletter.errors import Invalid, NotFound
from newsletter.model.importing import OPEN, Import, ImportState
from newsletter.web.doors import DeskHere, PagesHere, RowId, cookie_of, signed_in
from newsletter.web.live import Live, Shot
from newsletter.web.pages import Pages, then
from subscribers.errors import SubscribersError
from subscribers.imports import Report

HERE: Final = "/studio/subscribers/import"
MOMENT_S: Final = 1.5  #: what is over by then needs no waiting page

router = APIRouter(prefix=HERE, dependencies=[Depends(signed_in)])


@router.get("")
def start(request: Request, desk: DeskHere, pages: PagesHere) -> Response:
    return _start(request, desk, pages)


def _start(
    request: Request, desk: Desk, pages: Pages, problem: Invalid | SubscribersError | None = None
) -> Response:
    return pages.page(
        request,
        "studio/import.html",
        status=400 if problem else 200,
        problem=problem,
        imports=desk.imports(limit=20),
        going=desk.open_imports(),
    )


@router.post("")
def look(request: Request, desk: DeskHere, pages: PagesHere, file: Annotated[UploadFile, File()]) -> Response:
    """Find out what an import would do; change nothing."""
    try:
        found = desk.look_at_import(file.file, (file.filename or "file.csv")[-80:], MOMENT_S)
    except Invalid as problem:
        return _start(request, desk, pages, problem)
    if found.state is ImportState.FAILED:
        return _start(request, desk, pages, Invalid(found.problem))
    request.app.state.wake("import")
    return then(f"{HERE}/{found.id}")


@router.get("/{import_id}")
def shown(request: Request, import_id: RowId, desk: DeskHere, pages: PagesHere) -> Response:
    found = desk.import_of(import_id)
    return pages.page(request, "studio/import_one.html", live=found.state in OPEN, **_account(found))


@router.get("/{import_id}/live")
def live(request: Request, import_id: RowId, desk: DeskHere, pages: PagesHere) -> Response:
    """Follows an import while it is looked at or brought in."""
    following: Live = request.app.state.live
    cookie = cookie_of(request)

    def see() -> Shot | None:
        if desk.doors.check_session(cookie) is None:
            return None
        try:
            found = desk.import_of(import_id)
        except NotFound:
            return None
        html = pages.part("studio/_importing.html", **_account(found))
        return Shot(state=found.state.value, html=html, over=found.state not in OPEN)

    return following.follow(see)


@router.post("/{import_id}/run")
def run(
    request: Request,
    import_id: RowId,
    desk: DeskHere,
    ask: Annotated[int | None, Form(ge=0, le=100_000)] = None,
) -> Response:
    """``ask``: how many of the people without proof of consent are asked a day; 0 mails them unasked."""
    desk.begin_import(import_id, ask_per_day=ask, seconds=MOMENT_S)
    request.app.state.wake("import")
    return then(f"{HERE}/{import_id}")


@router.post("/{import_id}/cancel")
def cancel(import_id: RowId, desk: DeskHere) -> Response:
    found = desk.cancel_import(import_id)
    return then(f"{HERE}/{import_id}" if found.batch_id else HERE, "import-cancelled")


@router.post("/batch/{batch_id}/undo")
def undo(batch_id: RowId, desk: DeskHere) -> Response:
    desk.undo(batch_id)
    return then(HERE, "undone")


def _account(found: Import) -> dict[str, Any]:
    """What ``_importing.html`` needs. ``report`` is None where nothing was read yet."""
    return {
        "one": found,
        "report": Report.read(found.report) if found.report != "{}" else None,
        "share": min(1.0, found.done / found.total) if found.total else 0.0,
    }
