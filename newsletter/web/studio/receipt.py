"""The receipt: every subscriber of an issue accounted for, and what can still be done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response

from newsletter.desk import Desk, Details, Named, ReceiptShown
from newsletter.learn.progress import Timeline
from newsletter.model.delivery import Delivery, DeliveryState
from newsletter.model.issue import IssueState
from newsletter.web import words
from newsletter.web.chart import ceiling, timeline_chart
from newsletter.web.doors import DeskHere, PagesHere, RowId, cookie_of, signed_in
from newsletter.web.live import Live, Shot
from newsletter.web.pages import Pages, then
from subscribers.addresses import masked

router = APIRouter(prefix="/studio/issues", dependencies=[Depends(signed_in)])

FIRST: Final = 8  #: of each kind on the receipt; all of them have a page of their own
PAGE: Final = 100
DETAILS_EVERY_S: Final = 5.0
_LIVE: Final = frozenset({IssueState.SENDING, IssueState.PAUSED})
HEADS: Final = {
    DeliveryState.UNKNOWN: "May or may not have arrived",
    DeliveryState.FAILED: "Failed",
    DeliveryState.RETRY_WAIT: "Waiting for another try",
    DeliveryState.SKIPPED: "Left out",
}
"""Who is named, in the order in which they need the author."""


def page(request: Request, desk: Desk, pages: Pages, issue_id: int) -> Response:
    shown = desk.receipt(issue_id)
    receipt = shown.receipt
    counts = {
        DeliveryState.UNKNOWN: receipt.unknown,
        DeliveryState.FAILED: receipt.failed,
        DeliveryState.RETRY_WAIT: receipt.waiting,
        DeliveryState.SKIPPED: receipt.skipped,
    }
    groups = [
        (state.word, head, counts[state], _masked(desk.named(issue_id, [state], limit=FIRST)))
        for state, head in HEADS.items()
        if counts[state]
    ]
    return pages.page(
        request,
        "studio/receipt.html",
        groups=groups,
        live=shown.issue.state in _LIVE,
        **_account(desk, shown, desk.receipt_details(issue_id)),
    )


def _account(desk: Desk, shown: ReceiptShown, details: Details) -> dict[str, Any]:
    """What ``_account.html`` needs: the part of the page that changes while an issue is sent."""
    line = shown.timeline
    length = line.step * len(line.bars)
    return {
        "issue": shown.issue,
        "receipt": shown.receipt,
        "shown": shown,
        "details": details,
        "heads": HEADS,
        "handed": handed(desk),
        "line": line,
        "line_length": length,
        "line_top": ceiling(line.most),
        "line_step": words.span(line.step.total_seconds()),
        "chart": _chart(line, length, shown) if len(line.bars) > 1 else "",
    }


def _chart(line: Timeline, length: timedelta, shown: ReceiptShown) -> str:
    total = sum(bar.total for bar in line.bars)
    wrong = sum(bar.failed + bar.unknown for bar in line.bars)
    return timeline_chart(
        line,
        title="Sending over time",
        description=(
            f"{words.count(total, 'message')} in {words.lasting(length.total_seconds())}, at most "
            f"{words.number(line.most)} in a {words.span(line.step.total_seconds())}; "
            f"{words.number(wrong)} of them failed or may not have arrived."
        ),
    )


def _masked(found: Sequence[Named]) -> list[tuple[str, Delivery]]:
    """Masked: a receipt is looked at over shoulders and sent around. An erased one has only a number."""
    return [
        (
            masked(one.address) if one.address else f"Subscriber {one.delivery.subscriber_id}",
            one.delivery,
        )
        for one in found
    ]


def handed(desk: Desk) -> str:
    """What became of accepted mail, as people say it."""
    values = {shown.name: shown.value for shown in desk.settings()}
    ways = {"outbox": "Written into the outbox folder", "sendgrid": "Handed to SendGrid"}
    return ways.get(values.get("TRANSPORT", ""), "Handed to the mail server")


@router.get("/{issue_id}/live")
def live(request: Request, issue_id: RowId, desk: DeskHere, pages: PagesHere) -> Response:
    """Follows the account of an issue while it is sent."""
    following: Live = request.app.state.live
    cookie = cookie_of(request)
    details, taken, cost = desk.receipt_details(issue_id), time.monotonic(), 0.0

    def look() -> Shot | None:
        nonlocal details, taken, cost
        if desk.doors.check_session(cookie) is None:
            return None
        shown = desk.receipt(issue_id)
        over = shown.issue.state not in _LIVE
        if over or time.monotonic() - taken > max(DETAILS_EVERY_S, 20 * cost):
            began = time.monotonic()
            details, taken = desk.receipt_details(issue_id), time.monotonic()
            cost = taken - began
        html = pages.part("studio/_account.html", **_account(desk, shown, details))
        return Shot(state=shown.issue.state.value, html=html, over=over)

    return following.follow(look)


@router.get("/{issue_id}/people")
def people(
    request: Request,
    issue_id: RowId,
    desk: DeskHere,
    pages: PagesHere,
    state: Literal["unknown", "failed", "retry_wait", "skipped"],
    after: RowId = 0,
) -> Response:
    """Everybody in one state by name, each with the reason."""
    wanted = DeliveryState[state.upper()]
    found = desk.named(issue_id, [wanted], limit=PAGE + 1, after=after)
    return pages.page(
        request,
        "studio/receipt_people.html",
        issue=desk.issue(issue_id).issue,
        state=state,
        head=HEADS[wanted],
        after=after,
        rows=_masked(found[:PAGE]),
        more=found[PAGE - 1].delivery.subscriber_id if len(found) > PAGE else 0,
    )


@router.post("/{issue_id}/pause")
def pause(issue_id: RowId, desk: DeskHere) -> Response:
    desk.pause_issue(issue_id)
    return then(f"/studio/issues/{issue_id}", "paused")


@router.post("/{issue_id}/resume")
def resume(request: Request, issue_id: RowId, desk: DeskHere) -> Response:
    desk.resume_issue(issue_id)
    request.app.state.wake("send")
    return then(f"/studio/issues/{issue_id}", "resumed")


@router.post("/{issue_id}/retry")
def retry(request: Request, issue_id: RowId, desk: DeskHere) -> Response:
    desk.retry_failed(issue_id)
    request.app.state.wake("send")
    return then(f"/studio/issues/{issue_id}", "retry")


@router.post("/{issue_id}/settle")
def settle(
    request: Request, issue_id: RowId, desk: DeskHere, choice: Annotated[Literal["hold", "resend"], Form()]
) -> Response:
    desk.settle_unknown(issue_id, resend=choice == "resend")
    request.app.state.wake("send")
    return then(f"/studio/issues/{issue_id}", "resent" if choice == "resend" else "held")
