"""Imports that were begun in the studio: looked at and written in the background, a thousand rows at a time.

How far one is commits together with the rows, so that whatever stops the process, the next one goes on with
the row after the last that counted. A look that was interrupted begins anew. Only a process that has the file
can go on with it: another machine leaves it.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from threading import Event
from traceback import format_tb
from typing import TYPE_CHECKING, Final

import structlog

from newsletter.errors import Conflict, NewsletterError
from newsletter.model.importing import OPEN, Import, ImportState
from newsletter.model.times import to_ms
from newsletter.steps.tools import Tools
from subscribers.errors import SubscribersError
from subscribers.imports import Begun, How, Report, run_in_steps
from subscribers.model import SuppressionCause
from subscribers.store import Subscribers

if TYPE_CHECKING:
    from newsletter.store.unit import Unit

LEASE: Final = timedelta(seconds=20)
PREPARING: Final = timedelta(minutes=1)  #: for its rows to be counted and those done to be passed over
SAVE_EVERY_S: Final = 0.5  #: how far a look is; a running one says so with every thousand rows
KEPT: Final = timedelta(days=1)  #: a file that nobody decided on

log = structlog.get_logger(__name__)


class _NotOurs(Exception):
    """Somebody cancelled it, or another process took it over: what was not committed is dropped."""


def folder(tools: Tools) -> Path:
    return tools.settings().data_dir / "imports"


def go_on(tools: Tools, seconds: float, stop: Event) -> int:
    """Works on what is open for about so long, on a look until its end; returns how many thousands of rows
    were looked at or written."""
    until, steps = time.monotonic() + seconds, 0
    with tools.read() as unit:
        waiting = unit.imports.open()
    for one in waiting:
        if stop.is_set() or time.monotonic() >= until:
            break
        looking = one.state is ImportState.LOOKING
        try:
            steps += work_on(tools, one.id, math.inf if looking else until - time.monotonic(), stop)
        except NewsletterError as problem:  # the next turn tries again
            log.warning("import interrupted", id=one.id, code=problem.code)
    return steps


def work_on(tools: Tools, id: int, seconds: float, stop: Event | None = None) -> int:
    """The same for one of them; 0 where another process has it or its file is elsewhere."""
    name, token = _lease(id), secrets.token_hex(8)
    with tools.begin() as unit:
        if not unit.leases.take(name, token, now=tools.clock(), length=PREPARING):
            return 0
        one = unit.imports.get(id)
        path = folder(tools) / one.file
        if one.state not in OPEN or not path.is_file():
            unit.leases.drop(name, token)
            return 0
    try:
        return _Work(tools, one, path, name, token).do(time.monotonic() + seconds, stop or Event())
    except _NotOurs:
        return 0
    finally:
        with tools.begin() as unit:
            unit.leases.drop(name, token)


def _lease(id: int) -> str:
    return f"import {id}"


class _Work:
    def __init__(self, tools: Tools, one: Import, path: Path, name: str, token: str) -> None:
        self._tools = tools
        self._one = one
        self._path = path
        self._lease = (name, token)
        self._looking = one.state is ImportState.LOOKING
        self._unit: Unit | None = None
        self._steps = 0

    def do(self, until: float, stop: Event) -> int:
        one, tools = self._one, self._tools
        began = one.began_at if not self._looking and one.began_at else tools.clock()
        saved = time.monotonic()

        def after(people: Subscribers, report: Report, done: int, total: int) -> bool:
            nonlocal saved
            self._steps += 1
            if self._unit is not None:
                self._save(self._unit, report, done, total)
            elif time.monotonic() - saved > SAVE_EVERY_S:
                with tools.begin() as unit:
                    self._save(unit, report, done, total)
                saved = time.monotonic()
            return time.monotonic() < until and not stop.is_set()

        try:
            report = run_in_steps(
                self._work,
                self._path,
                source=one.source,
                now=began,
                dry_run=self._looking,
                how=How(ask_per_day=one.ask_per_day),
                begun=None if self._looking or not one.batch_id else Begun(Report.read(one.report), one.done),
                after=after,
            )
        except SubscribersError as error:
            self._fail(f"{error.message} {error.hint}".strip())
            return self._steps
        except OSError as error:
            self._fail(f"The file cannot be read any more: {error.strerror or error}.")
            return self._steps
        except (_NotOurs, NewsletterError):
            raise
        except Exception as error:
            # One file must not keep the others waiting for ever. Its message may quote a row.
            where = "".join(format_tb(error.__traceback__))
            log.error("import failed", id=one.id, problem=type(error).__name__, where=where)
            self._fail("Something in this file stopped the import; the log has the details.")
            return self._steps
        if report.finished:
            self._finish(report)
        return self._steps

    @contextmanager
    def _work(self) -> Iterator[Subscribers]:
        if self._looking:
            with self._tools.read() as unit:
                yield unit.subscribers
            return
        with self._tools.begin() as unit:
            self._unit = unit
            yield unit.subscribers
            self._unit = None

    def _save(self, unit: Unit, report: Report, done: int, total: int) -> None:
        name, token = self._lease
        mine = unit.leases.take(name, token, now=self._tools.clock(), length=LEASE)
        text = self._kept(unit, report)
        if not mine or not unit.imports.save(
            self._one.id, done=done, total=total, report=text, batch_id=report.batch_id
        ):
            raise _NotOurs

    def _kept(self, unit: Unit, report: Report) -> str:
        """The report as it is kept: without those who were erased while it came to be."""
        unit.imports.hold(self._one.id)
        causes = unit.subscribers.suppressions.causes_of(report.keys())
        erased = {key for key, why in causes.items() if SuppressionCause.ERASED in why}
        return (report.without(erased.__contains__) if erased else report).json()

    def _finish(self, report: Report) -> None:
        state = ImportState.LOOKED if self._looking else ImportState.DONE
        with self._ending() as unit:
            text = self._kept(unit, report)
            unit.imports.move(self._one.id, state, report=text, done=report.rows, total=report.rows,
                              batch_id=report.batch_id)  # fmt: skip
            if state is ImportState.DONE:
                unit.audit.add(who="author", action="import", subject=f"batch {report.batch_id}",
                               detail=f"{report.rows} rows", now=self._tools.clock())  # fmt: skip
        if state is ImportState.DONE:
            self._path.unlink(missing_ok=True)

    def _fail(self, problem: str) -> None:
        with self._ending() as unit:
            unit.imports.move(self._one.id, ImportState.FAILED, problem=problem)
        self._path.unlink(missing_ok=True)

    @contextmanager
    def _ending(self) -> Iterator[Unit]:
        try:
            with self._tools.begin() as unit:
                yield unit
        except Conflict as error:  # cancelled in this moment
            raise _NotOurs from error


def begin(tools: Tools, id: int, ask_per_day: int | None) -> None:
    """The author wants it. Raises Conflict where it is not waiting for that."""
    now = tools.clock()
    with tools.begin() as unit:
        unit.imports.move(
            id, ImportState.RUNNING, ask_per_day=ask_per_day, began_at=to_ms(now), done=0, report="{}"
        )


def clean(tools: Tools) -> None:
    """Forgets files that nobody decided on, gives up imports whose file is gone, and forgets what has been
    over for a month."""
    now = tools.clock()
    with tools.read() as unit:
        undecided = [one for one in unit.imports.over(now - KEPT) if one.state is ImportState.LOOKED]
        lost = [
            one
            for one in unit.imports.open()
            if (one.began_at or one.at) < now - KEPT
            and not (folder(tools) / one.file).is_file()
            and not unit.leases.held(_lease(one.id), now)
        ]
    for one in undecided:
        if _moved(tools, one.id, ImportState.CANCELLED):
            (folder(tools) / one.file).unlink(missing_ok=True)
    for one in lost:
        _moved(tools, one.id, ImportState.FAILED, problem="Its file is gone from the data folder.")
    with tools.begin() as unit:
        for one in unit.imports.over(now - 30 * KEPT):
            unit.imports.forget(one.id)
        needed = {one.file for one in unit.imports.waiting()}
    old = (now - KEPT).timestamp()
    for path in folder(tools).glob("*.upload"):  # of a process that was killed between two lines
        with suppress(FileNotFoundError):  # somebody else cleans, too
            if path.name not in needed and path.stat().st_mtime < old:
                path.unlink()


def _moved(tools: Tools, id: int, to: ImportState, **values: object) -> bool:
    """False where somebody was faster."""
    try:
        with tools.begin() as unit:
            unit.imports.move(id, to, **values)
    except Conflict:
        return False
    return True
