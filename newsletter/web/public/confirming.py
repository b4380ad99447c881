"""Confirm: one large button. Looking confirms nobody, since programs follow every link in a mail."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from newsletter.steps.telling import welcome
from newsletter.web.public.front import Front
from newsletter.web.public.limits import truncated
from newsletter.web.public.pages import PublicPages
from subscribers.addresses import masked
from subscribers.model import Subscriber
from subscribers.requests import RequestKind
from subscribers.signups import SignUps
from subscribers.tokens import Purpose


def confirming(front: Front, pages: PublicPages) -> APIRouter:
    router = APIRouter(prefix="/c", route_class=pages.route_class())

    def opened(token: str) -> int:
        """The request of a link; one that no database has where it names none. Raises BadToken."""
        numbers = front.tokens.verify(Purpose.CONFIRM, token, front.clock())
        return numbers[0] if len(numbers) == 1 else 0

    def confirmed(person: Subscriber, kind: RequestKind) -> Response:
        return pages.page(
            "confirmed",
            address=masked(person.address),
            moved=kind is RequestKind.ADDRESS,
            choose=f"/p/{front.tokens.sign(Purpose.PREFERENCES, person.id)}",
        )

    @router.get("/{token}")
    def ask(token: str) -> Response:
        request_id = opened(token)
        with front.read() as unit:
            asked, person = SignUps(unit.subscribers).look(request_id, front.clock())
        if asked.used_at is not None:
            return confirmed(person, asked.kind)
        return pages.page(
            "confirm",
            address=masked(asked.address or person.address),
            token=token,
            moving=asked.kind is RequestKind.ADDRESS,
        )

    @router.post("/{token}")
    def confirm(request: Request, token: str) -> Response:
        request_id = opened(token)
        now = front.clock()
        origin = truncated(request.client.host if request.client else "")
        with front.begin() as unit:
            done = SignUps(unit.subscribers).confirm(request_id, now, origin=origin)
            if done.fresh and done.kind is RequestKind.SIGN_UP:
                unit.notices.queue(welcome(done.subscriber, request_id), now)
        return confirmed(done.subscriber, done.kind)

    return router
