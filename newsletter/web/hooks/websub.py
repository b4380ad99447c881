"""WebSub: a hub asks whether we want its pushes, and pushes (https://www.w3.org/TR/websub/).

A push is believed only as far as its signature, and then only makes the feed be looked at, at once.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import PlainTextResponse, Response

from newsletter.errors import NotFound
from newsletter.web.doors import RowId
from newsletter.web.hooks.sendgrid import raw_body
from newsletter.wiring import House

router = APIRouter(prefix="/hooks/websub")


@router.get("/{feed_id}")
def verify(request: Request, feed_id: RowId) -> Response:
    """Echoes the challenge of a subscription that we asked for; 404 for any other (section 5.3)."""
    house: House = request.app.state.house
    try:
        challenge = house.confirm_hub(feed_id, dict(request.query_params))
    except NotFound:
        challenge = None
    if challenge is None:
        return PlainTextResponse("not asked for\n", status_code=404)
    return PlainTextResponse(challenge)


@router.post("/{feed_id}")
def push(
    request: Request,
    feed_id: RowId,
    raw: Annotated[bytes, Depends(raw_body)],
    signature: Annotated[str, Header(alias="X-Hub-Signature")] = "",
) -> Response:
    """202 whatever it was: who does not hold the secret learns nothing (section 7.1)."""
    house: House = request.app.state.house
    try:
        genuine = house.take_push(feed_id, raw, signature)
    except NotFound:
        genuine = False
    if genuine:
        request.app.state.wake("poll")
    return Response(status_code=202)
