"""Settings: the newsletter, its rhythm, sending, look, and people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import HTMLResponse, Response

from newsletter.desk import Desk
from newsletter.errors import Invalid, NotFound
from newsletter.model.checklist import CheckLine
from newsletter.model.feed import FeedState
from newsletter.web import preview
from newsletter.web.doors import DeskHere, PagesHere, SignedIn, Throttle, signed_in
from newsletter.web.pages import then
from newsletter.web.studio.draft import author_address
from newsletter.web.studio.fields import (
    APPROVAL,
    JOINING,
    NEWSLETTER,
    PRESETS,
    RHYTHM,
    SENDING,
    TRANSPORT,
    Section,
    look,
)
from newsletter.web.studio.forms import save, typed_form, values_of
from newsletter.web.templates import templates_folder

router = APIRouter(prefix="/studio/settings", dependencies=[Depends(signed_in)])

Typed = Annotated[dict[str, str], Depends(typed_form)]
Password = Annotated[str, Form(max_length=1000)]

_SECTIONS: Final = {section.key: section for section in (NEWSLETTER, RHYTHM, JOINING, SENDING)}

_MEND_AT: Final = defaultdict(
    str,
    {
        "feeds": "feeds",
        "from": "newsletter",
        "postal address": "newsletter",
        "sending": "sending",
        "address": "sending",
    },
)
"""The page of Settings on which a check's finding is mended, by the check's code."""


def themes() -> list[str]:
    """The themes that ship, by folder."""
    return sorted(path.parent.name for path in (templates_folder() / "email").glob("*/theme.toml"))


def section_of(key: str) -> Section:
    if key == "look":
        return look(themes())
    if key not in _SECTIONS:
        raise NotFound("There is no such page in Settings.")
    return _SECTIONS[key]


@router.get("")
def settings(request: Request, desk: DeskHere, pages: PagesHere) -> Response:
    return _overview(request, desk, pages, None)


@router.post("/check")
def check(request: Request, desk: DeskHere, pages: PagesHere) -> Response:
    """By a press, since it asks DNS and may take some seconds."""
    return _overview(request, desk, pages, desk.doctor())


@router.post("/accept-database")
def accept_database(desk: DeskHere) -> Response:
    desk.accept_database()
    return then("/studio/settings", "database-accepted")


def _overview(
    request: Request, desk: DeskHere, pages: PagesHere, checks: Sequence[CheckLine] | None
) -> Response:
    values = {shown.name: shown.value for shown in desk.settings()}
    return pages.page(
        request,
        "studio/settings.html",
        checks=checks,
        mend_at=_MEND_AT,
        values=values,
        sender=desk.newsletter().sender,
        transport=next(one.label for one in TRANSPORT.options if one.value == values["TRANSPORT"]),
        approval=next(one.label for one in APPROVAL.options if one.value == values["APPROVAL"]),
        feeds=[feed for feed in desk.feeds() if feed.state is not FeedState.REMOVED],
        browsers=len(desk.doors.sessions()),
        tab="overview",
    )


@router.get("/people")
def people(request: Request, session: SignedIn, desk: DeskHere, pages: PagesHere) -> Response:
    return pages.page(
        request,
        "studio/people.html",
        session=session,
        sessions=desk.doors.sessions(),
        has_password=desk.doors.has_password(),
        problem=None,
        tab="people",
    )


@router.post("/people/password")
def password(
    request: Request,
    session: SignedIn,
    desk: DeskHere,
    pages: PagesHere,
    new: Password = "",
    current: Password = "",
) -> Response:
    """A new password asks for the one that is; without one yet, being signed in is enough."""
    throttle: Throttle = request.app.state.throttle
    try:
        with throttle.hashing:
            if desk.doors.has_password():
                _check(request, throttle, desk, current)
            desk.doors.set_password(new, keep=session.token_sha)
    except Invalid as problem:
        return pages.page(
            request,
            "studio/people.html",
            status=400,
            session=session,
            sessions=desk.doors.sessions(),
            has_password=desk.doors.has_password(),
            problem=problem,
            tab="people",
        )
    return then("/studio/settings/people", "password")


def _check(request: Request, throttle: Throttle, desk: DeskHere, current: str) -> None:
    if not throttle.allows(request):
        raise Invalid("Too many wrong passwords from this address.", hint="Wait 15 minutes.")
    cookie = desk.doors.sign_in(current)
    if cookie is None:
        raise Invalid("The current password is another one.")
    throttle.succeeded(request)
    # The only door that checks a password opens a session with it; this one is not wanted.
    session = desk.doors.check_session(cookie)
    if session is not None:
        desk.doors.close_session(session.token_sha)


@router.post("/people/sessions/close")
def close_session(desk: DeskHere, which: Annotated[str, Form()] = "") -> Response:
    desk.doors.close_session(which)
    return then("/studio/settings/people", "session-closed")


@router.get("/joining/welcome")
def welcome(desk: DeskHere) -> Response:
    """The message that welcomes, as it would go out now."""
    return HTMLResponse(desk.preview_welcome(), headers=preview.HEADERS)


@router.get("/{key}")
def form(request: Request, key: str, desk: DeskHere, pages: PagesHere, preset: str = "") -> Response:
    section = section_of(key)
    return section_page(request, desk, pages, section, {}, {}, preset=preset)


@router.post("/{key}")
def change(request: Request, key: str, desk: DeskHere, pages: PagesHere, typed: Typed) -> Response:
    section = section_of(key)
    problems = save(desk, section, typed)
    if problems:
        return section_page(request, desk, pages, section, typed, problems)
    newsletter = desk.newsletter()
    lacks = section is NEWSLETTER and not (newsletter.sender and newsletter.postal_address.strip())
    return then(f"/studio/settings/{key}", "settings-lacking" if lacks else "settings")


def section_page(
    request: Request,
    desk: DeskHere,
    pages: PagesHere,
    section: Section,
    typed: dict[str, str],
    problems: dict[str, str],
    *,
    preset: str = "",
) -> Response:
    shown = desk.settings()
    values = {**values_of(section, shown), **with_preset(preset), **typed}
    return pages.page(
        request,
        "studio/section.html",
        status=400 if problems else 200,
        section=section,
        values=values,
        shown={setting.name: setting for setting in shown},
        problems=problems,
        presets=PRESETS,
        preset=PRESETS.get(preset),
        newest=next(iter(desk.issues(limit=1)), None) if section is SENDING else None,
        author=author_address(desk),
        used=used_where_empty(desk),
        welcomes=desk.newsletter().sender is not None,
        tab=section.key,
    )


def used_where_empty(desk: Desk) -> dict[str, str]:
    """What counts while a setting is empty, by its name: mostly what the blog says of itself."""
    return {"TITLE": desk.newsletter().title}


def with_preset(key: str) -> dict[str, str]:
    """What choosing a known relay fills in; empty for an unknown one."""
    preset = PRESETS.get(key)
    if preset is None:
        return {}
    values = {"TRANSPORT": "smtp", "SMTP_host": preset.host, "SMTP_port": str(preset.port)}
    return {**values, "RATE": preset.rate, **({"SMTP_user": preset.user} if preset.user else {})}
