"""SendGrid's Event Webhook: signed, kept, answered; applied afterwards.

Nothing of the request is believed before its signature over the raw bytes is verified
(https://www.twilio.com/docs/sendgrid/for-developers/tracking-events).
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Request
from starlette.responses import PlainTextResponse, Response

from newsletter.errors import Invalid
from newsletter.wiring import House

SIGNATURE_HEADER: Final = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER: Final = "X-Twilio-Email-Event-Webhook-Timestamp"

router = APIRouter(prefix="/hooks")


async def raw_body(request: Request) -> bytes:
    return await request.body()


@router.post("/sendgrid")
def events(
    request: Request,
    raw: Annotated[bytes, Depends(raw_body)],
    signature: Annotated[str, Header(alias=SIGNATURE_HEADER)] = "",
    timestamp: Annotated[str, Header(alias=TIMESTAMP_HEADER)] = "",
) -> Response:
    """200 once the events are kept; 403 for what SendGrid did not sign, which it then sends again."""
    house: House = request.app.state.house
    try:
        kept = house.take_sendgrid(raw, signature=signature, timestamp=timestamp)
    except Invalid as error:
        return PlainTextResponse(f"{error.message}\n", status_code=403)
    return PlainTextResponse(f"{kept} new\n")
