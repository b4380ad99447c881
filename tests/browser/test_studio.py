"""The studio in a real browser: with and without JavaScript, on a phone, by keyboard, with hostile mail."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from newsletter.model.issue import IssueState
from newsletter.pipeline import Step
from tests.browser.conftest import Enter, complaints, prepare
from tests.web.conftest import Studio, opened

pytestmark = pytest.mark.browser

PAGES = (
    "/studio/",
    "/studio/issues",
    "/studio/issues/1",
    "/studio/issues/1?view=text",
    "/studio/subscribers",
    "/studio/subscribers/1",
    "/studio/subscribers/import",
    "/studio/subscribers/many",
    "/studio/subscribers/many?what=unsubscribe&whom=all",
    "/studio/subscribers/form",
    "/studio/settings",
    "/studio/settings/newsletter",
    "/studio/settings/feeds",
    "/studio/settings/feeds/1",
    "/studio/settings/sending?preset=gmail",
    "/studio/settings/rhythm",
    "/studio/settings/look",
    "/studio/settings/people",
    "/studio/setup",
    "/studio/setup/newsletter",
    "/studio/setup/sending",
    "/studio/setup/rhythm",
    "/studio/welcome",
)


NAMELESS = """() =>
  [...document.querySelectorAll("input:not([type=hidden], [hidden]), textarea, iframe, button, a")]
  .filter((one) => !(one.labels?.length || one.title || one.ariaLabel || one.textContent.trim()))
  .map((one) => one.outerHTML)"""


def test_every_page_fits_a_phone_and_breaks_none_of_its_own_rules(shared: Studio, enter: Enter) -> None:
    page = enter(shared, viewport={"width": 375, "height": 720})
    said = complaints(page)
    for path in PAGES:
        page.goto(path)
        page.wait_for_load_state("load")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert said == [], path


def test_every_field_and_frame_has_a_name_and_every_page_one_heading(shared: Studio, enter: Enter) -> None:
    page = enter(shared)
    for path in PAGES:
        page.goto(path)
        assert page.evaluate(NAMELESS) == [], path
        assert page.locator("h1").count() == 1, path


def test_the_first_visit_by_the_one_time_link(studio: Studio, browser: Browser) -> None:
    link = studio.house.desk.doors.new_login()
    page = browser.new_page(base_url=studio.base)
    page.goto(f"/studio/login/{link}")
    expect(page.get_by_role("heading", name="You are in")).to_be_visible()
    page.get_by_role("link", name="Later").click()
    expect(page.get_by_role("heading", name="Today")).to_be_visible()
    page.context.close()


def test_without_javascript_an_author_comes_in_edits_and_approves(studio: Studio, browser: Browser) -> None:
    link = studio.house.desk.doors.new_login()
    context = browser.new_context(base_url=studio.base, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/studio/login/{link}")
    page.get_by_role("button", name="Open the studio").click()
    page.get_by_label("Password").fill("a quiet garden at noon")
    page.get_by_role("button", name="Set it").click()
    page.get_by_role("link", name="Look at it").click()
    page.get_by_label("A note on top").fill("Hello from a plain browser.")
    page.get_by_role("button", name="Save and look").click()
    expect(page.get_by_role("status").first).to_contain_text("Your changes are saved")
    expect(page.frame_locator("#preview").locator("body")).to_contain_text("Hello from a plain browser.")
    page.get_by_role("link", name="Plain text").click()
    expect(page.frame_locator("#preview").locator("pre")).to_contain_text("Hello from a plain browser.")
    page.get_by_role("button", name="Approve and send").click()
    expect(page.get_by_role("button", name="Back to draft")).to_be_visible()
    assert studio.house.desk.issue(1).issue.state is IssueState.APPROVED
    context.close()


def test_a_draft_saves_itself_and_the_preview_follows(studio: Studio, enter: Enter) -> None:
    page = enter(studio)
    page.goto("/studio/issues/1")
    page.get_by_label("A note on top").press_sequentially("Good morning.")
    expect(page.locator("#saving")).to_contain_text("Saved.")
    expect(page.frame_locator("#preview").locator("body")).to_contain_text("Good morning.")
    page.get_by_role("button", name="Approve and send").click()
    expect(page.get_by_role("button", name="Back to draft")).to_be_visible()


def test_the_email_is_looked_at_wide_narrow_dark_and_as_text_without_leaving_the_page(
    studio: Studio, enter: Enter
) -> None:
    page = enter(studio, viewport={"width": 1440, "height": 900})
    page.goto("/studio/issues/1")
    frame = page.locator("#preview")
    wide = frame.bounding_box()
    assert wide is not None and wide["width"] >= 620
    page.get_by_role("link", name="Phone").click()
    expect(page.locator(".sheet")).to_have_class("sheet sheet-phone")
    expect(frame).to_have_js_property("clientWidth", 375)
    page.get_by_role("link", name="Dark").click()
    expect(frame).to_have_attribute("src", "/studio/issues/1/preview?view=phone&dark=1")
    page.get_by_role("link", name="Plain text").click()
    expect(page.frame_locator("#preview").locator("pre")).to_contain_text("naltrexone")
    page.reload()
    expect(page.frame_locator("#preview").locator("pre")).to_contain_text("naltrexone")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_email_is_light_or_dark_as_chosen_whatever_the_authors_system_prefers(
    shared: Studio, enter: Enter, scheme: Literal["light", "dark"]
) -> None:
    page = enter(shared, color_scheme=scheme)
    for view, dark in (("?view=desktop", False), ("?view=desktop&dark=1", True)):
        page.goto(f"/studio/issues/1{view}")
        ink = page.frame_locator("#preview").locator("h1").evaluate("one => getComputedStyle(one).color")
        red = int(ink.removeprefix("rgb(").split(",")[0])
        assert (red > 128) is dark, (view, ink)


def test_a_receipt_follows_the_sending_without_a_press(studio: Studio, enter: Enter) -> None:
    studio.house.desk.approve_issue(1)
    studio.house.turn([Step.START])
    page = enter(studio)
    page.goto("/studio/issues/1")
    expect(page.locator(".state")).to_have_text("Being sent")
    studio.house.turn([Step.SEND])
    expect(page.locator(".state")).to_have_text("Sent")
    expect(page.locator("tfoot td")).to_have_text("1")


def test_whatever_an_email_contains_runs_nothing(
    studio: Studio, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = (
        "<script>fetch('/ran'); alert(1)</script><img src=x onerror=\"fetch('/ran')\">"
        "<form action='/ran' id=f><input name=q></form><script>f.submit()</script>"
        "<meta http-equiv=refresh content='0;url=http://evil.example/ran'>"
        "<iframe srcdoc='<script>alert(2)</script>'></iframe>"
        "<a href='javascript:alert(3)' id=link>press</a><svg onload=\"fetch('/ran')\"></svg>"
        "<link rel=stylesheet href=/ran><base target=_top>"
    )
    monkeypatch.setattr(studio.house.desk, "preview", lambda *args, **more: hostile)
    page = enter(studio)
    answered: list[str] = []
    dialogs: list[str] = []
    page.on("response", lambda response: answered.append(response.url))

    def refuse(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    page.goto("/studio/issues/1")
    page.frame_locator("#preview").locator("#link").click()
    page.wait_for_timeout(500)
    assert [url for url in answered if url.endswith("/ran")] == []
    assert dialogs == []
    assert page.url.endswith("/studio/issues/1")


def test_a_form_on_another_site_changes_nothing_even_in_the_authors_browser(
    studio: Studio, enter: Enter
) -> None:
    page = enter(studio)

    def evil(route: Route) -> None:
        form = f'<form method=post action="{studio.base}/studio/issues/1/cancel"><button>Win</button></form>'
        route.fulfill(body=form, content_type="text/html")

    page.route("http://evil.example/", evil)
    page.goto("http://evil.example/")
    page.get_by_role("button").click()
    expect(page.get_by_role("heading", name="This came from another site")).to_be_visible()
    assert studio.house.desk.issue(1).issue.state is IssueState.DRAFT


def test_the_studio_cannot_be_framed_by_another_site(studio: Studio, enter: Enter) -> None:
    page = enter(studio)
    frame = f'<iframe src="{studio.base}/studio/"></iframe>'
    page.route("http://evil.example/", lambda route: route.fulfill(body=frame, content_type="text/html"))
    page.goto("http://evil.example/")
    page.wait_for_load_state("load")
    assert "Today" not in page.frames[1].content()


def test_forms_work_on_plain_http_under_a_name_of_the_house(tmp_path: Path, browser: Browser) -> None:
    """There the browser tells no Sec-Fetch-Site, only the Origin."""
    with opened(tmp_path, base_url="http://home.example") as studio:
        prepare(studio)
        page = browser.new_page(base_url=studio.base.replace("localhost", "home.example"))
        page.goto(f"/studio/login/{studio.house.desk.doors.new_login()}")
        page.get_by_role("link", name="Later").click()
        page.goto("/studio/settings/newsletter")
        page.get_by_label("The newsletter's name").fill("At home")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".brand")).to_have_text("At home")
        page.context.close()


def test_the_four_places_are_reached_by_keyboard_and_focus_is_seen(shared: Studio, enter: Enter) -> None:
    page = enter(shared)
    page.goto("/studio/")
    names = []
    for _ in range(6):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent.trim()"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert names[0] == "Skip to the page"
    assert names[2:] == ["Today", "Issues", "Subscribers", "Settings"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground_in_light_and_dark(shared: Studio, enter: Enter, scheme: str) -> None:
    page = enter(shared, color_scheme=scheme)
    page.goto("/studio/issues/1")
    assert contrast(page, "--ink", "--paper") >= 7
    for ink, ground in (("--muted", "--paper"), ("--muted", "--card"), ("--accent", "--paper")):
        assert contrast(page, ink, ground) >= 4.5, (ink, ground)
    for ink, ground in (
        ("--accent", "--accent-soft"),
        ("--on-accent", "--accent"),
        ("--bad", "--bad-soft"),
        ("--warn", "--warn-soft"),
        ("--bad", "--paper"),
    ):
        assert contrast(page, ink, ground) >= 4.5, (ink, ground)
    assert contrast(page, "--line-strong", "--paper") >= 3


def contrast(page: Page, ink: str, ground: str) -> float:
    """The contrast of two of the style sheet's colours (WCAG 2.2, "contrast ratio")."""

    def luminance(name: str) -> float:
        value = page.evaluate(
            "name => getComputedStyle(document.documentElement).getPropertyValue(name)", name
        )
        parts = [int(value.strip()[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(ink), luminance(ground)), reverse=True)
    return (high + 0.05) / (low + 0.05)
