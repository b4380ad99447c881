"""A real Chromium, looking at a real studio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.web.conftest import AUTHOR, Studio, opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio for tests that only look."""
    with opened(tmp_path_factory.mktemp("shared")) as studio:
        prepare(studio)
        yield studio


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """A studio of this test's own, with one draft waiting."""
    with opened(tmp_path) as studio:
        prepare(studio)
        yield studio


def prepare(studio: Studio) -> None:
    desk = studio.house.desk
    desk.set_setting("FROM", AUTHOR)
    desk.set_setting("POSTAL_ADDRESS", "PO Box 7, Leith")
    desk.add_subscriber("ann@example.org")
    studio.draft()


Enter = Callable[..., Page]


@pytest.fixture
def enter(browser: Browser) -> Iterator[Enter]:
    """``enter(studio)``: a page of a signed-in author; ``said`` collects what it complains about."""
    contexts: list[BrowserContext] = []

    def enter(studio: Studio, **how: object) -> Page:
        context = browser.new_context(base_url=studio.base, **how)  # type: ignore[arg-type]
        contexts.append(context)
        doors = studio.house.desk.doors
        cookie = doors.open_session(doors.new_login())
        context.add_cookies([{"name": "session", "value": cookie, "url": studio.base}])
        return context.new_page()

    yield enter
    for context in contexts:
        context.close()


def complaints(page: Page) -> list[str]:
    """What the page's console says from now on: a refused style, a script error, a file not found."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said
