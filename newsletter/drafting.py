"""From ready posts to drafts that are compiled and checked, and from drafts to approval."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from newsletter.approve import approve, check_images, check_links, checklist
from newsletter.compose import compose, plan_drafts, preheader_for, shows_excerpts, subject_for
from newsletter.config import Settings
from newsletter.errors import Conflict, NewsletterError
from newsletter.model.artefact import Artefact
from newsletter.model.checklist import CheckLine, Checklist
from newsletter.model.issue import Issue, IssueState
from newsletter.model.notice import NoticeKind
from newsletter.model.post import Post
from newsletter.model.window import next_in_window
from newsletter.telling import tell_author
from newsletter.tools import Tools

if TYPE_CHECKING:
    from newsletter.store.unit import Unit

SELF_APPROVAL_AFTER: Final = timedelta(hours=1)
"""The least time an author has to stop a draft that goes by itself."""

IN_EVERY_EMAIL: Final = (
    "title", "sender", "reply_to", "postal_address", "disclaimer", "language", "timezone", "theme",
    "theme_folder", "subject", "preheader", "base_url", "transport",
)  # fmt: skip
"""Settings whose change makes a draft another email, or its checklist another list."""


@dataclass(frozen=True, kw_only=True)
class Drafted:
    created: tuple[int, ...] = ()
    recomposed: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()


def draft(tools: Tools) -> Drafted:
    """Makes the drafts that are due and composes again what has changed. The author is told once of each."""
    created = _create(tools)
    with tools.read() as unit:
        stale = unit.issues.stale_drafts(settings=IN_EVERY_EMAIL)
    problems = []
    composed = []
    for issue_id in stale:
        try:
            recompose(tools, issue_id)
            composed.append(issue_id)
        except NewsletterError as error:
            problems.append(f"Issue {issue_id}: {error}")
            _tell_problem(tools, issue_id, str(error))
    return Drafted(
        created=tuple(created),
        recomposed=tuple(issue_id for issue_id in composed if issue_id not in created),
        problems=tuple(problems),
    )


def recompose(tools: Tools, issue_id: int) -> Issue:
    """Compiles and checks a draft anew; an approved one whose posts changed goes back to draft first.

    Compiling happens outside any transaction; what was stored meanwhile wins and is compiled next time.
    """
    settings = tools.settings()
    newsletter = tools.newsletter(settings)
    with tools.read() as unit:
        issue = unit.issues.get(issue_id)
        posts = _posts(unit, issue)
    if issue.state not in {IssueState.DRAFT, IssueState.APPROVED}:
        raise Conflict(f"Issue {issue_id} is {issue.state} and is not composed again.")
    artefact = compose(newsletter, issue, posts, compiler=tools.compiler, themes=tools.themes)
    checked = _check(tools, settings, issue, artefact, posts)
    with tools.begin() as unit:
        now = tools.clock()
        was_approved = unit.issues.get(issue_id).state is IssueState.APPROVED
        if was_approved:
            unit.issues.back_to_draft(
                issue_id, reason="A post in it was edited on the blog after you approved it.", now=now
            )
        unit.issues.save_artefact(
            issue_id, artefact, checked, {post.id: post.revision for post in posts}, now
        )
        unit.issues.defaults(issue_id, subject=artefact.subject, preheader=artefact.preheader)
        first = not issue.content_hash
        if first and settings.approval == "auto":
            unit.issues.plan(
                issue_id,
                next_in_window(now + SELF_APPROVAL_AFTER, settings.window, ZoneInfo(settings.timezone)),
            )
        if first or was_approved:
            tell_author(
                unit,
                settings,
                key=f"draft:{issue_id}:{artefact.content_hash[:16]}" if was_approved else f"draft:{issue_id}",
                kind=NoticeKind.DRAFT_WAITING,
                issue_id=issue_id,
                data={"again": "yes"} if was_approved else {},
                now=now,
            )
        return unit.issues.get(issue_id)


def ask_links(tools: Tools, issue_id: int) -> tuple[CheckLine, ...]:
    """Asks every link and picture of an issue whether it is there, and adds what it found to the checklist.

    Raises NotFound where nothing is composed yet. May take a minute; holds no transaction meanwhile.
    """
    with tools.read() as unit:
        artefact = unit.issues.artefact(issue_id)
    client = tools.http(tools.settings())
    found = (*check_links(artefact, client), *check_images(artefact, client))
    with tools.begin() as unit:
        renewed = unit.issues.checklist(issue_id).renewed(found)
        unit.issues.save_checklist(issue_id, renewed, content_hash=artefact.content_hash)
    return found


def approve_issue(tools: Tools, issue_id: int, *, at: datetime | None, who: str, seen: str = "") -> None:
    """Freezes a draft: from now on exactly these bytes are sent.

    ``seen`` is the content hash that the approver looked at. Raises NotReady naming what blocks, Conflict
    where the draft is no longer the one that was seen.
    """
    with tools.read() as unit:
        known = unit.issues.get(issue_id)
    if known.state is IssueState.DRAFT:
        recompose(tools, issue_id)
    with tools.begin() as unit:
        issue = unit.issues.get(issue_id)
        if seen and issue.content_hash != seen:
            raise Conflict(
                "This draft has changed since you looked at it.", hint="Look at it again, then approve it."
            )
        now = tools.clock()
        approve(unit, issue_id, at=at, now=now)
        unit.audit.add(
            who=who, action="approve", subject=f"issue {issue_id}", detail=issue.content_hash, now=now
        )


def approve_by_itself(tools: Tools) -> list[int]:
    """Approves drafts whose planned time has come; where the checklist blocks, the author is told."""
    with tools.read() as unit:
        due = [issue.id for issue in unit.issues.due_by_itself(tools.clock())]
    approved = []
    for issue_id in due:
        try:
            approve_issue(tools, issue_id, at=None, who="pipeline")
            approved.append(issue_id)
        except NewsletterError as error:
            with tools.begin() as unit:
                unit.issues.plan(issue_id, None)
            _tell_problem(tools, issue_id, str(error))
    return approved


def _create(tools: Tools) -> list[int]:
    settings = tools.settings()
    newsletter = tools.newsletter(settings)
    created = []
    with tools.read() as unit:
        cadences = sorted(unit.subscribers.cadences_in_use(newsletter.cadence) | {newsletter.cadence})
        waiting = {cadence: unit.posts.ready_unplaced(cadence) for cadence in cadences}
    if not any(waiting.values()):
        return []
    with tools.begin() as unit:
        now = tools.clock()
        for cadence in cadences:
            ready = unit.posts.ready_unplaced(cadence)
            last = unit.issues.last_of(cadence)
            for plan in plan_drafts(
                ready=ready,
                cadence=cadence,
                now=now,
                timezone=ZoneInfo(newsletter.timezone),
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


def _check(
    tools: Tools, settings: Settings, issue: Issue, artefact: Artefact, posts: list[Post]
) -> Checklist:
    theme = tools.themes.get(settings.theme, settings.theme_folder)
    return checklist(
        tools.newsletter(settings),
        artefact,
        posts,
        private_links=settings.allow_private_addresses or settings.transport == "outbox",
        palettes={"light": theme.light, "dark": theme.dark},
        excerpts=shows_excerpts(issue, theme),
    )


def _posts(unit: Unit, issue: Issue) -> list[Post]:
    return [unit.posts.get(place.post_id) for place in issue.included]


def _tell_problem(tools: Tools, issue_id: int, problem: str) -> None:
    with tools.begin() as unit:
        issue = unit.issues.get(issue_id)
        tell_author(
            unit,
            tools.settings(),
            key=f"problem:issue:{issue_id}:{hashlib.sha256(problem.encode()).hexdigest()[:16]}",
            kind=NoticeKind.PROBLEM,
            issue_id=issue_id,
            data={"text": f"{issue.subject}: {problem}", "hint": ""},
            now=tools.clock(),
        )
