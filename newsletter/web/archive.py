"""A sent issue in the browser, for everybody: no name, no token, no script."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from newsletter.web.doors import DeskHere

router = APIRouter()

HEADERS: Final = {
    "Content-Security-Policy": "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "img-src https: http: data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "public, max-age=300",
    "Referrer-Policy": "no-referrer",
}


@router.get("/i/{issue_id}")
def issue(issue_id: int, desk: DeskHere) -> Response:
    """Raises NotFound for an issue that was never sent."""
    return HTMLResponse(desk.public_page(issue_id), headers=HEADERS)
