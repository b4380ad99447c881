"""All public pages as one router."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from newsletter.web.public.choosing import choosing
from newsletter.web.public.front import Front
from newsletter.web.public.leaving import leaving
from newsletter.web.public.pages import PublicPages

OPEN_PREFIXES = ("/u/", "/c/", "/p/", "/m/", "/subscribe")
"""Where others may write to: none of these reads a cookie, each asks for its own signed link or has
limits of its own."""

_A_YEAR = "public, max-age=31536000, immutable"


def public_router(front: Front) -> APIRouter:
    """Every page of this package, to be included in the application without a prefix."""
    pages = PublicPages(front)
    router = APIRouter()
    router.include_router(leaving(front, pages))
    router.include_router(choosing(front, pages))

    @router.get("/public/{digest}.css")
    def css(digest: str, request: Request) -> Response:
        headers = {"etag": f'"{pages.css_digest}"', "cache-control": _A_YEAR}
        if digest != pages.css_digest:
            return Response(status_code=404)
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(pages.css, media_type="text/css", headers=headers)

    return router
