"""All public pages as one router."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from newsletter.web.public.challenge import Challenges
from newsletter.web.public.choosing import choosing
from newsletter.web.public.confirming import confirming
from newsletter.web.public.evenly import ANSWER_AFTER_S, Evenly
from newsletter.web.public.following import following
from newsletter.web.public.front import Front
from newsletter.web.public.joining import joining
from newsletter.web.public.leaving import leaving
from newsletter.web.public.limits import FormLimits
from newsletter.web.public.pages import PublicPages
from newsletter.web.public.personal import personal
from newsletter.web.public.privacy import privacy

OPEN_PREFIXES = ("/u/", "/c/", "/p/", "/m/", "/subscribe")
"""Where others may write to: none of these reads a cookie, each asks for its own signed link or has
limits of its own."""

_A_YEAR = "public, max-age=31536000, immutable"


def public_router(
    front: Front,
    *,
    limits: FormLimits | None = None,
    challenges: Challenges | None = None,
    answer_after_s: float = ANSWER_AFTER_S,
) -> APIRouter:
    """Every page of this package, to be included in the application without a prefix.

    ``answer_after_s`` is the step in which answers come to a sign-up, to a request for a personal link and to
    a change of address, so that their time tells nothing.
    """
    pages = PublicPages(front)
    evenly = Evenly(answer_after_s)
    challenges = challenges or Challenges(front.challenge_keys)
    router = APIRouter()
    router.include_router(leaving(front, pages))
    router.include_router(choosing(front, pages, evenly=evenly))
    router.include_router(joining(front, pages, limits or FormLimits(), challenges=challenges, evenly=evenly))
    router.include_router(confirming(front, pages))
    router.include_router(privacy(front, pages))
    router.include_router(following(front, pages))
    router.include_router(personal(front, pages, evenly=evenly))

    @router.get("/public/{name}")
    def file(name: str, request: Request) -> Response:
        found = pages.file(name)
        if found is None:
            return Response(status_code=404)
        headers = {"etag": f'"{found.name}"', "cache-control": _A_YEAR}
        if headers["etag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(found.content, media_type=found.kind, headers=headers)

    return router
