"""From ready posts to drafts that are compiled and checked, and from drafts to approval."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import structlog

from newsletter.approve import approve, check_images, check_links, check_spam
from newsletter.compose import (
    plan_drafts,
    preheader_for,
    subject_for,
    taken_up,
)
from newsletter.errors import (
    Conflict,
    Invalid,
    NewsletterError,
    StoreProblem,
)
from newsletter.model.checklist import CheckLine
from newsletter.model.issue import IssueState
from newsletter.model.notice import NoticeKind
from newsletter.steps.composing import fingerprint, needs_no_second, recompose, where
from newsletter.steps.rendering import preview
from newsletter.steps.telling import tell_author
from newsletter.steps.tools import Tools
from subscribers import rhythms
from subscribers.model import Cadence
from subscribers.segments import Segments

if TYPE_CHECKING:
    from newsletter.store.unit import Unit

JUST_NOW: Final = timedelta(minutes=5)  #: a time that passed while the author pressed the button is now
RHYTHM_NOTED: Final = timedelta(hours=1)  #: how often it is written down that a cadence is still wanted

log = structlog.get_logger(__name__)


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
            continue
        except StoreProblem:
            raise  # the house's trouble, not this draft's
        except NewsletterError as error:
            told = f"{where(error)} {error.hint}".strip()
        except Exception:  # one broken draft never stops the others (invariant 12); the trace is for us
            log.exception("composing an issue failed", issue=issue_id)
            told = "Composing it failed; the log says why."
        problems.append(f"Issue {issue_id}: {told}")
        _tell_problem(tools, issue_id, told)
    return Drafted(
        created=tuple(created),
        recomposed=tuple(issue_id for issue_id in composed if issue_id not in created),
        problems=tuple(problems),
    )


def ask_links(tools: Tools, issue_id: int) -> tuple[CheckLine, ...]:
    """Asks every link and picture of an issue whether it is there, and SpamAssassin what it thinks, where it
    is reachable; adds what came back to the checklist.

    Raises NotFound where nothing is composed yet. May take a minute; holds no transaction meanwhile.
    """
    with tools.read() as unit:
        artefact = unit.artefacts.get(issue_id)
    settings = tools.settings()
    client = tools.http(settings)
    found = (*check_links(artefact, client), *check_images(artefact, client))
    if settings.newsletter.sender is not None:  # without a From there is no whole message yet
        message = preview(tools, issue_id, format="mime")
        found += check_spam(message.encode(), settings.spamd)
    with tools.begin() as unit:
        renewed = unit.artefacts.checklist(issue_id).renewed(found)
        unit.artefacts.save_checklist(issue_id, renewed, content_hash=artefact.content_hash)
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
        if only_known and not needs_no_second(unit, settings, issue):
            raise Conflict(
                "A post in it has changed since you approved it.", hint="Look at it, then approve it."
            )
        if (seen and issue.content_hash != seen) or issue_id in unit.issues.stale_drafts(fingerprint=current):
            raise Conflict(
                "This draft has changed since you looked at it.", hint="Look at it again, then approve it."
            )
        segment = Segments(unit.conn).named(issue.segment) if issue.segment else None
        approve(unit, issue_id, at=at, now=now, segment_filter=segment.filter.to_json() if segment else "")
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
            continue
        except StoreProblem:
            raise
        except NewsletterError as error:
            told = str(error)
        except Exception:
            log.exception("approving an issue failed", issue=issue_id)
            told = "It could not be approved by itself; the log says why."
        with tools.begin() as unit:
            waits = unit.issues.locked(issue_id).state is IssueState.DRAFT
            unit.issues.plan(issue_id, None)
        if waits:
            _tell_problem(tools, issue_id, told)
    return approved


def _create(tools: Tools) -> list[int]:
    settings = tools.settings()
    newsletter = tools.newsletter(settings)
    created = []
    zone = ZoneInfo(newsletter.timezone)
    with tools.read() as unit:
        now = tools.clock()
        cadences = _wanted(unit, newsletter.cadence, now)
        waiting = [unit.posts.ready_unplaced(cadence) for cadence in cadences]
        noted = [_noted(unit, cadence, now) for cadence in cadences]
    if not any(waiting) and all(noted):
        return []
    with tools.begin() as unit:
        now = tools.clock()
        first = not unit.issues.list(limit=1)
        running_until = unit.rhythms.noted()
        for cadence in cadences:
            known = unit.rhythms.get(cadence)
            at = settings.digest_time
            since = taken_up(
                cadence,
                known,
                first=first,
                now=now,
                timezone=zone,
                at=at,
                running_until=running_until,
            )
            if not _noted(unit, cadence, now) or known is None or known[0] != since:
                unit.rhythms.set(cadence, since=since, used_at=now)
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


def _wanted(unit: Unit, default: Cadence, now: datetime) -> list[Cadence]:
    """The rhythms that somebody has, and digests that somebody left while posts waited for them: they get
    one more, with what their new rhythm mailed before they came to it."""
    wanted = unit.subscribers.cadences_in_use(default) | {default}
    for cadence in set(Cadence) - wanted - {Cadence.EACH}:
        left_at = rhythms.last_left(unit.conn, cadence, default)
        known = unit.rhythms.get(cadence)
        if left_at is None or known is None or now - left_at > rhythms.KEPT:
            continue
        if any(post.first_seen_at <= left_at for post in unit.posts.ready_unplaced(cadence, known[0])):
            wanted.add(cadence)
    return sorted(wanted)


def _noted(unit: Unit, cadence: Cadence, now: datetime) -> bool:
    known = unit.rhythms.get(cadence)
    return known is not None and now - known[1] < RHYTHM_NOTED


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
