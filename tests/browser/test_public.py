"""Every public page in a real Chromium: on a phone, without script, by keyboard, in the dark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import Connection, select

from newsletter.model.notice import NoticeKind
from newsletter.store.tables import leases
from newsletter.web.public.challenge import Challenges
from newsletter.web.public.joining import TRAP
from subscribers.model import SubscriberState
from subscribers.requests import Form as Agreement
from subscribers.requests import RequestKind
from subscribers.tokens import Purpose
from tests.browser.conftest import complaints
from tests.web.conftest import Studio

pytestmark = pytest.mark.browser

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 720}, "is_mobile": True, "has_touch": True}
Open = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """``visit(studio, path, **how)``: somebody without a cookie looks at a page."""
    contexts: list[BrowserContext] = []

    def visit(studio: Studio, path: str, **how: Any) -> Page:
        context = browser.new_context(base_url=studio.base, **how)
        contexts.append(context)
        page = context.new_page()
        said = complaints(page)
        page.goto(path)
        assert said == []
        return page

    yield visit
    for context in contexts:
        context.close()


def _subscriber(studio: Studio, address: str) -> int:
    added = studio.house.desk.add_subscriber(address)
    assert added.subscriber is not None
    return added.subscriber.id


def _paths(studio: Studio, address: str) -> dict[str, str]:
    """Every page that a subscriber may meet."""
    id = _subscriber(studio, address)
    sign = studio.house.tokens.sign
    now = datetime.now(UTC)
    with studio.house.store.begin() as unit:
        asked = Agreement(source="form: page", wording="I ask for it.")
        request = unit.subscribers.requests.add(
            id, RequestKind.ADDRESS, asked, now, address="new@example.org"
        )
    return {
        "subscribe": "/subscribe",
        "privacy": "/privacy",
        "unsubscribe": f"/u/{sign(Purpose.UNSUBSCRIBE, id, 0)}",
        "preferences": f"/p/{sign(Purpose.PREFERENCES, id)}",
        "confirm": f"/c/{sign(Purpose.CONFIRM, request)}",
        "personal": f"/m/{sign(Purpose.PERSONAL, id, expires_at=now + timedelta(minutes=30))}",
    }


FAULTS = """() => {
  const faults = [], name = e => e.tagName + '.' + e.name;
  if (!document.documentElement.lang) faults.push('no language');
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  if (!document.querySelector('main')) faults.push('no main');
  if (document.documentElement.scrollWidth > innerWidth) faults.push('wider than the screen');
  for (const e of document.querySelectorAll('input:not([type=hidden])'))
    if (!e.labels.length && !e.getAttribute('aria-label')) faults.push('no label: ' + name(e));
  for (const e of document.querySelectorAll('button, .button, label.choice')) {
    const box = e.getBoundingClientRect();
    if (box.height < 40 || box.width < 40) faults.push('too small to touch: ' + e.textContent.trim());
  }
  const parse = c => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * x + .7152 * y + .0722 * z;
  };
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || e.closest('[aria-hidden]')) continue;
    const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) faults.push('contrast ' + ratio.toFixed(2) + ': ' + e.textContent.trim().slice(0, 40));
  }
  return faults;
}"""


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without script"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_on_a_phone(shared: Studio, visit: Open, scheme: str, script: bool) -> None:
    for name, path in _paths(shared, f"{scheme}{script}@example.org").items():
        page = visit(shared, path, color_scheme=scheme, java_script_enabled=script, **PHONE)
        assert page.evaluate(FAULTS) == [], name


def test_a_link_that_is_not_valid_is_told_calmly(shared: Studio, visit: Open) -> None:
    page = visit(shared, "/subscribe", **PHONE)
    page.goto("/u/x")

    expect(page.get_by_role("heading")).to_have_text("This link is not valid")
    assert page.evaluate(FAULTS) == []


def test_somebody_leaves_and_takes_it_back_without_script(shared: Studio, visit: Open) -> None:
    paths = _paths(shared, "leaver@example.org")
    page = visit(shared, paths["unsubscribe"], java_script_enabled=False, **PHONE)

    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("heading")).to_have_text("You are unsubscribed")
    assert shared.house.desk.subscriber("leaver@example.org").subscriber.state is SubscriberState.UNSUBSCRIBED

    page.get_by_role("button", name="That was a mistake").click()
    expect(page.get_by_role("heading")).to_have_text("You are still subscribed")
    assert shared.house.desk.subscriber("leaver@example.org").subscriber.state is SubscriberState.ACTIVE


def test_somebody_leaves_by_keyboard_alone(shared: Studio, visit: Open) -> None:
    page = visit(shared, _paths(shared, "keys@example.org")["unsubscribe"])
    page.keyboard.press("Tab")
    if page.evaluate("document.activeElement.tagName") == "A":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading")).to_have_text("You are unsubscribed")


def test_somebody_joins_and_confirms_without_script(shared: Studio, visit: Open) -> None:
    page = visit(shared, "/subscribe", java_script_enabled=False, **PHONE)
    page.get_by_label("Your email address").fill("joiner@example.org")
    page.get_by_role("button", name="Subscribe").click()

    expect(page.get_by_role("heading")).to_have_text("Look into your inbox")
    assert "joiner@" not in page.content()
    with shared.house.store.read() as unit:
        (notice,) = [n for n in unit.notices.list() if n.to == "joiner@example.org"]
    assert notice.kind is NoticeKind.CONFIRM
    page.goto(f"/c/{shared.house.tokens.sign(Purpose.CONFIRM, int(notice.data['request']))}")
    page.get_by_role("button").click()

    expect(page.get_by_role("heading")).to_have_text("You are subscribed")
    assert shared.house.desk.subscriber("joiner@example.org").subscriber.state is SubscriberState.ACTIVE


def test_the_page_solves_its_challenge_while_somebody_types(shared: Studio, visit: Open) -> None:
    page = visit(shared, "/subscribe", **PHONE)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or ""))
    said = complaints(page)
    page.get_by_label("Your email address").fill("solver@example.org")
    page.get_by_role("button", name="Subscribe").click()

    expect(page.get_by_role("heading")).to_have_text("Look into your inbox", timeout=30_000)
    (body,) = [body for body in sent if "solver" in body]
    solution = parse_qs(body)["altcha"][0]
    assert Challenges(shared.house.challenge_keys).solved(solution)
    assert said == []
    with shared.house.store.read() as unit:
        assert "altcha" in {lease.partition(":")[0] for lease in _leases(unit.conn)}


def _leases(conn: Connection) -> list[str]:
    return list(conn.scalars(select(leases.c.name)))


def test_a_challenge_that_cannot_be_had_keeps_nobody_out(shared: Studio, visit: Open) -> None:
    page = visit(shared, "/subscribe")
    page.route("**/challenge.json", lambda route: route.abort())
    page.get_by_label("Your email address").fill("unlucky@example.org")
    page.get_by_role("button", name="Subscribe").click()

    expect(page.get_by_role("heading")).to_have_text("Look into your inbox")


def test_somebody_chooses_how_often(shared: Studio, visit: Open) -> None:
    page = visit(shared, _paths(shared, "chooser@example.org")["preferences"], **PHONE)
    page.get_by_label("Once a week").check()
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("status")).to_contain_text("Saved")
    expect(page.get_by_label("Once a week")).to_be_checked()
    assert shared.house.desk.subscriber("chooser@example.org").subscriber.cadence == "weekly"


def test_the_trap_is_neither_seen_nor_reached(shared: Studio, visit: Open) -> None:
    page = visit(shared, "/subscribe")
    seen = set()
    for _ in range(8):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.name || document.activeElement.tagName"))

    assert "address" in seen and TRAP not in seen
    assert page.evaluate("document.querySelector('.spare').getBoundingClientRect().right") < 0
