"""One draft, compiled and checked: its pictures looked at, its artefact and checklist stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from newsletter.approve import checklist
from newsletter.compose import compose, pictures_of, shows_excerpts
from newsletter.config import Settings
from newsletter.errors import ConfigError, Conflict, ExtraMissing, NewsletterError, TemplateProblem
from newsletter.model.artefact import Artefact
from newsletter.model.checklist import Checklist
from newsletter.model.issue import Issue, IssueState
from newsletter.model.notice import NoticeKind
from newsletter.model.picture import Picture, Pictured
from newsletter.model.post import Post
from newsletter.model.publication import Newsletter
from newsletter.model.window import next_in_window
from newsletter.steps.picturing import pictures
from newsletter.steps.telling import tell_author
from newsletter.steps.tools import Tools
from subscribers.model import Cadence

if TYPE_CHECKING:
    from newsletter.store.unit import Unit

SELF_APPROVAL_AFTER: Final = timedelta(hours=1)
"""The least time an author has to stop a draft that goes by itself."""

TRACKABLE: Final = "Set BASE_URL to where readers reach this installation, or TRACKING to off."

ATTEMPTS: Final = 3  #: at compiling a draft that somebody edits meanwhile


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
                    problem=where(error),
                    mend=error.hint,
                    private_links=private_links(settings),
                )
                unit.artefacts.save_problem(issue_id, found, tools.clock())
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
    if not unit.artefacts.save(
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
    known = first and needs_no_second(unit, settings, issue)
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


def needs_no_second(unit: Unit, settings: Settings, issue: Issue) -> bool:
    """Whether it is a digest of posts that the author approved already, just as they are."""
    digest = issue.cadence is not Cadence.EACH
    return digest and settings.digest_approval == "once" and unit.issue_posts.approved_before(issue.id)


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
        settings.untrackable,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def where(error: NewsletterError) -> str:
    """A problem with the file and line that it names."""
    if not isinstance(error, TemplateProblem) or not error.file:
        return error.message
    line = f", line {error.line}" if error.line else ""
    return f"{Path(error.file).name}{line}: {error.message}"


def _compiled(
    tools: Tools, settings: Settings, newsletter: Newsletter, issue: Issue, posts: list[Post]
) -> tuple[Artefact, Checklist]:
    """The artefact and its checklist. Raises TemplateProblem or ConfigError for a wrong theme, ConfigError
    where opens and clicks are to be counted and cannot be."""
    if settings.untrackable:
        raise ConfigError(settings.untrackable, hint=TRACKABLE)
    theme = tools.themes.get(settings.theme, settings.theme_folder)
    excerpts = shows_excerpts(issue, theme)
    shown = pictures_of(newsletter, issue, posts, excerpts=excerpts)
    known, missing = _pictures(tools, settings, shown)
    artefact = compose(
        newsletter,
        issue,
        posts,
        compiler=tools.compiler,
        themes=tools.themes,
        pictures=known,
        link_key=tools.link_key,
    )
    return artefact, checklist(
        newsletter,
        artefact,
        posts,
        private_links=private_links(settings),
        palettes={"light": theme.light, "dark": theme.dark},
        ascii_sender=settings.transport == "sendgrid",
        excerpts=excerpts,
        pictured=shown,
        pictures=known,
        missing=missing,
    )


def private_links(settings: Settings) -> bool:
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
