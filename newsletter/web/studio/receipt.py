"""The receipt: every subscriber of an issue accounted for, and what can still be done."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response

from newsletter.desk import Desk
from newsletter.errors import NotFound
from newsletter.model.delivery import Delivery, DeliveryState
from newsletter.web.doors import DeskHere, RowId, signed_in
from newsletter.web.pages import Pages, then
from subscribers.addresses import masked

router = APIRouter(prefix="/studio/issues", dependencies=[Depends(signed_in)])

LISTED: Final = 100  #: rows of each kind on the page; the command line lists them all


def page(request: Request, desk: Desk, pages: Pages, issue_id: int) -> Response:
    shown = desk.receipt(issue_id)
    by_state: dict[DeliveryState, list[Delivery]] = defaultdict(list)
    for remark in shown.remarks:
        by_state[remark.state].append(remark)
    listed = [(state, by_state[state]) for state in _ORDER if by_state[state]]
    return pages.page(
        request,
        "studio/receipt.html",
        issue=shown.issue,
        receipt=shown.receipt,
        listed=[(state.word, len(rows), _named(desk, rows[:LISTED])) for state, rows in listed],
        handed=handed(desk),
    )


_ORDER: Final = (
    DeliveryState.UNKNOWN,
    DeliveryState.FAILED,
    DeliveryState.RETRY_WAIT,
    DeliveryState.SKIPPED,
)


def _named(desk: Desk, rows: list[Delivery]) -> list[tuple[str, Delivery]]:
    return [(_address(desk, row.subscriber_id), row) for row in rows]


def _address(desk: Desk, subscriber_id: int) -> str:
    """Masked: a receipt is looked at over shoulders and sent around. An erased one has only a number."""
    try:
        return masked(desk.subscriber(subscriber_id).subscriber.address)
    except NotFound:
        return f"Subscriber {subscriber_id}"


def handed(desk: Desk) -> str:
    """What became of accepted mail, as people say it."""
    values = {shown.name: shown.value for shown in desk.settings()}
    ways = {"outbox": "Written into the outbox folder", "sendgrid": "Handed to SendGrid"}
    return ways.get(values.get("TRANSPORT", ""), "Handed to the mail server")


@router.post("/{issue_id}/pause")
def pause(issue_id: RowId, desk: DeskHere) -> Response:
    desk.pause_issue(issue_id)
    return then(f"/studio/issues/{issue_id}", "paused")


@router.post("/{issue_id}/resume")
def resume(issue_id: RowId, desk: DeskHere) -> Response:
    desk.resume_issue(issue_id)
    return then(f"/studio/issues/{issue_id}", "resumed")


@router.post("/{issue_id}/retry")
def retry(issue_id: RowId, desk: DeskHere) -> Response:
    desk.retry_failed(issue_id)
    return then(f"/studio/issues/{issue_id}", "retry")


@router.post("/{issue_id}/settle")
def settle(issue_id: RowId, desk: DeskHere, choice: Annotated[Literal["hold", "resend"], Form()]) -> Response:
    desk.settle_unknown(issue_id, resend=choice == "resend")
    return then(f"/studio/issues/{issue_id}", "resent" if choice == "resend" else "held")
