"""axe-core's rules on every page, public and studio, in light and dark: nothing serious."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final

import pytest
from playwright.sync_api import Page, Route

from newsletter.web.public.joining import TRAP
from subscribers.imports import How
from subscribers.requests import Form as Agreement
from subscribers.requests import RequestKind
from subscribers.tokens import Purpose
from tests.browser.conftest import Enter
from tests.web.conftest import Studio

pytestmark = pytest.mark.browser

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
SERIOUS: Final = ("serious", "critical")


@cache
def axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


def findings(page: Page) -> list[str]:
    """What axe-core finds serious or critical on the page. The email in its frame is looked at as an
    email, elsewhere: it runs no script, so axe cannot look into it."""
    page.evaluate(axe())
    found = page.evaluate("axe.run(document, {iframes: false, resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


def public_pages(studio: Studio, address: str) -> Iterator[tuple[str, Callable[[Page], object]]]:
    """Every page that a subscriber may meet, by name, with how to come to it."""
    added = studio.house.desk.add_subscriber(address)
    assert added.subscriber is not None
    id, now = added.subscriber.id, datetime.now(UTC)
    sign = studio.house.tokens.sign
    with studio.house.store.begin() as unit:
        asked = Agreement(source="form: page", wording="I ask for it.")
        moving = unit.subscribers.requests.add(id, RequestKind.ADDRESS, asked, now, address=f"new-{address}")
        joining = unit.subscribers.requests.add(id, RequestKind.SIGN_UP, asked, now)
        gone = unit.subscribers.add(f"gone-{address}", source="test", now=now).subscriber
        assert gone is not None
        unit.subscribers.unsubscribe(gone.id, now)
    personal = f"/m/{sign(Purpose.PERSONAL, id, expires_at=now + timedelta(minutes=30))}"
    leave = f"/u/{sign(Purpose.UNSUBSCRIBE, id, 0)}"

    def at(path: str) -> Callable[[Page], object]:
        return lambda page: page.goto(path)

    def sent(path: str, **fields: str) -> Callable[[Page], object]:
        """The page that answers to a form."""
        inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())

        def send(page: Page) -> None:
            page.route(
                "**/form-of-the-test",
                lambda route: route.fulfill(
                    body=f'<form method="post" action="{path}">{inputs}</form>', content_type="text/html"
                ),
            )
            page.goto("/form-of-the-test")
            with page.expect_navigation():
                page.evaluate("document.forms[0].submit()")

        return send

    yield "subscribe", at("/subscribe")
    yield "subscribe, a wrong address", sent("/subscribe", address="nobody")
    yield "subscribe, a slip", sent("/subscribe", address="ann@gmial.com")
    yield "subscribe, the trap", sent("/subscribe", address="ann@example.org", **{TRAP: "x"})
    yield "privacy", at("/privacy")
    yield "confirm", at(f"/c/{sign(Purpose.CONFIRM, joining)}")
    yield "confirm an address", at(f"/c/{sign(Purpose.CONFIRM, moving)}")
    yield "confirmed", sent(f"/c/{sign(Purpose.CONFIRM, joining)}")
    yield "preferences", at(f"/p/{sign(Purpose.PREFERENCES, id)}")
    yield "preferences, a wrong day", sent(f"/p/{sign(Purpose.PREFERENCES, id)}", pause="2020-01-01")
    yield "a link is on its way", sent(f"/p/{sign(Purpose.PREFERENCES, id)}/link")
    yield "preferences of nobody", at(f"/p/{sign(Purpose.PREFERENCES, gone.id)}")
    yield "personal", at(personal)
    yield "personal, not sure", sent(f"{personal}/erase")
    yield "unsubscribe", at(leave)
    yield "unsubscribed", sent(leave)
    yield "thanks", sent(f"{leave}/why", reason="often")
    yield "a bad link", at("/u/x")
    yield "erased", sent(f"{personal}/erase", sure="yes")
    yield "an ended link", at(personal)


@pytest.mark.parametrize(
    ("scheme", "theme", "language"),
    [
        ("light", "letter", "en"),
        ("dark", "letter", "en"),
        ("dark", "bulletin", "ar"),
        ("light", "studio", "de"),
    ],
)
def test_no_public_page_has_a_serious_finding(
    studio: Studio, enter: Enter, scheme: str, theme: str, language: str
) -> None:
    studio.house.desk.set_setting("THEME", theme)
    studio.house.desk.set_setting("LANGUAGE", language)
    page = enter(studio, color_scheme=scheme, **PHONE)
    found = {}
    for name, come in public_pages(studio, f"{scheme}-{theme}@example.org"):
        come(page)
        assert page.locator("h1").count() == 1, name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        if said := findings(page):
            found[name] = said
    assert found == {}


def without_script(route: Route) -> None:
    """Every page as a browser without script shows it: axe needs script itself, the page must have none."""
    if route.request.resource_type != "document":
        return route.abort() if route.request.resource_type == "script" else route.continue_()
    answer = route.fetch(max_redirects=0)
    body = re.sub(r"(?s)<script\b.*?</script>|</?noscript>", "", answer.text())
    route.fulfill(response=answer, body=body)


def test_no_public_page_has_a_serious_finding_where_script_is_off(studio: Studio, enter: Enter) -> None:
    page = enter(studio, **PHONE)
    page.route(f"{studio.base}/**", without_script)
    found = {}
    for name, come in public_pages(studio, "plain@example.org"):
        come(page)
        assert page.locator("h1").count() == 1 and page.locator("script").count() == 0, name
        if said := findings(page):
            found[name] = said
    assert found == {}


STUDIO: Final = (
    "/studio/",
    "/studio/issues",
    "/studio/issues/1",
    "/studio/subscribers",
    "/studio/subscribers?tags=vip",
    "/studio/subscribers/many",
    "/studio/subscribers/many?what=tag&tag=vip&whom=all",
    "/studio/subscribers/many?what=tag&whom=all",
    "/studio/subscribers/segments?tags=vip",
    "/studio/subscribers/1",
    "/studio/subscribers/1/erase",
    "/studio/subscribers/form",
    "/studio/subscribers/import",
    "/studio/settings",
    "/studio/settings/feeds",
    "/studio/settings/newsletter",
    "/studio/settings/look",
    "/studio/settings/sending",
    "/studio/settings/rhythm",
    "/studio/settings/joining",
    "/studio/settings/people",
    "/studio/setup",
    "/studio/nothing",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_of_the_studio_has_a_serious_finding(shared: Studio, enter: Enter, scheme: str) -> None:
    page = enter(shared, color_scheme=scheme)
    rows = b"email,joined_at\nold@example.org,2024-05-06\nnew@example.org,2026-01-02\n"
    shared.house.desk.import_subscribers(rows, source="l.csv", dry_run=False, how=How(ask_per_day=0))
    found = {}
    for path in STUDIO:
        page.goto(path)
        if said := findings(page):
            found[path] = said
    assert found == {}


def test_a_fault_would_be_found(shared: Studio, enter: Enter) -> None:
    page = enter(shared)
    page.goto("/subscribe")
    page.evaluate("document.querySelector('label.field').remove()")
    page.evaluate("document.querySelector('h1').style.color = '#ddd'")
    assert {said.partition(":")[0] for said in findings(page)} == {"label", "color-contrast"}
