"""Unsubscribe: one click by header, or a page with one button. Works for as long as mail exists.

RFC 8058: the POST needs no login, no cookie and no other step, is never redirected, and answers 200 when
it is done; doing it again does no harm. The GET of the same address changes nothing, since programs follow
every link in a mail.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import Response

from newsletter.model.delivery import DeliveryFlag
from newsletter.model.times import from_ms, to_ms
from newsletter.web.public.front import Front
from newsletter.web.public.pages import PublicPages
from subscribers.addresses import masked
from subscribers.errors import BadToken
from subscribers.model import Subscriber, SubscriberState
from subscribers.store import UNDO_WITHIN
from subscribers.tokens import Purpose

REASONS = ("often", "interest", "never", "layout", "other")


def leaving(front: Front, pages: PublicPages) -> APIRouter:
    router = APIRouter(prefix="/u", route_class=pages.route_class())

    def opened(token: str) -> tuple[int, int]:
        """The subscriber and the issue of a link. Raises BadToken."""
        numbers = front.tokens.verify(Purpose.UNSUBSCRIBE, token, front.clock())
        if len(numbers) != 2:
            raise BadToken
        return numbers[0], numbers[1]

    @router.get("/{token}")
    def ask(token: str) -> Response:
        subscriber_id, _ = opened(token)
        with front.read() as unit:
            person = unit.subscribers.find(subscriber_id)
        return pages.page(
            "unsubscribe",
            address=_shown(person),
            token=token,
            choose=_choose(front, person),
        )

    @router.post("/{token}")
    def leave(token: str) -> Response:
        subscriber_id, issue_id = opened(token)
        now = _to_the_millisecond(front.clock())
        with front.begin() as unit:
            fresh = unit.subscribers.unsubscribe(subscriber_id, now)
            unit.deliveries.unclaim(subscriber_id)
            unit.links.forget(subscriber_id)
            if fresh and issue_id:
                unit.deliveries.flag(issue_id, subscriber_id, DeliveryFlag.UNSUBSCRIBED)
            person = unit.subscribers.find(subscriber_id)
        # Only whoever just did it may take it back: a later visit comes from anybody who has the mail.
        undo = (
            front.tokens.sign(Purpose.UNDO, subscriber_id, to_ms(now), expires_at=now + UNDO_WITHIN)
            if fresh
            else ""
        )
        return pages.page(
            "unsubscribed", address=_shown(person), token=token, undo=undo, reasons=REASONS if fresh else ()
        )

    @router.post("/{token}/why")
    def why(token: str, reason: Annotated[str, Form()] = "") -> Response:
        subscriber_id, _ = opened(token)
        if reason in REASONS:
            with front.begin() as unit:
                unit.subscribers.explain(subscriber_id, reason, front.clock())
        return pages.told("leave.thanks", "leave.thanks_text")

    @router.post("/{token}/undo")
    def undo(token: str, undo: Annotated[str, Form()]) -> Response:
        subscriber_id, _ = opened(token)
        now = front.clock()
        numbers = front.tokens.verify(Purpose.UNDO, undo, now)
        if len(numbers) != 2 or numbers[0] != subscriber_id:
            raise BadToken
        with front.begin() as unit:
            restored = unit.subscribers.undo_unsubscribe(subscriber_id, from_ms(numbers[1]), now)
            person = unit.subscribers.find(subscriber_id)
        if restored:
            return pages.told("leave.undone", "leave.undone_text", address=_shown(person))
        return pages.told("leave.not_undone", "leave.not_undone_text", status=409)

    return router


def _shown(person: Subscriber | None) -> str:
    """Whoever is gone has the mask of nobody."""
    return masked(person.address) if person and person.address else "•••"


def _choose(front: Front, person: Subscriber | None) -> str:
    """The way to the preferences, for whoever still receives the newsletter; else empty."""
    if person is None or person.state is not SubscriberState.ACTIVE:
        return ""
    return f"/p/{front.tokens.sign(Purpose.PREFERENCES, person.id)}"


def _to_the_millisecond(moment: datetime) -> datetime:
    """As it will be read back from the table."""
    return moment - timedelta(microseconds=moment.microsecond % 1000)
