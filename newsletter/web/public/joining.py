"""Sign up: the page, the form on somebody's blog, and JSON.

The answer to a form is the same whoever the address is: new, known, gone, suppressed. It comes after the
same time too, so that nobody learns who is on the list by asking.
"""

from __future__ import annotations

import secrets
import time
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from newsletter.model.tracking import Tracking
from newsletter.steps.telling import confirmation, welcome
from newsletter.web.public.challenge import LASTS, MOST_CHARACTERS, Challenges
from newsletter.web.public.evenly import Evenly
from newsletter.web.public.front import Front
from newsletter.web.public.imprint import agreement as agreement_to_track
from newsletter.web.public.imprint import contact, sender, wording
from newsletter.web.public.limits import FormLimits, Unproven, truncated
from newsletter.web.public.pages import PublicPages
from subscribers.addresses import masked, normalise, shown, suggestion
from subscribers.errors import Invalid, SubscribersError
from subscribers.requests import Form as Agreement
from subscribers.signups import SignUps

SOURCES: Final = frozenset({"page", "embed"})
TRAP: Final = "website"
"""A field that people never see. Programs fill it in; no browser's autofill knows what would belong there
(https://html.spec.whatwg.org/#autofill has no such name, and its "url" needs to be asked for)."""

CHALLENGE: Final = "/subscribe/challenge.json"


class SignUp(BaseModel):
    address: str
    altcha: str = ""


def joining(
    front: Front, pages: PublicPages, limits: FormLimits, *, challenges: Challenges, evenly: Evenly
) -> APIRouter:
    router = APIRouter(route_class=pages.route_class())

    def page(*, status: int = 200, **values: object) -> Response:
        newsletter = front.newsletter()
        return pages.page(
            "subscribe",
            status=status,
            indexed=status == 200,
            scripted=True,
            trap=TRAP,
            challenge=CHALLENGE,
            sender=sender(newsletter),
            contact=contact(newsletter),
            may_track=may_track(),
            **{"written": "", "problem": "", "meant": "", "track": "", **values},
        )

    def may_track() -> bool:
        """Only where the address is asked first: whoever has it agrees, not whoever filled in the form."""
        practice = front.practice()
        return practice.tracking is Tracking.INDIVIDUAL and practice.double_opt_in

    def proven(solution: str) -> bool:
        """Whether it solves a challenge of ours, for the first time."""
        nonce = challenges.solved(solution)
        if not nonce:
            return False
        with front.begin() as unit:
            return unit.leases.take(
                f"altcha:{nonce}", secrets.token_hex(8), now=front.clock(), length=2 * LASTS
            )

    def counted(network_address: str, solution: str) -> None:
        limits.take(front, network_address, front.clock(), proven=proven(solution))

    def signed_up(written: str, source: str, network_address: str, track: bool) -> None:
        """Raises Invalid for what is no address, and for nothing that depends on whose it is."""
        newsletter = front.newsletter()
        now = front.clock()
        agreement = Agreement(
            source=f"form: {source}",
            wording=wording(newsletter),
            origin=truncated(network_address),
            tracking=agreement_to_track(newsletter) if track and may_track() else "",
        )
        with front.begin() as unit:
            result = SignUps(unit.subscribers).sign_up(
                written, agreement, now, double=front.practice().double_opt_in, language=newsletter.language
            )
            if result.ask:
                unit.notices.queue(confirmation(result.ask), now)
            if result.welcome:
                unit.notices.queue(welcome(result.welcome), now)

    async def take(written: str, source: str, request: Request, solution: str, track: bool = False) -> None:
        network_address = request.client.host if request.client else ""
        normalise(written)
        await run_in_threadpool(counted, network_address, solution)
        started = time.monotonic()
        await run_in_threadpool(signed_up, written, source, network_address, track)
        await evenly.wait(started)

    @router.get("/subscribe")
    def look() -> Response:
        return page()

    @router.post("/subscribe")
    async def subscribe(
        request: Request,
        address: Annotated[str, Form(max_length=1000)] = "",
        source: Annotated[str, Form()] = "page",
        sure: Annotated[str, Form()] = "",
        altcha: Annotated[str, Form(max_length=MOST_CHARACTERS)] = "",
        trap: Annotated[str, Form(alias=TRAP)] = "",
        track: Annotated[str, Form()] = "",
    ) -> Response:
        """``sure`` is the spelling that somebody kept although a big domain lies one slip away; ``track``
        that they let their own opens and clicks be kept."""
        form = partial(page, track=track)
        if trap:
            return await run_in_threadpool(form, status=400, written=address, problem="join.trap")
        try:
            meant = suggestion(normalise(address))
        except Invalid:
            return await run_in_threadpool(form, status=400, written=address, problem="join.bad")
        if meant and sure != address:
            return await run_in_threadpool(form, written=address, meant=shown(meant))
        try:
            await take(address, source if source in SOURCES else "page", request, altcha, bool(track))
        except Unproven:
            # The page's script solves one now, so that pressing the button once more is enough.
            return await run_in_threadpool(form, status=429, written=address, problem="join.prove")
        single = not front.practice().double_opt_in
        return await run_in_threadpool(pages.page, "asked", address=_masked(address), single=single)

    @router.post("/subscribe.json")
    async def subscribe_json(request: Request) -> Response:
        """For forms of one's own making. 202 whoever the address is; 400 for what is none."""
        try:
            wanted = _sign_up(await request.body())
            await take(wanted.address, "json", request, wanted.altcha)
        except SubscribersError as error:
            status = 429 if error.code == "too_many" else 400
            problem = {"code": error.code, "message": error.message, "hint": error.hint}
            return JSONResponse({"error": problem}, status_code=status, headers=_ANY_ORIGIN)
        return JSONResponse({"state": "asked"}, status_code=202, headers=_ANY_ORIGIN)

    @router.get(CHALLENGE)
    def challenge() -> Response:
        """What ALTCHA's widget calls its challenge URL."""
        return JSONResponse(challenges.new(), headers=_ANY_ORIGIN)

    @router.options("/subscribe.json")
    def preflight() -> Response:
        return Response(status_code=204, headers=_ANY_ORIGIN)

    return router


_ANY_ORIGIN: Final = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "POST",
    "access-control-allow-headers": "content-type",
    "cache-control": "no-store",
}


def _sign_up(body: bytes) -> SignUp:
    """Raises Invalid."""
    try:
        return SignUp.model_validate_json(body)
    except ValueError as error:
        raise Invalid(
            "This is not the JSON of a sign-up.", hint='Send {"address": "name@example.com"}.'
        ) from error


def _masked(written: str) -> str:
    return masked(normalise(written).text)
