"""Lists at the end which tests could not run here and why; with ``CI=true`` any of them fails the run, but
for comparisons with programs of others that the product neither carries nor needs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator

import pytest

from tests.support.session import is_worker

COMPARISON = "for comparison only: "
"""Begins the reason of a test that compares with somebody else's program. Such a test is listed as not run
like any other and never counts as passed; yet no machine is called broken for lacking that program."""


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a report says skipped, without the file and line that pytest puts before it."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)


class NotRun:
    """Counts skipped tests by reason on the controlling process."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()

    @property
    def _needed(self) -> bool:
        return any(not reason.startswith(COMPARISON) for reason in self.reasons)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # An expected failure is reported as skipped too, but it did run.
        if report.skipped and not hasattr(report, "wasxfail"):
            self.reasons[reason_of(report)] += 1

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.reasons[reason_of(report)] += 1

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        yield
        if self._needed and _skips_fail() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.reasons:
            return
        terminalreporter.section("not run on this machine", sep="=")
        for reason, count in sorted(self.reasons.items()):
            terminalreporter.line(f"{count} test{'s' if count > 1 else ''}: {reason}")
        if self._needed and _skips_fail():
            terminalreporter.line("CI=true: everything must run, so this run fails.", red=True)


def _skips_fail() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


def pytest_configure(config: pytest.Config) -> None:
    if not is_worker(config):
        config.pluginmanager.register(NotRun(), "not-run")
