"""What is one's own: name, address, everything that is kept, and to be forgotten.

Reached only by a link that was sent to the address within the last 30 minutes.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from newsletter.model.notice import NewNotice, NoticeKind
from newsletter.web.public.evenly import Evenly
from newsletter.web.public.front import Front
from newsletter.web.public.limits import truncated
from newsletter.web.public.pages import HEADERS, PublicPages
from subscribers.addresses import masked
from subscribers.errors import BadToken, Expired, Invalid
from subscribers.model import Subscriber
from subscribers.personal import erase, everything
from subscribers.requests import Form as Agreement
from subscribers.signups import SignUps
from subscribers.tokens import Purpose


def personal(front: Front, pages: PublicPages, *, evenly: Evenly) -> APIRouter:
    router = APIRouter(prefix="/m", route_class=pages.route_class())

    def opened(token: str) -> int:
        numbers = front.tokens.verify(Purpose.PERSONAL, token, front.clock())
        if len(numbers) != 1:
            raise BadToken
        return numbers[0]

    def page(
        token: str, person: Subscriber, *, status: int = 200, said: str = "", problem: str = ""
    ) -> Response:
        return pages.page(
            "personal",
            status=status,
            token=token,
            name=person.name,
            address=masked(person.address),
            said=said,
            problem=problem,
        )

    def person_of(token: str) -> Subscriber:
        subscriber_id = opened(token)
        with front.read() as unit:
            person = unit.subscribers.find(subscriber_id)
        if person is None or not person.address:
            raise Expired
        return person

    @router.get("/{token}")
    def look(token: str) -> Response:
        return page(token, person_of(token))

    @router.post("/{token}/name")
    def rename(token: str, name: Annotated[str, Form(max_length=1000)] = "") -> Response:
        person = person_of(token)
        with front.begin() as unit:
            unit.subscribers.rename(person.id, name, front.clock())
        return page(token, person_of(token), said="personal.name_saved")

    @router.post("/{token}/address")
    def move(request: Request, token: str, address: Annotated[str, Form(max_length=1000)] = "") -> Response:
        """The new address is asked; nothing moves before it agrees. Neither the page nor its time tells
        whether somebody has it."""
        person = person_of(token)
        now = front.clock()
        agreement = Agreement(
            source="form: address",
            wording="",
            origin=truncated(request.client.host if request.client else ""),
        )
        try:
            with evenly(), front.begin() as unit:
                ask = SignUps(unit.subscribers).change_address(person.id, address, agreement, now)
                if ask is not None:
                    unit.notices.queue(
                        NewNotice(
                            key=f"address:{ask.request_id}",
                            kind=NoticeKind.ADDRESS_CHANGE,
                            to=ask.address,
                            subscriber_id=person.id,
                            data={"request": str(ask.request_id)},
                        ),
                        now,
                    )
        except Invalid:
            return page(token, person, status=400, problem="join.bad")
        return page(token, person, said="personal.address_asked")

    @router.post("/{token}/copy")
    def copy(token: str) -> Response:
        person = person_of(token)
        with front.read() as unit:
            document = everything(unit.subscribers, person.id, more=front.held(unit, person.id))
        return Response(
            document,
            media_type="application/json",
            headers={**HEADERS, "content-disposition": 'attachment; filename="my-data.json"'},
        )

    @router.post("/{token}/erase")
    def forget(token: str, sure: Annotated[str, Form()] = "") -> Response:
        person = person_of(token)
        if not sure:
            return page(token, person, status=400, problem="personal.erase_untick")
        with front.begin() as unit:
            address = erase(unit.subscribers, person.id, front.clock())
            front.forget(unit, person.id, address)
        return pages.told("personal.erased", "personal.erased_text")

    return router
