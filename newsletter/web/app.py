"""Puts the pages together: ``create_app(house)`` is the whole web application."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from newsletter.errors import Conflict, NewsletterError, NotFound, StoreProblem
from newsletter.web import archive, author, author_feed
from newsletter.web.assets import Assets
from newsletter.web.doors import SignInNeeded, Throttle, session_of
from newsletter.web.front import front_of
from newsletter.web.hooks import sendgrid, websub
from newsletter.web.live import Live
from newsletter.web.pages import Pages, then
from newsletter.web.public import OPEN_PREFIXES, public_router
from newsletter.web.security import Guard
from newsletter.web.studio import (
    draft,
    entrance,
    feeds,
    importing,
    issues,
    many,
    receipt,
    segments,
    settings,
    setup,
    subscribers,
    today,
)
from newsletter.web.templates import templates_folder
from newsletter.web.words import for_pages
from newsletter.wiring import House
from subscribers.errors import BadToken, Refused, SubscribersError, Unknown

log = structlog.get_logger(__name__)

REFUSALS: Final = {
    401: ("You are not signed in any more.", "Sign in, then choose the file once more."),
    403: (
        "This came from another site, so nothing was changed.",
        "Open the page here and press the button once more.",
    ),
    413: ("This is larger than can be taken.", "A file may have 200 MB, a form 256 KB."),
    421: (
        "The studio does not answer under this name.",
        "Use the address that “newsletter run” printed, or set NEWSLETTER_BASE_URL to this one.",
    ),
    500: (
        "Something went wrong that should not have.",
        "Nothing was left half done. The log has the details; try once more.",
    ),
}
BACK: Final = (
    ("/studio/issues", "All issues"),
    ("/studio/subscribers", "All subscribers"),
    ("/studio/settings/feeds", "All feeds"),
    ("/studio/settings", "Settings"),
    ("/studio/", "Back to Today"),
)
"""Where a problem page leads, by the page on which it happened."""
ROUTERS: Final = (
    entrance.router,
    setup.router,
    today.router,
    draft.router,
    receipt.router,
    issues.router,
    segments.router,
    many.router,
    importing.router,
    subscribers.router,
    feeds.router,
    settings.router,
    author.router,
    author_feed.router,
    archive.router,
    sendgrid.router,
    websub.router,
)


LOGIN: Final = "newsletter login"


def _now() -> datetime:
    return datetime.now(UTC)


def _next_turn(step: str) -> None:
    """Where no engine runs in this process, the next turn of any finds what is due."""


def create_app(
    house: House,
    *,
    clock: Callable[[], datetime] = _now,
    wake: Callable[[str], None] = _next_turn,
    login: str = LOGIN,
) -> FastAPI:
    """The studio, the author's signed links, the public pages and what they need, for one house.

    The server must not believe X-Forwarded headers by itself (uvicorn: ``proxy_headers=False``); here they
    count from the addresses in TRUSTED_PROXIES only. ``wake`` runs a step of the pipeline at once;
    ``login`` is the command that the pages name for a fresh link to the studio.
    """
    app = FastAPI(title="Newsletter", docs_url=None, redoc_url=None, openapi_url=None)
    assets = Assets(templates_folder() / "web" / "static")
    pages = Pages(house.desk, assets, clock, login=login)
    app.state.house, app.state.pages, app.state.wake = house, pages, wake
    app.state.throttle, app.state.live = Throttle(), Live()

    for router in ROUTERS:
        app.include_router(router)
    app.include_router(public_router(front_of(house)))

    @app.get("/")
    def front(request: Request) -> Response:
        """The author is led to the studio, everybody else to the sign-up page."""
        return then("/studio/" if session_of(request) else "/subscribe")

    @app.api_route("/healthz", methods=["GET", "HEAD"])
    def health() -> Response:
        """200 when the database answers, 503 when it does not."""
        try:
            house.desk.newsletter()
        except StoreProblem:
            return PlainTextResponse("the database does not answer\n", status_code=503)
        return PlainTextResponse("ok\n")

    @app.get("/static/{digest}/{name:path}")
    def static(request: Request, digest: str, name: str) -> Response:
        found = assets.response(digest, name, request.headers.get("if-none-match", ""))
        if found is None:
            raise NotFound("There is no such file.")
        return found

    _answer_problems(app, pages)
    app.add_middleware(
        Guard,
        base_url=lambda: house.desk.newsletter().base_url,
        refuse=lambda status: _refusal(pages, status),
        signed_in=lambda scope: session_of(Request(scope)) is not None,
        open_prefixes=(*OPEN_PREFIXES, "/hooks/"),
    )
    proxies = [part.strip() for part in _trusted_proxies(house).split(",") if part.strip()]
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=proxies)
    return app


def _trusted_proxies(house: House) -> str:
    return next((shown.value for shown in house.desk.settings() if shown.name == "TRUSTED_PROXIES"), "")


def _answer_problems(app: FastAPI, pages: Pages) -> None:
    """The one place where problems become status codes and pages."""

    @app.exception_handler(NewsletterError)
    def problem(request: Request, error: NewsletterError) -> Response:
        return told(pages, request, status_of(error), error.message, for_pages(error.hint))

    @app.exception_handler(SubscribersError)
    def list_problem(request: Request, error: SubscribersError) -> Response:
        return told(pages, request, status_of(error), error.message, for_pages(error.hint))

    @app.exception_handler(HTTPException)
    def http_problem(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return told(pages, request, 404, "There is no such page.", "")
        return told(pages, request, error.status_code, "This cannot be done here.", "Go back and try again.")

    @app.exception_handler(RequestValidationError)
    def wrong_request(request: Request, error: RequestValidationError) -> Response:
        if any("path" in found["loc"] for found in error.errors()):
            return told(pages, request, 404, "There is no such page.", "")
        return told(
            pages, request, 400, "The form was not filled in as it should be.", "Go back and look again."
        )

    @app.exception_handler(SignInNeeded)
    def sign_in(request: Request, error: SignInNeeded) -> Response:
        return then("/studio/login", next=error.path)


def status_of(error: NewsletterError | SubscribersError) -> int:
    """404, 409 or 400, as the error's place in its tree says; 503 where the database is to blame."""
    if isinstance(error, NotFound | Unknown | BadToken):
        return 404
    if isinstance(error, Conflict | Refused):
        return 409
    return 503 if isinstance(error, StoreProblem) else 400


def told(pages: Pages, request: Request, status: int, message: str, hint: str) -> Response:
    """A page that says what happened and what to do; inside the studio, with the way back to the list."""
    path = request.url.path
    inside = path.startswith("/studio/") and status not in {421, 500, 503}
    back = next((place for place in BACK if path.startswith(place[0])), BACK[-1])
    return pages.page(
        request, "studio/problem.html", status=status, message=message, hint=hint, inside=inside, back=back
    )


def _refusal(pages: Pages, status: int) -> ASGIApp:
    """The page for what is refused before it reaches any route."""
    message, hint = REFUSALS[status]

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await run_in_threadpool(told, pages, Request(scope), status, message, hint)
        except Exception:
            # What broke the page may break this one too, such as a database that is gone.
            log.exception("problem page failed")
            answer = PlainTextResponse(f"{message} {hint}\n", status_code=status)
        await answer(scope, receive, send)

    return refuse
