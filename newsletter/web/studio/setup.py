"""The first run: four short steps, each with good answers filled in, each to be skipped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response

from newsletter.desk import Desk
from newsletter.errors import NewsletterError, NotFound
from newsletter.model.feed import Feed, FeedState
from newsletter.web.doors import DeskHere, PagesHere, signed_in
from newsletter.web.pages import Pages, then
from newsletter.web.studio.fields import (
    PRESETS,
    SETUP_NEWSLETTER,
    SETUP_RHYTHM,
    SETUP_SENDING,
    Section,
)
from newsletter.web.studio.forms import save, typed_form, values_of
from newsletter.web.studio.settings import with_preset

router = APIRouter(prefix="/studio/setup", dependencies=[Depends(signed_in)])

Typed = Annotated[dict[str, str], Depends(typed_form)]

_SECTIONS: Final = {section.key: section for section in (SETUP_NEWSLETTER, SETUP_SENDING, SETUP_RHYTHM)}
_NEEDS: Final = {  # by TRANSPORT: the setting, and what to say where it is empty
    "smtp": ("SMTP_URL", "Name the server that takes your mail, or choose the folder for now."),
    "sendgrid": ("SENDGRID_API_KEY", "Paste your key of SendGrid, or choose the folder for now."),
}
STEPS: Final = ("blog", *_SECTIONS)


@router.get("")
def begin(request: Request, desk: DeskHere, pages: PagesHere) -> Response:
    return _blog(request, desk, pages)


@router.post("")
def find(request: Request, desk: DeskHere, pages: PagesHere, url: Annotated[str, Form()] = "") -> Response:
    """Look at the blog's address: one feed is taken at once, of several the author chooses."""
    try:
        found = desk.find_feeds(url.strip())
        of_posts = [feed for feed in found if not feed.comments]
        if len(of_posts) == 1:
            desk.add_feed(of_posts[0].url)
            return then("/studio/setup/newsletter")
    except NewsletterError as problem:
        return _blog(request, desk, pages, url=url, problem=problem)
    return _blog(request, desk, pages, url=url, found=found)


@router.post("/feed")
def take(desk: DeskHere, url: Annotated[str, Form()] = "") -> Response:
    desk.add_feed(url.strip())
    return then("/studio/setup/newsletter")


@router.get("/{step}")
def show(request: Request, step: str, desk: DeskHere, pages: PagesHere, preset: str = "") -> Response:
    return _form(request, desk, pages, _section(step), {}, {}, preset=preset)


@router.post("/{step}")
def answer(request: Request, step: str, desk: DeskHere, pages: PagesHere, typed: Typed) -> Response:
    section = _section(step)
    problems = save(desk, section, typed)
    if section is SETUP_SENDING:
        problems = {**_unready(desk), **problems}
    if problems:
        return _form(request, desk, pages, section, typed, problems)
    following = _after(step)
    return then(f"/studio/setup/{following}") if following else then("/studio/", "set-up")


def _unready(desk: Desk) -> dict[str, str]:
    """What the chosen way of sending cannot do without, by setting."""
    values = {setting.name: setting.value for setting in desk.settings()}
    needed = _NEEDS.get(values["TRANSPORT"])
    return {} if needed is None or values[needed[0]] else dict([needed])


def _section(step: str) -> Section:
    if step not in _SECTIONS:
        raise NotFound("There is no such step.")
    return _SECTIONS[step]


def _after(step: str) -> str:
    return next(iter(STEPS[STEPS.index(step) + 1 :]), "")


def _watched(desk: Desk) -> list[Feed]:
    return [feed for feed in desk.feeds() if feed.state is not FeedState.REMOVED]


def _blog(
    request: Request,
    desk: Desk,
    pages: Pages,
    *,
    url: str = "",
    found: Sequence[object] | None = None,
    problem: NewsletterError | None = None,
) -> Response:
    return pages.page(
        request,
        "studio/setup_blog.html",
        status=400 if problem else 200,
        steps=STEPS,
        step="blog",
        url=url,
        found=found,
        problem=problem,
        feeds=_watched(desk),
    )


def _form(
    request: Request,
    desk: Desk,
    pages: Pages,
    section: Section,
    typed: dict[str, str],
    problems: dict[str, str],
    *,
    preset: str = "",
) -> Response:
    shown = desk.settings()
    values = {**values_of(section, shown), **with_preset(preset), **typed}
    if not typed:
        values |= _from_the_blog(values, _watched(desk))
    return pages.page(
        request,
        "studio/setup_form.html",
        status=400 if problems else 200,
        steps=STEPS,
        step=section.key,
        after=_after(section.key),
        section=section,
        values=values,
        shown={setting.name: setting for setting in shown},
        problems=problems,
        presets=PRESETS,
        preset=PRESETS.get(preset),
    )


def _from_the_blog(values: dict[str, str], feeds: list[Feed]) -> dict[str, str]:
    """What the blog says of itself, for the inputs that are still empty."""
    if not feeds:
        return {}
    known = {"TITLE": feeds[0].title, "FROM_name": feeds[0].title}
    return {name: text for name, text in known.items() if name in values and not values[name]}
