"""Preferences: how often, which topics, a pause, leave. By the signed link at the end of every email.

What says more about a person (name, export, erasure, address) needs a fresh link sent to the address,
since mail gets forwarded: see personal.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from newsletter.model.notice import NewNotice, NoticeKind
from newsletter.model.times import to_ms
from newsletter.model.tracking import Tracking
from newsletter.web.public.evenly import Evenly
from newsletter.web.public.front import Front
from newsletter.web.public.imprint import agreement
from newsletter.web.public.limits import truncated
from newsletter.web.public.pages import PublicPages
from subscribers import tracking
from subscribers.addresses import masked
from subscribers.errors import BadToken, Invalid
from subscribers.model import Cadence, Subscriber, SubscriberState
from subscribers.tokens import Purpose

AT_MOST = timedelta(days=366)
_HOUR_MS = 3_600_000


def choosing(front: Front, pages: PublicPages, *, evenly: Evenly) -> APIRouter:
    router = APIRouter(prefix="/p", route_class=pages.route_class())

    def opened(token: str) -> int:
        numbers = front.tokens.verify(Purpose.PREFERENCES, token, front.clock())
        if len(numbers) != 1:
            raise BadToken
        return numbers[0]

    def page(token: str, person: Subscriber, *, saved: bool = False, bad_date: bool = False) -> Response:
        zone = ZoneInfo(front.newsletter().timezone)
        now = front.clock()
        today = now.astimezone(zone).date()
        paused = person.paused_until if person.paused_until and person.paused_until > now else None
        return pages.page(
            "preferences",
            status=400 if bad_date else 200,
            address=masked(person.address),
            token=token,
            chosen=person.cadence,
            cadences=list(Cadence),
            topics=_listed(front.topics(), person),
            topics_off=person.topics_off,
            paused=paused.astimezone(zone).date() if paused else None,
            first_day=today + timedelta(days=1),
            last_day=today + AT_MOST,
            may_track=front.practice().tracking is Tracking.INDIVIDUAL or person.tracked_at is not None,
            tracked=person.tracked_at is not None,
            leave=f"/u/{front.tokens.sign(Purpose.UNSUBSCRIBE, person.id, 0)}",
            saved=saved,
            bad_date=bad_date,
        )

    @router.get("/{token}")
    def look(token: str, saved: str = "") -> Response:
        subscriber_id = opened(token)
        with front.read() as unit:
            person = unit.subscribers.get(subscriber_id)
        if person.state is not SubscriberState.ACTIVE:
            return pages.page("not_subscribed", address=masked(person.address) if person.address else "•••")
        return page(token, person, saved=bool(saved))

    @router.post("/{token}")
    def choose(
        request: Request,
        token: str,
        often: Annotated[str, Form()] = "",
        shown: Annotated[list[str] | None, Form()] = None,
        topic: Annotated[list[str] | None, Form()] = None,
        pause: Annotated[str, Form()] = "",
        asked: Annotated[str, Form()] = "",
        track: Annotated[str, Form()] = "",
    ) -> Response:
        """``shown`` are the topics that the page had, ``topic`` those that were ticked; ``asked`` says that
        the page had the box ``track``."""
        subscriber_id = opened(token)
        now = front.clock()
        timezone = front.newsletter().timezone
        with front.begin() as unit:
            person = unit.subscribers.get(subscriber_id)
            if person.state is SubscriberState.ACTIVE:
                try:
                    until = _start_of(pause, timezone, now)
                except Invalid:
                    return page(token, person, bad_date=True)
                unit.subscribers.choose(
                    subscriber_id,
                    now,
                    cadence=Cadence(often) if often in set(Cadence) else None,
                    topics_off=_off(front.topics(), person.topics_off, shown or [], topic or []),
                    paused_until=until,
                )
                if asked and not track and tracking.withdraw(unit.subscribers.conn, subscriber_id, now):
                    unit.links.forget(subscriber_id)
                if asked and track and front.practice().tracking is Tracking.INDIVIDUAL:
                    tracking.agree(
                        unit.subscribers.conn,
                        subscriber_id,
                        now,
                        source="form: preferences",
                        wording=agreement(front.newsletter()),
                        origin=truncated(request.client.host if request.client else ""),
                    )
        return RedirectResponse(f"/p/{token}?saved=1", status_code=303)

    @router.post("/{token}/link")
    def send_link(token: str) -> Response:
        """A fresh link to the address, at most one an hour. None to an address that called our mail spam,
        that bounces or that the author bars; whoever asks is told the same, after the same time."""
        subscriber_id = opened(token)
        now = front.clock()
        with evenly(), front.begin() as unit:
            person = unit.subscribers.get(subscriber_id)
            if person.address and unit.subscribers.may_be_written_to(person):
                unit.notices.queue(
                    NewNotice(
                        key=f"subscriber-link:{person.id}:{to_ms(now) // _HOUR_MS}",
                        kind=NoticeKind.SUBSCRIBER_LINK,
                        to=person.address,
                        subscriber_id=person.id,
                    ),
                    now,
                )
        return pages.told("choose.sent", "choose.sent_text", address=masked(person.address))

    return router


def _listed(topics: Sequence[str], person: Subscriber) -> list[str]:
    """What can be chosen: the feeds' topics, and those that were switched off before they vanished."""
    return sorted({*topics, *person.topics_off}, key=str.casefold)


def _off(
    topics: Sequence[str], before: Sequence[str], shown: Sequence[str], ticked: Sequence[str]
) -> list[str]:
    """What they do not want: of the topics that the page had, those without a tick. A topic that came up
    since stays as it was, and nothing that is no topic is kept."""
    known = {*topics, *before}
    return sorted(((set(shown) & known) - set(ticked)) | (set(before) - set(shown)))


def _start_of(day: str, timezone: str, now: datetime) -> datetime | None:
    """The first moment of that day where the newsletter is at home. Raises Invalid for a day outside
    tomorrow to a year from now."""
    if not day.strip():
        return None
    zone = ZoneInfo(timezone)
    try:
        start = datetime.combine(date.fromisoformat(day.strip()), time(), zone)
    except ValueError as error:
        raise Invalid("This is no date.") from error
    if not now < start <= now + AT_MOST:
        raise Invalid("A pause ends on a day after today, at most a year ahead.")
    return start
