"""Coming in: the one-time link, the password, and going out again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from newsletter.errors import Conflict, Invalid
from newsletter.web.doors import (
    DeskHere,
    PagesHere,
    SignedIn,
    Throttle,
    give_cookie,
    local_path,
    take_cookie,
)
from newsletter.web.pages import then

router = APIRouter(prefix="/studio")

Password = Annotated[str, Form(max_length=1000)]


@router.get("/login")
def login_page(request: Request, desk: DeskHere, pages: PagesHere, next: str = "") -> Response:
    return pages.page(
        request,
        "studio/login.html",
        has_password=desk.doors.has_password(),
        next=local_path(next),
        problem="",
    )


@router.post("/login")
def login(
    request: Request,
    desk: DeskHere,
    pages: PagesHere,
    password: Password = "",
    next: Annotated[str, Form()] = "",
) -> Response:
    throttle: Throttle = request.app.state.throttle
    problem, status = "This is not the password.", 403
    if throttle.allows(request):
        with throttle.hashing:
            cookie = desk.doors.sign_in(password, _agent(request))
        if cookie is not None:
            throttle.succeeded(request)
            answer = RedirectResponse(local_path(next), status_code=303)
            give_cookie(request, answer, cookie)
            return answer
    else:
        problem, status = "Too many wrong passwords from this address. Wait 15 minutes, or use a link.", 429
    return pages.page(
        request,
        "studio/login.html",
        status=status,
        has_password=desk.doors.has_password(),
        next=local_path(next),
        problem=problem,
    )


@router.get("/login/{token}")
def link_page(request: Request, token: str, pages: PagesHere) -> Response:
    """Shows a button and changes nothing: a preview that follows the link does not use it up."""
    return pages.page(request, "studio/link.html", token=token)


@router.post("/login/{token}")
def link(request: Request, token: str, desk: DeskHere, pages: PagesHere) -> Response:
    try:
        cookie = desk.doors.open_session(token, _agent(request))
    except Invalid as problem:
        return pages.page(
            request,
            "studio/login.html",
            status=400,
            has_password=desk.doors.has_password(),
            next="/studio/",
            problem=problem.message,
        )
    answer = then("/studio/" if desk.doors.has_password() else "/studio/welcome")
    give_cookie(request, answer, cookie)
    return answer


@router.get("/welcome")
def welcome(request: Request, session: SignedIn, desk: DeskHere, pages: PagesHere) -> Response:
    if desk.doors.has_password():
        return then("/studio/")
    return pages.page(request, "studio/welcome.html", problem=None)


@router.post("/welcome")
def first_password(
    request: Request, session: SignedIn, desk: DeskHere, pages: PagesHere, password: Password = ""
) -> Response:
    """The first one only: another takes the current one, which a browser left open does not know."""
    throttle: Throttle = request.app.state.throttle
    if desk.doors.has_password():
        raise Conflict("There is a password already.", hint="Change it under Settings, People.")
    try:
        with throttle.hashing:
            desk.doors.set_password(password, keep=session.token_sha)
    except Invalid as problem:
        return pages.page(request, "studio/welcome.html", status=400, problem=problem)
    return then("/studio/")


@router.post("/logout")
def logout(request: Request, session: SignedIn, desk: DeskHere) -> Response:
    desk.doors.close_session(session.token_sha)
    answer = then("/studio/login")
    take_cookie(request, answer)
    return answer


def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")[:200]
