"""Logs go where stderr is now, not where it was when logging began."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import pytest
import structlog

from newsletter.logs import start_logging


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_a_line_goes_to_the_stderr_of_its_moment() -> None:
    first, second = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(first):
        start_logging("info")
    first.close()
    with contextlib.redirect_stderr(second):
        structlog.get_logger("tests").warning("a feed could not be handled", feed=1)
    assert 'event="a feed could not be handled" feed=1' in second.getvalue()
