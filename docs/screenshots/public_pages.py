"""Takes the pictures of what subscribers see: ``make screenshots``, or this file alone.

Opens a house over the sample blog in a throw-away folder and walks through its public pages in a real
Chromium: on a desk, on a phone, in the dark, and from right to left.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright  # noqa: E402  (after the path to the checkout is known)

from subscribers.requests import Form, RequestKind  # noqa: E402
from subscribers.tokens import Purpose  # noqa: E402
from tests.support.chromium import FLAGS, find_chromium  # noqa: E402
from tests.web.conftest import AUTHOR, Studio, opened  # noqa: E402

DESKTOP = ViewportSize(width=1100, height=760)
PHONE = ViewportSize(width=390, height=844)
SOME = ("subscribe", "preferences")
ALL = ("subscribe", "confirm", "preferences", "personal", "privacy", "unsubscribe", "unsubscribed")
NAMES = {"en": "The Patient Notebook", "ar": "دفتر المريض"}


def paths(studio: Studio, address: str) -> dict[str, str]:
    """The pages, by name, for a subscriber of their own."""
    added = studio.house.desk.add_subscriber(address, name="Ann")
    assert added.subscriber is not None
    id, now = added.subscriber.id, datetime.now(UTC)
    sign = studio.house.tokens.sign
    with studio.house.store.begin() as unit:
        asked = Form(source="form: page", wording="I ask for it.")
        request = unit.subscribers.requests.add(id, RequestKind.SIGN_UP, asked, now)
    return {
        "subscribe": "/subscribe",
        "confirm": f"/c/{sign(Purpose.CONFIRM, request)}",
        "preferences": f"/p/{sign(Purpose.PREFERENCES, id)}",
        "personal": f"/m/{sign(Purpose.PERSONAL, id, expires_at=now + timedelta(minutes=30))}",
        "privacy": "/privacy",
        "unsubscribe": f"/u/{sign(Purpose.UNSUBSCRIBE, id, 0)}",
    }


def photograph(
    browser: Browser, studio: Studio, suffix: str, wanted: Sequence[str], *, phone: bool, dark: bool
) -> None:
    context = browser.new_context(
        base_url=studio.base,
        viewport=PHONE if phone else DESKTOP,
        device_scale_factor=1.5 if phone else 1,
        color_scheme="dark" if dark else "light",
    )
    page = context.new_page()
    for name, path in paths(studio, f"ann{suffix}@example.org").items():
        if name in wanted:
            page.goto(path)
            shoot(page, f"public-{name}{suffix}")
    if "unsubscribed" in wanted:
        page.get_by_role("button").first.click()
        page.wait_for_load_state()
        shoot(page, f"public-unsubscribed{suffix}")
    context.close()


def shoot(page: Page, name: str) -> None:
    page.screenshot(path=HERE / f"{name}.png", full_page=True)
    print(f"docs/screenshots/{name}.png")


def main() -> None:
    chromium = find_chromium()
    if chromium is None:
        sys.exit("No Chromium was found. Set CHROMIUM to its path.")
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder), first_poll="newest") as studio:
        studio.draft()
        for name, value in (
            ("FROM", AUTHOR),
            ("POSTAL_ADDRESS", "PO Box 7, Leith, Scotland"),
            ("TITLE", NAMES["en"]),
        ):
            studio.house.desk.set_setting(name, value)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS[1:]))
            photograph(browser, studio, "", SOME, phone=False, dark=False)
            photograph(browser, studio, "-dark", SOME, phone=False, dark=True)
            photograph(browser, studio, "-phone", ALL, phone=True, dark=False)
            studio.house.desk.set_setting("LANGUAGE", "ar")
            studio.house.desk.set_setting("TITLE", NAMES["ar"])
            photograph(browser, studio, "-rtl", SOME, phone=True, dark=True)
            browser.close()


if __name__ == "__main__":
    main()
