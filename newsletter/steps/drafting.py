"""From ready posts to drafts that are compiled and checked, and from drafts to approval."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from newsletter.approve import approve, check_images, check_links, check_spam, checklist
from newsletter.compose import (
    compose,
    pictures_of,
    plan_drafts,
    preheader_for,
    shows_excerpts,
    subject_for,
    taken_up,
)
from newsletter.config import Settings
from newsletter.errors import (
    ConfigError,
    Conflict,
    ExtraMissing,
    Invalid,
    NewsletterError,
    TemplateProblem,
)
from newsletter.model.artefact import Artefact
from newsletter.model.checklist import CheckLine, Checklist
from newsletter.model.issue import Issue, IssueState
from newsletter.model.notice import NoticeKind
from newsletter.model.picture import Picture, Pictured
from newsletter.model.post import Post
from newsletter.model.publication import Newsletter
from newsletter.model.window import next_in_window
from newsletter.steps.picturing import pictures
from newsletter.steps.rendering import preview
from newsletter.steps.telling import tell_author
from newsletter.steps.tools import Tools
from subscribers.model import Cadence

if TYPE_CHECKING:
    from newsletter.store.unit import Unit

SELF_APPROVAL_AFTER: Final = timedelta(hours=1)
"""The least time an author has to stop a draft that goes by itself."""

JUST_NOW: Final = timedelta(minutes=5)  #: a time that passed while the author pressed the button is now
RHYTHM_NOTED: Final = timedelta(hours=1)  #: how often it is written down that a cadence is still wanted
ATTEMPTS: Final = 3  #: at compiling a draft that somebody edits meanwhile


@dataclass(frozen=True, kw_only=True)
class Drafted:
    created: tuple[int, ...] = ()
    recomposed: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()


def draft(tools: Tools) -> Drafted:
    """Makes the drafts that are due and composes again what has changed. The author is told once of each."""
    created = _create(tools)
    with tools.read() as unit:
        stale = unit.issues.stale_drafts(fingerprint=fingerprint(tools, tools.settings()))
    problems = []
    composed = []
    for issue_id in stale:
        try:
            recompose(tools, issue_id)
            composed.append(issue_id)
        except NewsletterError as error:
            told = f"{_where(error)} {error.hint}".strip()
            problems.append(f"Issue {issue_id}: {told}")
            _tell_problem(tools, issue_id, told)
    return Drafted(
        created=tuple(created),
        recomposed=tuple(issue_id for issue_id in composed if issue_id not in created),
        problems=tuple(problems),
    )


def recompose(tools: Tools, issue_id: int) -> Issue:
    """Compiles and checks a draft anew; an approved one whose posts changed goes back to draft first.

    Compiling happens outside any transaction. What somebody stored meanwhile wins: what was compiled is
    thrown away and compiled anew, and an issue that was approved meanwhile stays as it was approved. Raises
    Conflict for an issue that is being sent or was.
    """
    settings = tools.settings()
    newsletter = tools.newsletter(settings)
    current = fingerprint(tools, settings)
    for _ in range(ATTEMPTS):
        with tools.read() as unit:
            issue = unit.issues.get(issue_id)
            posts = _posts(unit, issue)
        if issue.state not in {IssueState.DRAFT, IssueState.APPROVED}:
            raise Conflict(f"Issue {issue_id} is {issue.state} and is not composed again.")
        if issue.state is IssueState.APPROVED and not _edited(issue, posts):
            return issue
        try:
            artefact, checked = _compiled(tools, settings, newsletter, issue, posts)
        except (TemplateProblem, ConfigError) as error:
            with tools.begin() as unit:
                found = checklist(
                    newsletter,
                    None,
                    problem=_where(error),
                    mend=error.hint,
                    private_links=_private_links(settings),
                )
                unit.issues.save_problem(issue_id, found, tools.clock())
            raise
        with tools.begin() as unit:
            if _store(unit, settings, issue, posts, artefact, checked, current, tools.clock()):
                break
    with tools.read() as unit:
        return unit.issues.get(issue_id)


def _store(
    unit: Unit,
    settings: Settings,
    seen: Issue,
    posts: list[Post],
    artefact: Artefact,
    checked: Checklist,
    current: str,
    now: datetime,
) -> bool:
    """Stores what was compiled of ``seen`` and tells the author; False where the issue is another by now."""
    issue = unit.issues.locked(seen.id)
    if (issue.state, issue.edition, issue.included) != (seen.state, seen.edition, seen.included):
        return False
    was_approved = issue.state is IssueState.APPROVED
    if was_approved:
        unit.issues.back_to_draft(
            issue.id, reason="A post in it was edited on the blog after you approved it.", now=now
        )
    if not unit.issues.save_artefact(
        issue.id,
        artefact,
        checked,
        {post.id: post.revision for post in posts},
        now,
        edition=seen.edition,
        fingerprint=current,
    ):
        return False
    unit.issues.defaults(issue.id, subject=artefact.subject, preheader=artefact.preheader)
    first = not seen.content_hash
    known = first and _needs_no_second(unit, settings, issue)
    if known or (first and settings.approval == "auto"):
        earliest = now if known else now + SELF_APPROVAL_AFTER
        unit.issues.plan(issue.id, next_in_window(earliest, settings.window, ZoneInfo(settings.timezone)))
    if (first and not known) or was_approved:
        tell_author(
            unit,
            settings,
            key=f"draft:{issue.id}:{artefact.content_hash[:16]}" if was_approved else f"draft:{issue.id}",
            kind=NoticeKind.DRAFT_WAITING,
            issue_id=issue.id,
            data={"again": "yes"} if was_approved else {},
            now=now,
        )
    return True


def _needs_no_second(unit: Unit, settings: Settings, issue: Issue) -> bool:
    """Whether it is a digest of posts that the author approved already, just as they are."""
    digest = issue.cadence is not Cadence.EACH
    return digest and settings.digest_approval == "once" and unit.issues.approved_before(issue.id)


def _edited(issue: Issue, posts: list[Post]) -> bool:
    """Whether a post has another text by now than the one that was composed."""
    composed = {place.post_id: place.revision for place in issue.included}
    return any(post.revision > composed[post.id] for post in posts)


def fingerprint(tools: Tools, settings: Settings) -> str:
    """Names what goes into every email beside its posts: a draft composed with another one is out of date."""
    try:
        version = tools.themes.get(settings.theme, settings.theme_folder).version
    except (TemplateProblem, ConfigError) as error:
        version = str(error)  # composing will tell it of each draft
    parts = (
        tools.newsletter(settings),
        version,
        settings.transport,
        settings.allow_private_addresses,
        settings.images,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def ask_links(tools: Tools, issue_id: int) -> tuple[CheckLine, ...]:
    """Asks every link and picture of an issue whether it is there, and SpamAssassin what it thinks, where it
    is reachable; adds what came back to the checklist.

    Raises NotFound where nothing is composed yet. May take a minute; holds no transaction meanwhile.
    """
    with tools.read() as unit:
        artefact = unit.issues.artefact(issue_id)
    settings = tools.settings()
    client = tools.http(settings)
    found = (*check_links(artefact, client), *check_images(artefact, client))
    if settings.newsletter.sender is not None:  # without a From there is no whole message yet
        message = preview(tools, issue_id, format="mime")
        found += check_spam(message.encode(), settings.spamd)
    with tools.begin() as unit:
        renewed = unit.issues.checklist(issue_id).renewed(found)
        unit.issues.save_checklist(issue_id, renewed, content_hash=artefact.content_hash)
    return found


def approve_issue(
    tools: Tools,
    issue_id: int,
    *,
    at: datetime | None,
    who: str,
    seen: str = "",
    planned_by: datetime | None = None,
    only_known: bool = False,
) -> None:
    """Freezes a draft: from now on exactly these bytes are sent.

    ``seen`` is the content hash that the approver looked at; ``planned_by`` approves only a draft that was
    to go by itself by then, ``only_known`` only a digest of posts that were approved before. Raises
    NotReady naming what blocks, Invalid for a time that has passed, Conflict where the draft is no longer
    the one that was seen, or was edited this very moment.
    """
    settings = tools.settings()
    if at is not None and at < tools.clock() - JUST_NOW:
        raise Invalid("That time has passed.", hint="Choose a later one, or approve it to go now.")
    with tools.read() as unit:
        known = unit.issues.get(issue_id)
    if known.state is IssueState.DRAFT:
        recompose(tools, issue_id)
    current = fingerprint(tools, settings)
    with tools.begin() as unit:
        now = tools.clock()
        issue = unit.issues.locked(issue_id)
        if planned_by is not None and not (issue.send_at and issue.send_at <= planned_by):
            raise Conflict(f"Issue {issue_id} does not go by itself any more.")
        if only_known and not _needs_no_second(unit, settings, issue):
            raise Conflict(
                "A post in it has changed since you approved it.", hint="Look at it, then approve it."
            )
        if (seen and issue.content_hash != seen) or issue_id in unit.issues.stale_drafts(fingerprint=current):
            raise Conflict(
                "This draft has changed since you looked at it.", hint="Look at it again, then approve it."
            )
        approve(unit, issue_id, at=at, now=now)
        unit.audit.add(
            who=who, action="approve", subject=f"issue {issue_id}", detail=issue.content_hash, now=now
        )


def approve_by_itself(tools: Tools) -> list[int]:
    """Approves drafts whose planned time has come; where the checklist blocks, the author is told.

    Drafts planned before the author chose to approve by hand wait again, all but digests of posts that
    were approved one by one.
    """
    now = tools.clock()
    with tools.read() as unit:
        due = unit.issues.due_by_itself(now)
    settings = tools.settings()
    approved = []
    for issue in due:
        issue_id, by_hand = issue.id, settings.approval != "auto"
        if by_hand and (issue.cadence is Cadence.EACH or settings.digest_approval != "once"):
            with tools.begin() as unit:
                unit.issues.plan(issue_id, None)
            continue
        try:
            approve_issue(tools, issue_id, at=None, who="pipeline", planned_by=now, only_known=by_hand)
            approved.append(issue_id)
        except NewsletterError as error:
            with tools.begin() as unit:
                waits = unit.issues.locked(issue_id).state is IssueState.DRAFT
                unit.issues.plan(issue_id, None)
            if waits:
                _tell_problem(tools, issue_id, str(error))
    return approved


def _create(tools: Tools) -> list[int]:
    settings = tools.settings()
    newsletter = tools.newsletter(settings)
    created = []
    zone = ZoneInfo(newsletter.timezone)
    with tools.read() as unit:
        now = tools.clock()
        cadences = sorted(unit.subscribers.cadences_in_use(newsletter.cadence) | {newsletter.cadence})
        waiting = [unit.posts.ready_unplaced(cadence) for cadence in cadences]
        noted = [_noted(unit, cadence, now) for cadence in cadences]
    if not any(waiting) and all(noted):
        return []
    with tools.begin() as unit:
        now = tools.clock()
        first = not unit.issues.list(limit=1)
        for cadence in cadences:
            known = unit.issues.rhythm(cadence)
            at = settings.digest_time
            since = taken_up(cadence, known, first=first, now=now, timezone=zone, at=at)
            if not _noted(unit, cadence, now) or known is None or known[0] != since:
                unit.issues.set_rhythm(cadence, since=since, used_at=now)
            ready = unit.posts.ready_unplaced(cadence, since)
            last = unit.issues.last_of(cadence)
            for plan in plan_drafts(
                ready=ready,
                cadence=cadence,
                now=now,
                timezone=zone,
                at=at,
                last_period=last.period if last else "",
            ):
                posts = plan.posts
                issue = unit.issues.create(
                    cadence=cadence,
                    period=plan.period,
                    subject=subject_for(cadence, posts, newsletter, now),
                    preheader=preheader_for(posts, newsletter, now),
                    posts=[(post.id, 0) for post in posts],  # revision 0: nothing is composed yet
                    now=now,
                )
                created.append(issue.id)
    return created


def _noted(unit: Unit, cadence: Cadence, now: datetime) -> bool:
    known = unit.issues.rhythm(cadence)
    return known is not None and now - known[1] < RHYTHM_NOTED


def _where(error: NewsletterError) -> str:
    """A problem with the file and line that it names."""
    if not isinstance(error, TemplateProblem) or not error.file:
        return error.message
    line = f", line {error.line}" if error.line else ""
    return f"{Path(error.file).name}{line}: {error.message}"


def _compiled(
    tools: Tools, settings: Settings, newsletter: Newsletter, issue: Issue, posts: list[Post]
) -> tuple[Artefact, Checklist]:
    """The artefact and its checklist. Raises TemplateProblem or ConfigError for a wrong theme."""
    theme = tools.themes.get(settings.theme, settings.theme_folder)
    excerpts = shows_excerpts(issue, theme)
    shown = pictures_of(newsletter, issue, posts, excerpts=excerpts)
    known, missing = _pictures(tools, settings, shown)
    artefact = compose(newsletter, issue, posts, compiler=tools.compiler, themes=tools.themes, pictures=known)
    return artefact, checklist(
        newsletter,
        artefact,
        posts,
        private_links=_private_links(settings),
        palettes={"light": theme.light, "dark": theme.dark},
        ascii_sender=settings.transport == "sendgrid",
        excerpts=excerpts,
        pictured=shown,
        pictures=known,
        missing=missing,
    )


def _private_links(settings: Settings) -> bool:
    """Whether links may lead to private hosts: tests, intranets, and mail that only lands in a folder."""
    return settings.allow_private_addresses or settings.transport == "outbox"


def _pictures(
    tools: Tools, settings: Settings, shown: Sequence[Pictured]
) -> tuple[Mapping[str, Picture], str]:
    """What is known of an issue's pictures, and why no copy can be kept, where that is so."""
    try:
        return pictures(tools, settings, [one.source for one in shown]), ""
    except ExtraMissing as error:
        return {}, str(error)


def _posts(unit: Unit, issue: Issue) -> list[Post]:
    return [unit.posts.get(place.post_id) for place in issue.included]


def _tell_problem(tools: Tools, issue_id: int, problem: str) -> None:
    settings = tools.settings()
    with tools.begin() as unit:
        issue = unit.issues.get(issue_id)
        tell_author(
            unit,
            settings,
            key=f"problem:issue:{issue_id}:{hashlib.sha256(problem.encode()).hexdigest()[:16]}",
            kind=NoticeKind.PROBLEM,
            issue_id=issue_id,
            data={"text": f"{issue.subject}: {problem}", "hint": ""},
            now=tools.clock(),
        )
