"""Finds a Chromium that runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
)
"""How tests start it: as root, without a display, without asking anybody for updates."""


def find_chromium() -> str | None:
    """The path of a Chromium that runs: ``CHROMIUM``, then PATH, then where macOS keeps it; else None."""
    for name in (os.environ.get("CHROMIUM", ""), *NAMES):
        path = shutil.which(name) if name else None
        # On some systems the name on PATH is only a note that the browser must be got elsewhere.
        if path and subprocess.run([path, "--version"], capture_output=True, timeout=60).returncode == 0:
            return path
    return None


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a real Chromium."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium was found (set CHROMIUM to its path)")
    return path


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """One running Chromium for the whole test process: Playwright's synchronous half may be started once.

    ``home.example`` leads to this machine; it stands for an author's own server on plain http at home.
    """
    with sync_playwright() as playwright:
        flags = [*FLAGS[1:], "--host-resolver-rules=MAP home.example 127.0.0.1"]
        running = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield running
        running.close()
