"""The draft page: the email as it will be sent, what the author may change, and one clear button."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import Response

from newsletter.desk import ALT_MOST, Desk, IssueShown
from newsletter.errors import Conflict, Invalid, NewsletterError, NotFound, NotReady, TransportProblem
from newsletter.model.issue import PREHEADER_MOST, SUBJECT_MOST, IssueState
from newsletter.model.times import moment_of
from newsletter.web import words
from newsletter.web.doors import DeskHere, PagesHere, RowId, signed_in
from newsletter.web.pages import Pages, then
from newsletter.web.preview import View, answer
from newsletter.web.security import DRAFT_CSP
from subscribers.errors import Invalid as InvalidAddress
from subscribers.errors import SubscribersError

SUBJECT_GOOD: Final = 60
"""Characters of a subject that a phone shows at most (it shows fewer in large type): a hint, no limit."""
PREHEADER_GOOD: Final = (40, 110)

router = APIRouter(prefix="/studio/issues", dependencies=[Depends(signed_in)])

Text = Annotated[str, Form()]
Texts = Annotated[list[str], Form(default_factory=list)]
Whom = Annotated[int | None, Form(ge=0)]  #: a segment's id, 0 for everybody; absent: as it is
Posts = Annotated[list[RowId], Form(default_factory=list)]


def page(
    request: Request,
    desk: Desk,
    pages: Pages,
    shown: IssueShown,
    *,
    problem: NewsletterError | None = None,
    to: str = "",
    wrong_to: NewsletterError | SubscribersError | None = None,
    typed: str = "",
    wrong_reader: NewsletterError | SubscribersError | None = None,
) -> Response:
    """The draft page; with ``problem``, what kept the last button from doing its work, with ``wrong_to``,
    why no test can go to the address ``to``, and with ``wrong_reader``, why nobody's look is shown for the
    address ``typed``."""
    query = request.query_params
    reader = query.get("as", "")
    view = View.parse(
        query.get("view", ""),
        dark=query.get("dark", ""),
        reader=int(reader) if reader.isdecimal() and len(reader) < 19 else 0,
    )
    places = {place.post_id: place for place in shown.issue.posts}
    shows = pages.page(
        request,
        "studio/draft.html",
        status=409 if problem else 400 if wrong_to or wrong_reader else 200,
        shown=shown,
        issue=shown.issue,
        posts=[(post, places[post.id].included) for post in shown.posts if post.id in places],
        view=view,
        reader=desk.subscriber(view.reader).subscriber if view.reader else None,
        sender=desk.newsletter().sender,
        audience=desk.audience_size(shown.issue.id),
        author=author_address(desk),
        setting=setting(desk, "TRANSPORT"),
        excerpts=desk.shows_excerpts(shown.issue.id),
        segments=desk.saved_segments(),
        pictures=desk.pictures(shown.issue.id),
        problem=problem,
        to=to,
        wrong_to=wrong_to,
        typed=typed,
        wrong_reader=wrong_reader,
        limits={"subject": SUBJECT_MOST, "preheader": PREHEADER_MOST, "alt": ALT_MOST},
        good={"subject": SUBJECT_GOOD, "preheader": PREHEADER_GOOD},
    )
    shows.headers["content-security-policy"] = DRAFT_CSP
    return shows


@router.get("/{issue_id}/preview")
def preview(
    issue_id: RowId,
    desk: DeskHere,
    view: str = "",
    dark: str = "",
    reader: Annotated[RowId, Query(alias="as")] = 0,
) -> Response:
    """The email itself, for the frame: same bytes, under a policy that lets nothing run."""
    return answer(desk, issue_id, View.parse(view, dark=dark, reader=reader))


@router.post("/{issue_id}/as")
def look_as(
    request: Request,
    issue_id: RowId,
    desk: DeskHere,
    pages: PagesHere,
    address: Text = "",
    view: Text = "",
    dark: Text = "",
) -> Response:
    """Look as this subscriber. Their id goes into the address bar, where an address would be logged."""
    shown = desk.issue(issue_id)
    try:
        reader = desk.subscriber(address.strip()).subscriber
    except NotFound:
        wrong = NotFound("Nobody with this address is on the list.", hint="Choose one of your subscribers.")
        return page(request, desk, pages, shown, typed=address, wrong_reader=wrong)
    except InvalidAddress as wrong_address:
        return page(request, desk, pages, shown, typed=address, wrong_reader=wrong_address)
    chosen = {"view": view, "dark": dark, "as": str(reader.id)}
    return then(f"/studio/issues/{issue_id}", **{name: value for name, value in chosen.items() if value})


@router.post("/{issue_id}/edit")
def edit(
    issue_id: RowId,
    desk: DeskHere,
    include: Posts,
    picture: Texts,
    alt: Texts,
    decorative: Texts,
    subject: Text = "",
    preheader: Text = "",
    note: Text = "",
    shows: Text = "",
    shorten: Text = "",
    segment: Whom = None,
) -> Response:
    """``shorten`` is the button beside the size: beginnings, whatever the choice above it says."""
    alts = descriptions(desk, issue_id, picture, alt, decorative)
    shows = "beginnings" if shorten else shows
    change(desk, issue_id, subject, preheader, note, include, shows, alts, segment)
    return then(f"/studio/issues/{issue_id}", "saved")


@router.post("/{issue_id}/approve")
def approve(
    request: Request,
    issue_id: RowId,
    desk: DeskHere,
    pages: PagesHere,
    include: Posts,
    picture: Texts,
    alt: Texts,
    decorative: Texts,
    subject: Text = "",
    preheader: Text = "",
    note: Text = "",
    shows: Text = "",
    seen: Text = "",
    go: Text = "now",
    at: Text = "",
    segment: Whom = None,
) -> Response:
    """Save what was typed, then approve only what the author has seen (``seen`` is its content hash), for
    those whose number they have seen."""
    alts = descriptions(desk, issue_id, picture, alt, decorative)
    before = desk.issue(issue_id).issue.segment
    shown = change(desk, issue_id, subject, preheader, note, include, shows, alts, segment)
    if shown.issue.segment != before:
        return then(f"/studio/issues/{issue_id}", "look-again-whom")
    if shown.issue.content_hash != seen:
        return then(f"/studio/issues/{issue_id}", "look-again")
    try:
        shown = desk.approve_issue(issue_id, at=moment(desk, at) if go == "later" else None, seen=seen)
    except (NotReady, Invalid) as problem:
        return page(request, desk, pages, desk.issue(issue_id), problem=problem)
    except Conflict:
        if desk.issue(issue_id).issue.content_hash == seen:
            raise
        return then(f"/studio/issues/{issue_id}", "look-again")
    return then(f"/studio/issues/{issue_id}", words.approved(shown.issue, pages.now()))


def descriptions(
    desk: Desk, issue_id: int, pictures: list[str], alts: list[str], decorative: list[str]
) -> dict[str, str | None]:
    """What the form changes of the pictures' descriptions: a text, empty for decoration, None for the
    blog's own where the author emptied theirs."""
    if not pictures or len(pictures) != len(alts):
        return {}
    typed = dict(zip(pictures, alts, strict=True))
    own = dict(desk.issue(issue_id).issue.alts)
    changed: dict[str, str | None] = {}
    for picture in desk.pictures(issue_id):
        source, text = picture.source, " ".join(typed.get(picture.source, "").split())
        if source not in typed:
            continue
        if source in decorative:
            if not picture.decorative:
                changed[source] = ""
        elif text and text != picture.alt:
            changed[source] = text
        elif not text and source in own:
            changed[source] = None
    return changed


def change(
    desk: Desk,
    issue_id: int,
    subject: str,
    preheader: str,
    note: str,
    include: list[int],
    shows: str = "",
    alts: Mapping[str, str | None] | None = None,
    segment: int | None = None,
) -> IssueShown:
    """Apply the form, but only what differs: an untouched subject keeps following the post's title."""
    shown = desk.issue(issue_id)
    issue = shown.issue
    before = {place.post_id for place in issue.posts if place.included}
    wanted = set(include) & {place.post_id for place in issue.posts}
    changes: dict[str, str] = {
        name: new
        for name, new, old in (
            ("subject", subject.strip(), issue.subject),
            ("preheader", preheader.strip(), issue.preheader),
            ("note", note.replace("\r\n", "\n").strip(), issue.note),
        )
        if new != old
    }
    excerpts: bool | None = None
    if shows in ("beginnings", "whole") and (shows == "beginnings") != desk.shows_excerpts(issue_id):
        excerpts = shows == "beginnings"
    whom: str | None = None
    if segment is not None:
        name = next((one.name for one in desk.saved_segments() if one.id == segment), None)
        if segment and name is None:
            raise Invalid("That segment is not there any more.", hint="Choose for whom it is.")
        whom = None if (name or "") == issue.segment else name or ""
    if not changes and not alts and excerpts is None and whom is None and wanted == before:
        return shown
    if not wanted:
        raise Invalid(
            "An issue needs at least one post.", hint="Keep one, or cancel the issue if none should go out."
        )
    return desk.edit_issue(
        issue_id,
        **changes,
        excerpts=excerpts,
        alts=alts or {},
        segment=whom,
        include=wanted - before,
        exclude=before - wanted,
    )


def moment(desk: Desk, text: str) -> datetime:
    """A date and time as a form gives it, in the newsletter's time zone. Raises Invalid."""
    try:
        return moment_of(text, ZoneInfo(desk.newsletter().timezone))
    except ValueError as error:
        raise Invalid("No time was chosen to send at.", hint="Choose a date and a time.") from error


@router.post("/{issue_id}/test")
def send_test(request: Request, issue_id: RowId, desk: DeskHere, pages: PagesHere, to: Text = "") -> Response:
    try:
        tested = desk.test_issue(issue_id, to.strip())
        if tested.failed:
            raise Invalid(tested.sentence)
    except (Invalid, InvalidAddress, TransportProblem) as wrong:
        return page(request, desk, pages, desk.issue(issue_id), to=to, wrong_to=wrong)
    return then(f"/studio/issues/{issue_id}", "test-waits" if tested.waits else "test")


@router.post("/{issue_id}/links")
def check_links(issue_id: RowId, desk: DeskHere) -> Response:
    found = desk.check_links(issue_id)
    return then(f"/studio/issues/{issue_id}", "links" if found else "no-links")


@router.post("/{issue_id}/stop")
def stop(issue_id: RowId, desk: DeskHere) -> Response:
    shown = desk.stop_issue(issue_id)
    return then(f"/studio/issues/{issue_id}", words.stopped(shown.issue))


@router.post("/{issue_id}/unapprove")
def unapprove(issue_id: RowId, desk: DeskHere) -> Response:
    desk.unapprove_issue(issue_id)
    return then(f"/studio/issues/{issue_id}", "unapproved")


@router.post("/{issue_id}/cancel")
def cancel(issue_id: RowId, desk: DeskHere) -> Response:
    was = desk.issue(issue_id).issue.state
    desk.cancel_issue(issue_id)
    started = was in {IssueState.SENDING, IssueState.PAUSED}
    return then(f"/studio/issues/{issue_id}", "cancelled" if started else "cancelled-draft")


def setting(desk: Desk, name: str) -> str:
    """A setting's value as it is shown; a secret's is only whether it is set."""
    return next((shown.value for shown in desk.settings() if shown.name == name), "")


def author_address(desk: Desk) -> str:
    """Where a test goes unless another address is given."""
    given = setting(desk, "AUTHOR_EMAIL") or setting(desk, "FROM")
    return given.rpartition("<")[2].rstrip(">").strip()
