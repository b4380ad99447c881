"""All public pages as one router."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from newsletter.web.public.choosing import choosing
from newsletter.web.public.front import Front
from newsletter.web.public.joining import ANSWER_AFTER_S, joining
from newsletter.web.public.leaving import leaving
from newsletter.web.public.limits import FormLimits
from newsletter.web.public.pages import PublicPages
from newsletter.web.public.personal import personal

OPEN_PREFIXES = ("/u/", "/c/", "/p/", "/m/", "/subscribe")
"""Where others may write to: none of these reads a cookie, each asks for its own signed link or has
limits of its own."""

_A_YEAR = "public, max-age=31536000, immutable"


def public_router(
    front: Front, *, limits: FormLimits | None = None, answer_after_s: float = ANSWER_AFTER_S
) -> APIRouter:
    """Every page of this package, to be included in the application without a prefix.

    ``answer_after_s`` is how long the answer to a sign-up takes at least, so that it tells nothing.
    """
    pages = PublicPages(front)
    router = APIRouter()
    router.include_router(leaving(front, pages))
    router.include_router(choosing(front, pages))
    router.include_router(joining(front, pages, limits or FormLimits(), answer_after_s=answer_after_s))
    router.include_router(personal(front, pages))

    @router.get("/public/{digest}.css")
    def css(digest: str, request: Request) -> Response:
        headers = {"etag": f'"{pages.css_digest}"', "cache-control": _A_YEAR}
        if digest != pages.css_digest:
            return Response(status_code=404)
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(pages.css, media_type="text/css", headers=headers)

    return router
