"""One folder per test run, shared by all of its worker processes and removed at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

FOLDER = "NEWSLETTER_TEST_SESSION"
"""The environment variable by which workers find the folder; the controlling process sets it."""

CONTROLLER = "NEWSLETTER_TEST_CONTROLLER"
"""The process id of the controlling process, for helpers that must not outlive it."""


def is_worker(config: pytest.Config) -> bool:
    """Whether this process runs tests for another one (pytest-xdist)."""
    return hasattr(config, "workerinput")


def session_folder() -> Path:
    """The folder that all processes of this test run share."""
    return Path(os.environ[FOLDER])


def controller_pid() -> int:
    """The process whose end is the end of this test run."""
    return int(os.environ[CONTROLLER])


def pytest_configure(config: pytest.Config) -> None:
    if is_worker(config):
        return
    # Short, because a Unix socket's path inside it may have 103 bytes at most on macOS.
    os.environ[FOLDER] = tempfile.mkdtemp(prefix="nl-test-")
    os.environ[CONTROLLER] = str(os.getpid())


# Last, so that servers whose state lies in the folder have been stopped.
@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    if not is_worker(config):
        shutil.rmtree(session_folder(), ignore_errors=True)
