"""Sending, put together: what is due, with the transport, the letters and the links it needs."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Final

import structlog

from newsletter.compose import letter_of
from newsletter.config import Settings
from newsletter.errors import (
    ConfigError,
    Conflict,
    NewsletterError,
    NotFound,
    StoreProblem,
    TransportBusy,
    TransportProblem,
)
from newsletter.guard.http import is_private_host
from newsletter.model.artefact import Artefact
from newsletter.model.delivery import Letter
from newsletter.model.issue import IssueState
from newsletter.model.notice import NewNotice, NoticeKind, NoticeState
from newsletter.model.rate import Rate, warming
from newsletter.model.receipt import Receipt
from newsletter.send import (
    Delivered,
    cancel_issue,
    deliver_issue,
    expand_audience,
    pause_issue,
    recover,
    resume_issue,
    send_notices,
    start_issue,
)
from newsletter.send import retry_failed as retry_failed_deliveries
from newsletter.send import settle_unknown as settle_unknown_deliveries
from newsletter.send import start_due as start_due_issues
from newsletter.send.ports import KnowsSuppressions
from newsletter.send.rate import parse, parse_at_once, parse_domains, parse_plan
from newsletter.send.suppressions import take_suppressions
from newsletter.steps import rendering
from newsletter.steps.composing import private_links
from newsletter.steps.telling import tell_author, tell_if_paused
from newsletter.steps.tools import Tools

log = structlog.get_logger(__name__)

LONGEST_WAIT_S: Final = 5.0  #: a foreground send looks again at least this often
_BUSY: Final = "provider is busy"
TURN_S: Final = 5.0  #: how long one issue is sent before notices and other issues have their turn


@dataclass(frozen=True, kw_only=True)
class Sent:
    notices: int = 0
    accepted: int = 0
    failed: int = 0
    unknown: int = 0
    problems: tuple[str, ...] = ()


def start_due(tools: Tools) -> list[int]:
    """Approved issues whose time has come begin to be sent; the author is told of one that is too late."""
    with tools.read() as unit:
        due = [issue.id for issue in unit.issues.due(tools.clock())]
    if not due:
        return []
    settings = tools.settings()
    with tools.begin() as unit:
        started = start_due_issues(unit, tools.clock())
        for issue_id in due:
            issue = unit.issues.get(issue_id)
            if issue.state is IssueState.DRAFT:
                tell_author(
                    unit,
                    settings,
                    key=f"late:{issue_id}:{issue.changed_at.timestamp():.0f}",
                    kind=NoticeKind.PROBLEM,
                    issue_id=issue_id,
                    data={"text": f"{issue.subject}: {issue.problem}", "hint": ""},
                    now=tools.clock(),
                )
    return started


def send(tools: Tools, budget_s: float, stop: threading.Event) -> Sent:
    """Notices first, then every issue that is being sent in turns of a few seconds, so that neither a
    notice nor a second issue waits for a long one. Returns when nothing is left to do just now, or after
    about ``budget_s`` seconds."""
    deadline = time.monotonic() + budget_s
    recover(tools.begin, tools.clock)
    notices = 0
    problems: dict[str, None] = {}
    done: list[Delivered] = []
    more = not _resting(tools)
    while more and not stop.is_set() and time.monotonic() < deadline:
        try:
            notices += _send_notices(tools, stop)
        except TransportBusy as error:
            problems[str(error)] = None
            _rest(tools, error.wait_s)
        except NewsletterError as error:
            problems[str(error)] = None
        except Exception:  # whatever is wrong with notices, issues go on (invariant 12); the trace is for us
            log.exception("sending notices failed")
            problems["Notices could not be sent; the log says why."] = None
        with tools.read() as unit:
            issue_ids = [issue.id for issue in unit.issues.sending()]
        turns = [
            _send_issue(tools, issue_id, min(TURN_S, deadline - time.monotonic()), stop)
            for issue_id in issue_ids
            if not stop.is_set()
        ]
        problems |= {one.problem: None for one in turns if one.problem}
        if busy := [one.wait_s for one in turns if one.problem and one.wait_s]:  # no issue's own fault
            _rest(tools, max(busy))
        more = any(one.wait_s == 0 for one in turns) and not _resting(tools)
        done += turns
    return Sent(
        notices=notices,
        accepted=sum(one.accepted for one in done),
        failed=sum(one.failed for one in done),
        unknown=sum(one.unknown for one in done),
        problems=tuple(problems),
    )


def _resting(tools: Tools) -> bool:
    """Whether the provider asked us not long ago to come back later; every process then leaves it alone."""
    with tools.read() as unit:
        return unit.leases.held(_BUSY, tools.clock())


def _rest(tools: Tools, seconds: float) -> None:
    """A provider that is busy is left alone for so long."""
    length = timedelta(seconds=seconds)
    with tools.begin() as unit:
        unit.leases.take(_BUSY, secrets.token_hex(8), now=tools.clock(), length=length)


def send_now(
    tools: Tools, issue_id: int, stop: threading.Event, told: Callable[[str], None] = lambda why: None
) -> Receipt:
    """Sends one issue in the foreground until nothing remains, it pauses, or ``stop`` is set.

    ``told`` is called with why it waits, where that is not its rate. Raises Conflict for an issue that is
    neither approved nor being sent.
    """
    with tools.begin() as unit:
        issue = unit.issues.get(issue_id)
        if issue.state is IssueState.APPROVED:
            start_issue(unit, issue_id, tools.clock())
        elif issue.state is IssueState.PAUSED:
            resume_issue(unit, issue_id, tools.clock())
        elif issue.state is not IssueState.SENDING:
            raise Conflict(
                f"Issue {issue_id} is {issue.state} and cannot be sent.",
                hint=f"Approve it first: newsletter issues approve {issue_id}"
                if issue.state is IssueState.DRAFT
                else "",
            )
    while not stop.is_set():
        recover(tools.begin, tools.clock)
        if _resting(tools):
            told("The mail provider asked us to come back later.")
            stop.wait(LONGEST_WAIT_S)
            continue
        done = _send_issue(tools, issue_id, LONGEST_WAIT_S, stop)
        if done.problem and done.wait_s:
            told(done.problem)
            _rest(tools, done.wait_s)
        if done.finished or done.wait_s is None:
            break
        stop.wait(min(done.wait_s, LONGEST_WAIT_S))
    return _receipt(tools, issue_id)


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What became of a test, in one sentence. ``waits``: it goes out by itself. ``failed``: it was not sent,
    or nobody knows."""

    sentence: str
    waits: bool = False
    failed: bool = False


def send_test(tools: Tools, issue_id: int, to: str) -> Tested:
    """Sends the issue to one address as a notice; it cannot reach anybody else."""
    now = tools.clock()
    key = f"test:{issue_id}:{secrets.token_hex(8)}"
    if tools.settings().newsletter.sender is None:
        raise ConfigError("From is not set.", hint="newsletter settings set FROM 'Name <you@example.org>'")
    with tools.begin() as unit:
        unit.artefacts.get(issue_id)  # NotFound where nothing is composed yet
        unit.notices.queue(NewNotice(key=key, kind=NoticeKind.TEST, to=to, issue_id=issue_id), now)
    _send_notices(tools, threading.Event())
    with tools.read() as unit:
        notice = unit.notices.by_key(key)
    match notice.state:
        case NoticeState.ACCEPTED:
            return Tested(sentence=f"The test was handed over to {_way(tools)}.")
        case NoticeState.PENDING | NoticeState.SUBMITTING:
            why = _told(notice.reason) or "the sending rate is used up for now."
            return Tested(sentence=f"The test waits: {why}", waits=True)
        case NoticeState.UNKNOWN:
            why = _told(notice.reason) or "the connection broke before the answer."
            return Tested(sentence=f"The test may or may not have arrived: {why}", failed=True)
        case NoticeState.FAILED:
            why = _told(notice.reason) or "it was refused without a reason."
            return Tested(sentence=f"The test was not sent: {why}", failed=True)


def _told(reason: str) -> str:
    """A provider's reason as the end of a sentence."""
    return reason if not reason or reason.endswith((".", "!", "?")) else f"{reason}."


def pause(tools: Tools, issue_id: int) -> None:
    with tools.begin() as unit:
        pause_issue(unit, issue_id, tools.clock())


def resume(tools: Tools, issue_id: int) -> None:
    with tools.begin() as unit:
        resume_issue(unit, issue_id, tools.clock())


def cancel(tools: Tools, issue_id: int) -> None:
    with tools.begin() as unit:
        cancel_issue(unit, issue_id, tools.clock())


def retry_failed(tools: Tools, issue_id: int) -> int:
    with tools.begin() as unit:
        return retry_failed_deliveries(unit, issue_id, tools.clock())


def settle_unknown(tools: Tools, issue_id: int, *, resend: bool) -> int:
    """How many were resent, or how many stay unknown."""
    with tools.begin() as unit:
        resent = settle_unknown_deliveries(unit, issue_id, tools.clock(), resend=resend)
        return resent if resend else unit.deliveries.receipt(issue_id).unknown


def _send_notices(tools: Tools, stop: threading.Event) -> int:
    settings = tools.settings()
    with tools.read() as unit:
        if not unit.notices.waiting(tools.clock()):
            return 0
        tools.high_water.check(unit.deliveries.newest_attempt())  # a restored copy knows of notices long sent
    return send_notices(
        work=tools.begin,
        transport=tools.transport(settings),
        render=lambda notice: rendering.render_notice(tools, settings, notice),
        rate=sending_rate(settings),
        clock=tools.clock,
        stop=stop,
    )


def sending_rate(settings: Settings) -> Rate:
    """How fast mail may leave: what is set, and while From's domain is new, no more than its plan."""
    rate = parse(settings.sending_rate)
    plan, sender = parse_plan(settings.warm_up), settings.newsletter.sender
    if not plan or sender is None:
        return rate
    return replace(rate, also=(*rate.also, warming(plan, sender.address.rpartition("@")[2].lower())))


def _send_issue(tools: Tools, issue_id: int, budget_s: float, stop: threading.Event) -> Delivered:
    settings = tools.settings()
    newsletter = tools.newsletter(settings)
    links = tools.links(settings)
    try:
        if is_private_host(newsletter.base_url) and not private_links(settings):
            raise ConfigError(
                f"Its links would lead to {newsletter.base_url}, which subscribers cannot reach.",
                hint="Set BASE_URL to the address that they reach, then go on sending.",
            )
        expand_audience(
            issue_id, work=tools.begin, default_cadence=newsletter.cadence, clock=tools.clock, stop=stop
        )
        transport = tools.transport(settings)
        if settings.sendgrid_suppressions == "import" and isinstance(transport, KnowsSuppressions):
            take_suppressions(transport, transport.name, work=tools.begin, clock=tools.clock)
        done = deliver_issue(
            issue_id,
            work=tools.begin,
            transport=transport,
            letters=_letters(
                _approved(tools, issue_id),
                rendering.common_headers(newsletter, issue_id),
                links.common(issue_id),
            ),
            links=links,
            rate=sending_rate(settings),
            clock=tools.clock,
            stop=stop,
            budget_s=budget_s,
            mark=tools.high_water,
            canary=settings.canary_share,
            domain_rates=parse_domains(settings.domain_rates),
            domains_at_once=parse_at_once(settings.domains_at_once),
        )
    except TransportBusy as error:
        done = Delivered(issue_id=issue_id, problem=str(error), wait_s=error.wait_s)
    except (ConfigError, Conflict, NotFound, TransportProblem) as error:
        # Nothing can be sent until the author has looked.
        done = _paused(tools, issue_id, str(error))
    except StoreProblem:
        raise  # the house's trouble, not this issue's
    except Exception:  # one broken issue never stops the others (invariant 12); the trace is for us
        log.exception("sending an issue failed", issue=issue_id)
        done = _paused(tools, issue_id, "Sending it failed; the log says why.")
    if done.problem:
        tell_if_paused(tools, issue_id, done.problem)
    return done


def _approved(tools: Tools, issue_id: int) -> Artefact:
    """The bytes that the author approved. Raises Conflict where what is stored is something else
    (invariant 5), NotFound where nothing is."""
    with tools.read() as unit:
        artefact = unit.artefacts.get(issue_id)
        approved = unit.issues.get(issue_id).approved_hash
    if artefact.content_hash != approved:
        raise Conflict(
            "What is stored of it is not what was approved.", hint="Cancel it and release its posts."
        )
    return artefact


def _paused(tools: Tools, issue_id: int, problem: str) -> Delivered:
    with tools.begin() as unit:
        if unit.issues.get(issue_id).state is IssueState.SENDING:
            pause_issue(unit, issue_id, tools.clock(), problem=problem)
    return Delivered(issue_id=issue_id, problem=problem)


def _letters(
    artefact: Artefact, headers: tuple[tuple[str, str], ...], common: Mapping[str, str]
) -> Callable[[int], Letter]:
    @lru_cache(maxsize=64)
    def letter(mask: int) -> Letter:
        return letter_of(artefact, mask, headers, common)

    return letter


def _receipt(tools: Tools, issue_id: int) -> Receipt:
    with tools.read() as unit:
        return unit.deliveries.receipt(issue_id)


def _way(tools: Tools) -> str:
    return {"outbox": "the outbox folder", "smtp": "the mail server", "sendgrid": "SendGrid"}[
        tools.settings().transport
    ]
