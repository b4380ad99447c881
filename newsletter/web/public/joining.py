"""Sign up and confirm.

The answer to a form is the same whoever the address is: new, known, gone, suppressed. It comes after the
same time too, so that nobody learns who is on the list by asking.
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from newsletter.model.publication import Newsletter
from newsletter.steps.telling import confirmation, welcome
from newsletter.web.public.front import Front
from newsletter.web.public.limits import FormLimits, truncated
from newsletter.web.public.pages import PublicPages, saying
from subscribers.addresses import masked, normalise, shown, suggestion
from subscribers.errors import Invalid, SubscribersError
from subscribers.model import Subscriber
from subscribers.requests import Form as Agreement
from subscribers.requests import RequestKind
from subscribers.signups import SignUps
from subscribers.tokens import Purpose

ANSWER_AFTER_S: Final = 0.3
SOURCES: Final = frozenset({"page", "embed"})
TRAP: Final = "surname_2"
"""A field that people never see. Programs fill it in; browsers' autofill does not know its name."""


class SignUp(BaseModel):
    address: str


def joining(
    front: Front, pages: PublicPages, limits: FormLimits, *, answer_after_s: float = ANSWER_AFTER_S
) -> APIRouter:
    router = APIRouter(route_class=pages.route_class())

    def form(*, status: int = 200, **values: object) -> Response:
        newsletter = front.newsletter()
        return pages.page(
            "subscribe",
            status=status,
            indexed=status == 200,
            trap=TRAP,
            contact=contact(newsletter),
            **{"written": "", "problem": "", "meant": "", **values},
        )

    def signed_up(written: str, source: str, network_address: str) -> None:
        """Raises Invalid for what is no address, and for nothing that depends on whose it is."""
        newsletter = front.newsletter()
        now = front.clock()
        agreement = Agreement(
            source=f"form: {source}", wording=wording(newsletter), origin=truncated(network_address)
        )
        with front.begin() as unit:
            result = SignUps(unit.subscribers).sign_up(
                written, agreement, now, double=front.double_opt_in(), language=newsletter.language
            )
            if result.ask:
                unit.notices.queue(confirmation(result.ask), now)
            if result.welcome:
                unit.notices.queue(welcome(result.welcome), now)

    async def evenly(written: str, source: str, request: Request) -> None:
        network_address = request.client.host if request.client else ""
        limits.take(network_address)
        normalise(written)
        started = time.monotonic()
        await run_in_threadpool(signed_up, written, source, network_address)
        await asyncio.sleep(max(0.0, answer_after_s - (time.monotonic() - started)))

    @router.get("/subscribe")
    def look() -> Response:
        return form()

    @router.post("/subscribe")
    async def subscribe(
        request: Request,
        address: Annotated[str, Form(max_length=1000)] = "",
        source: Annotated[str, Form()] = "page",
        sure: Annotated[str, Form()] = "",
        trap: Annotated[str, Form(alias=TRAP)] = "",
    ) -> Response:
        """``sure`` is the spelling that somebody kept although a big domain lies one slip away."""
        if trap:
            return await run_in_threadpool(form, status=400, written=address, problem="join.trap")
        try:
            meant = suggestion(normalise(address))
        except Invalid:
            return await run_in_threadpool(form, status=400, written=address, problem="join.bad")
        if meant and sure != address:
            return await run_in_threadpool(form, written=address, meant=shown(meant))
        await evenly(address, source if source in SOURCES else "page", request)
        single = not front.double_opt_in()
        return await run_in_threadpool(pages.page, "asked", address=_masked(address), single=single)

    @router.post("/subscribe.json")
    async def subscribe_json(request: Request, wanted: SignUp) -> Response:
        """For forms of one's own making. 202 whoever the address is; 400 for what is none."""
        try:
            await evenly(wanted.address, "json", request)
        except SubscribersError as error:
            status = 429 if error.code == "too_many" else 400
            problem = {"code": error.code, "message": error.message, "hint": error.hint}
            return JSONResponse({"error": problem}, status_code=status, headers=_ANY_ORIGIN)
        return JSONResponse({"state": "asked"}, status_code=202, headers=_ANY_ORIGIN)

    @router.options("/subscribe.json")
    def preflight() -> Response:
        return Response(status_code=204, headers=_ANY_ORIGIN)

    @router.get("/c/{token}")
    def ask(token: str) -> Response:
        request_id = _request_of(front, token)
        with front.read() as unit:
            asked, person = SignUps(unit.subscribers).look(request_id, front.clock())
        if asked.used_at is not None:
            return _confirmed(pages, front, person, asked.kind)
        address = asked.address or person.address
        return pages.page(
            "confirm",
            address=masked(address),
            token=token,
            moving=asked.kind is RequestKind.ADDRESS,
        )

    @router.post("/c/{token}")
    def confirm(request: Request, token: str) -> Response:
        request_id = _request_of(front, token)
        now = front.clock()
        origin = truncated(request.client.host if request.client else "")
        with front.begin() as unit:
            done = SignUps(unit.subscribers).confirm(request_id, now, origin=origin)
            if done.fresh and done.kind is RequestKind.SIGN_UP:
                unit.notices.queue(welcome(done.subscriber, request_id), now)
        return _confirmed(pages, front, done.subscriber, done.kind)

    @router.get("/privacy")
    def privacy() -> Response:
        newsletter = front.newsletter()
        return pages.page("privacy", indexed=True, contact=contact(newsletter), provider=front.provider())

    return router


_ANY_ORIGIN: Final = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "content-type",
    "cache-control": "no-store",
}


def wording(newsletter: Newsletter) -> str:
    """What somebody agrees to by sending the form; kept as proof."""
    return saying(newsletter)("join.wording", sender=sender(newsletter))


def sender(newsletter: Newsletter) -> str:
    return (newsletter.sender.name or newsletter.sender.address) if newsletter.sender else newsletter.title


def contact(newsletter: Newsletter) -> str:
    return newsletter.reply_to or (newsletter.sender.address if newsletter.sender else "")


def _request_of(front: Front, token: str) -> int:
    numbers = front.tokens.verify(Purpose.CONFIRM, token, front.clock())
    return numbers[0] if len(numbers) == 1 else 0


def _confirmed(pages: PublicPages, front: Front, person: Subscriber, kind: RequestKind) -> Response:
    return pages.page(
        "confirmed",
        address=masked(person.address),
        moved=kind is RequestKind.ADDRESS,
        choose=f"/p/{front.tokens.sign(Purpose.PREFERENCES, person.id)}",
    )


def _masked(written: str) -> str:
    return masked(normalise(written).text)
