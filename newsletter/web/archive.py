"""Sent issues for everybody, in the browser and in feed readers: no name, no token, no script."""

from __future__ import annotations

import re
from typing import Final

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from newsletter.errors import NotFound
from newsletter.web.doors import DeskHere, RowId

router = APIRouter()

_COPY: Final = re.compile(r"[0-9a-f]{32}\.(?:jpg|png)")
PICTURE_HEADERS: Final = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "public, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "cross-origin",  # webmail shows it within its own pages
}

HEADERS: Final = {
    "Content-Security-Policy": "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "img-src https: http: data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "public, max-age=300",
    "Referrer-Policy": "no-referrer",
}


@router.get("/i/{issue_id}")
def issue(issue_id: RowId, desk: DeskHere) -> Response:
    """Raises NotFound for an issue that was never sent."""
    return HTMLResponse(desk.public_page(issue_id), headers=HEADERS)


@router.get("/media/{name}")
def picture(name: str, desk: DeskHere) -> Response:
    """Our copy of a post's picture; its name is its content's, so that it never changes."""
    if not _COPY.fullmatch(name):
        raise NotFound("There is no such picture.")
    kind = "image/png" if name.endswith(".png") else "image/jpeg"
    return Response(desk.picture(name), media_type=kind, headers=PICTURE_HEADERS)


@router.get("/feed.xml")
def atom(desk: DeskHere) -> Response:
    return Response(desk.public_feed("atom"), media_type="application/atom+xml", headers=HEADERS)


@router.get("/feed.json")
def json(desk: DeskHere) -> Response:
    return Response(desk.public_feed("json"), media_type="application/feed+json", headers=HEADERS)
