"""START HERE: what happens by itself, in order, and nothing else.

    learn     what providers told us since: bounces, complaints, settled unknowns
    poll      look politely at the feeds that are due; remember new and edited posts
    detect    posts that waited long enough for their author's corrections are ready
    compose   ready posts become draft issues, compiled and checked; the author is told
    start     approved issues whose time has come draw their audience
    import    what the author imports in the studio, however large the file
    send      notices first, then the issues that are being sent
    clean     forget what has served its time

Every step asks the tables what is due, claims it by lease, does it and returns: it can be killed at any
moment and called again by any number of processes. Nothing lives only in memory. What people do by hand
stands in :mod:`newsletter.desk`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import structlog

from newsletter.errors import NewsletterError
from newsletter.steps import cleaning, dispatch, drafting, importing, intake, learning
from newsletter.steps.tools import Tools

log = structlog.get_logger(__name__)


class Step(StrEnum):
    LEARN = "learn"
    POLL = "poll"
    DETECT = "detect"
    COMPOSE = "compose"
    START = "start"
    IMPORT = "import"
    SEND = "send"
    CLEAN = "clean"


ALL: Final = tuple(Step)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long one step may take, in seconds, and how it is asked to stop sooner."""

    seconds: float = 50.0
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, kw_only=True)
class Done:
    """What one step did, in one clause; empty where nothing was due. ``failed``: as a whole, so that what
    was due still is; a problem of a single feed, post or issue is not that."""

    name: Step
    summary: str = ""
    problems: tuple[str, ...] = ()
    failed: bool = False
    elapsed_ms: int = 0


@dataclass(frozen=True, kw_only=True)
class Turned:
    steps: tuple[Done, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(problem for step in self.steps for problem in step.problems)


def turn(tools: Tools, steps: Collection[Step] = ALL, budget: Budget | None = None) -> Turned:
    """Does what is due in these steps, in the pipeline's order.

    A step that fails is told and never keeps the later ones from running (invariant 12).
    """
    budget = budget or Budget()
    return Turned(steps=tuple(_run(tools, step, budget) for step in ALL if step in steps))


def _learn(tools: Tools, budget: Budget) -> Done:
    return _done(Step.LEARN, **learning.apply_events(tools), visits=learning.hear_of_readers(tools))


def _poll(tools: Tools, budget: Budget) -> Done:
    polled = intake.poll_due(tools, budget.seconds)
    new = sum(len(one.new) for one in polled)
    held = sum(len(one.held) for one in polled)
    return Done(
        name=Step.POLL,
        summary=_clause(looked_at=len(polled), new=new, held=held) if polled else "",
        problems=tuple(one.problem for one in polled if one.problem),
    )


def _detect(tools: Tools, budget: Budget) -> Done:
    return _done(Step.DETECT, ready=intake.settle_due(tools))


def _compose(tools: Tools, budget: Budget) -> Done:
    drafted = drafting.draft(tools)
    return Done(
        name=Step.COMPOSE,
        summary=_clause(new_drafts=len(drafted.created), composed_again=len(drafted.recomposed)),
        problems=drafted.problems,
    )


def _start(tools: Tools, budget: Budget) -> Done:
    approved = drafting.approve_by_itself(tools)
    started = dispatch.start_due(tools)
    return _done(Step.START, approved_by_themselves=len(approved), started=len(started))


def _import(tools: Tools, budget: Budget) -> Done:
    return _done(Step.IMPORT, thousands_of_rows=importing.go_on(tools, budget.seconds, budget.stop))


def _send(tools: Tools, budget: Budget) -> Done:
    sent = dispatch.send(tools, budget.seconds, budget.stop)
    return Done(
        name=Step.SEND,
        summary=_clause(
            notices=sent.notices, accepted=sent.accepted, failed=sent.failed, unknown=sent.unknown
        ),
        problems=sent.problems,
    )


def _clean(tools: Tools, budget: Budget) -> Done:
    cleaning.clean(tools)
    importing.clean(tools)
    return Done(name=Step.CLEAN)


STEPS: Final[Mapping[Step, Callable[[Tools, Budget], Done]]] = {
    Step.LEARN: _learn,
    Step.POLL: _poll,
    Step.DETECT: _detect,
    Step.COMPOSE: _compose,
    Step.START: _start,
    Step.IMPORT: _import,
    Step.SEND: _send,
    Step.CLEAN: _clean,
}


def _run(tools: Tools, step: Step, budget: Budget) -> Done:
    started = time.monotonic()
    try:
        done = STEPS[step](tools, budget)
    except NewsletterError as error:
        done = Done(name=step, problems=(str(error),), failed=True)
    except Exception:  # one broken step must not stop the house; the trace is for us
        log.exception("a step failed", step=step.value)
        done = Done(name=step, problems=(f"The step {step} failed; the log says why.",), failed=True)
    elapsed_ms = round((time.monotonic() - started) * 1000)
    if done.summary or done.problems:
        log.info("turned", step=step.value, done=done.summary, problems=len(done.problems), ms=elapsed_ms)
    return replace(done, elapsed_ms=elapsed_ms)


def _done(step: Step, **counts: int) -> Done:
    return Done(name=step, summary=_clause(**counts))


_ONE: Final = {
    "new_drafts": "new draft",
    "notices": "notice",
    "visits": "visit",
    "approved_by_themselves": "approved by itself",
}


def _clause(**counts: int) -> str:
    said = ((count, _ONE.get(name, name) if count == 1 else name) for name, count in counts.items() if count)
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for count, name in said)
