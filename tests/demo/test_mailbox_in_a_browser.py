"""The sample mailbox in a real browser: it fits a phone, and a hostile message stays a message."""

from __future__ import annotations

import smtplib
from collections.abc import Generator
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page

from newsletter.demo.mailbox import SampleMailbox

pytestmark = pytest.mark.browser

HOSTILE = """
<html><head><title>x</title></head><body onload="alert('onload')">
<h1>Good morning</h1>
<script>alert('script')</script>
<img src="x" onerror="alert('onerror')">
<svg onload="alert('svg')"></svg>
<iframe srcdoc="<script>parent.alert('frame')</script>"></iframe>
<form action="/" method="post"><button id="send">Send</button></form>
<a id="run" href="javascript:alert('link')">a link</a>
<meta http-equiv="refresh" content="0; url=javascript:alert('refresh')">
</body></html>
"""


@pytest.fixture
def box(tmp_path: Path) -> Generator[SampleMailbox, None, None]:
    with SampleMailbox(tmp_path) as running:
        message = EmailMessage()
        message["From"] = "The Patient Notebook <notes@example.com>"
        message["To"] = "Ada Lovelace <ada@example.org>"
        message["Subject"] = "A subject that goes on for longer than any phone is wide, " * 3
        message.set_content("Good morning")
        message.add_alternative(HOSTILE, subtype="html")
        with smtplib.SMTP("127.0.0.1", int(running.smtp_url.rpartition(":")[2]), timeout=10) as client:
            client.send_message(message)
        yield running


def watched(page: Page) -> list[str]:
    """The dialogs that scripts open on a page from now on."""
    dialogs: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    return dialogs


def test_a_hostile_message_is_shown_and_runs_nothing(browser: Browser, box: SampleMailbox) -> None:
    page = browser.new_page()
    dialogs = watched(page)
    page.goto(box.url)
    page.get_by_text("Ada Lovelace").click()
    message = page.frame_locator("iframe").first
    assert message.get_by_role("heading").text_content() == "Good morning"
    message.locator("#run").click()
    message.locator("#send").click()
    # Without the frame around it, its own policy must hold.
    page.goto(f"{box.url}/message/0001-ada@example.org/html")
    page.locator("#run").click()
    assert page.get_by_role("heading").text_content() == "Good morning"
    assert dialogs == []


@pytest.mark.parametrize("view", ["desktop", "phone", "text", "headers"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_fits_a_phone(browser: Browser, box: SampleMailbox, view: str, scheme: str) -> None:
    page = browser.new_page(
        viewport={"width": 375, "height": 667}, color_scheme="dark" if scheme == "dark" else "light"
    )
    for path in ("/", f"/message/0001-ada@example.org?view={view}"):
        page.goto(box.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") == 375


def test_the_list_shows_new_mail_by_itself(browser: Browser, tmp_path: Path) -> None:
    with SampleMailbox(tmp_path) as box:
        page = browser.new_page()
        page.goto(box.url)
        page.get_by_text("Nothing has arrived yet.").wait_for()
        with smtplib.SMTP("127.0.0.1", int(box.smtp_url.rpartition(":")[2]), timeout=10) as client:
            client.sendmail("notes@example.com", "ada@example.org", "Subject: Here it is\r\n\r\nHello")
        page.get_by_text("Here it is").wait_for()
