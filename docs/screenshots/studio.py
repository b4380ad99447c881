"""Takes the pictures of the studio: ``python docs/screenshots/studio.py`` (or ``make screenshots``).

Opens a studio over the sample blog in a throw-away folder, walks to the draft page and photographs it in a
real Chromium (``CHROMIUM`` names one, else PATH is searched).
"""

from __future__ import annotations

import io
import random
import re
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from playwright.sync_api import BrowserContext, Page, ViewportSize, sync_playwright  # noqa: E402  (after the path to the checkout is known)

from newsletter.model.event import Event, EventKind  # noqa: E402
from newsletter.pipeline import Step as Step_  # noqa: E402
from subscribers.imports import How  # noqa: E402
from subscribers.model import Cadence  # noqa: E402
from tests.crash.sink import DROP_STORED, FaultySink, Step  # noqa: E402
from tests.support.chromium import FLAGS, find_chromium  # noqa: E402
from tests.web.conftest import AUTHOR, Studio, opened  # noqa: E402

READERS = "ann bert carla dmitri elena fatima george hana ivo kofi lena mei".split()
DESKTOP = ViewportSize(width=1440, height=900)
MANY = 420
PHONE = ViewportSize(width=390, height=844)
LOOKS: Final[tuple[tuple[str, ViewportSize, Literal["light", "dark"]], ...]] = (
    ("", DESKTOP, "light"),
    ("-dark", DESKTOP, "dark"),
    ("-phone", PHONE, "light"),
)


def furnish(studio: Studio) -> tuple[int, int]:
    """A studio as it looks after a few weeks; the ids of the waiting draft and of a sent issue."""
    desk = studio.house.desk
    for name, value in (
        ("TITLE", "The Patient Notebook"),
        ("FROM", AUTHOR),
        ("POSTAL_ADDRESS", "PO Box 7, Leith, Scotland"),
        ("DISCLAIMER", "I am not a doctor. Nothing here is medical advice."),
    ):
        desk.set_setting(name, value)
    for reader in READERS:
        desk.add_subscriber(f"{reader}@example.org", name=reader.capitalize())
    feed = desk.add_feed(studio.blog.feed_url)
    desk.poll(feed.id)
    newest, _, oldest = desk.posts()
    desk.release_post(oldest.id)
    studio.house.turn([Step_.COMPOSE])
    sent = desk.today().drafts[0].issue.id
    desk.approve_issue(sent)
    desk.send_issue(sent)
    desk.release_post(newest.id)
    studio.house.turn([Step_.COMPOSE])
    return desk.today().drafts[0].issue.id, sent


def send_many(studio: Studio) -> int:
    """An issue on its way to some hundred readers, through a mail server that refuses and breaks at times."""
    desk = studio.house.desk
    domains = ("gmail.com", "gmail.com", "outlook.com", "gmail.com", "icloud.com", "posteo.de", "uni.example")
    for number in range(MANY):
        desk.add_subscriber(f"reader{number}@{domains[number % len(domains)]}")
    chance = random.Random(5)

    def answer(step: Step) -> str | None:
        if step.verb == "DOT":
            time.sleep(0.02 + 0.06 * chance.random())
        if step.verb == "RCPT" and (number := int(re.sub(r"\D", "", step.recipient) or 1)) % 23 == 7:
            full = "552 5.2.2 Mailbox full"
            return "550 5.1.1 User unknown" if number % 2 else full
        if step.verb == "RCPT" and step.recipient.endswith("uni.example") and step.message % 9 == 0:
            return "451 4.7.1 Greylisted, try again later"
        return DROP_STORED if step.verb == "DOT" and step.message in (60, 131) else None

    with FaultySink(fault=answer, keep=False) as sink:
        desk.set_setting("TRANSPORT", "smtp")
        desk.set_setting("SMTP_URL", sink.url)
        desk.set_setting("RATE", "unlimited")
        oldest = desk.posts()[-2]
        desk.release_post(oldest.id)
        studio.house.turn([Step_.COMPOSE])
        issue = next(one.issue.id for one in desk.today().drafts if oldest.id in {p.id for p in one.posts})
        desk.approve_issue(issue)
        stop = threading.Event()
        sender = threading.Thread(target=lambda: desk.send_issue(issue, stop=stop))
        sender.start()
        while desk.receipt(issue).receipt.accepted < MANY * 0.7:
            time.sleep(0.2)
        stop.set()
        sender.join()
    return issue


def take(page: Page, path: str, name: str, *, whole: bool = False) -> None:
    page.goto(path)
    page.wait_for_load_state("load" if whole else "networkidle")  # a page that is told news is never idle
    page.screenshot(path=HERE / f"{name}.png", full_page=whole)
    print(f"docs/screenshots/{name}.png")


def grow(studio: Studio) -> None:
    """A list of two years: who joined when, and some who left."""
    desk, now, dice = studio.house.desk, studio.house.tools.clock(), random.Random(7)
    names = [f"{name}.{n}" for n in range(45) for name in READERS]
    days = [now - timedelta(days=int(690 * dice.random() ** 1.7)) for _ in names]
    lines = [f"{name}@example.org,{day:%Y-%m-%d}" for name, day in zip(names, days, strict=True)]
    desk.import_subscribers(
        "\n".join(["email,joined_at", *lines]).encode(), source="l.csv", dry_run=False, how=How(ask_per_day=0)
    )
    with studio.house.store.begin() as unit:
        for who in range(1, len(names), 7):
            joined = unit.subscribers.get(who).joined_at
            unit.subscribers.unsubscribe(who, joined + (now - joined) * dice.random())


def accompany(studio: Studio) -> int:
    """Somebody who joined, read an issue, chose, and whose mailbox was full once; their id."""
    desk = studio.house.desk
    for name, value in (("TITLE", "The Patient Notebook"), ("FROM", AUTHOR), ("POSTAL_ADDRESS", "PO Box 7")):
        desk.set_setting(name, value)
    added = desk.add_subscriber("elena.ferri@example.org", name="Elena Ferri").subscriber
    assert added is not None
    issue = studio.draft()
    desk.approve_issue(issue)
    desk.send_issue(issue)
    now = studio.house.tools.clock()
    with studio.house.store.begin() as unit:
        people = unit.subscribers
        people.choose(added.id, now, cadence=Cadence.WEEKLY, topics_off=["Diet"], paused_until=None)
        told = Event(
            provider="sendgrid",
            key="1",
            kind=EventKind.SOFT_BOUNCED,
            at=now,
            issue_id=issue,
            subscriber_id=added.id,
            code="4.2.2",
            reason="452 4.2.2 The mailbox is over its quota",
        )
        unit.events.add([(told, "{}")], now)
    return added.id


def look_at(studio: Studio) -> int:
    """A file from elsewhere, looked at; the id of its import."""
    rows = [f"reader{n}@example.net,Reader {n},subscribed" for n in range(240)]
    rows += ["ann.0@example.org,Ann,subscribed", "mei.1@example.org,Mei,unsubscribed"]
    rows += ["carla@gmial.com,Carla,subscribed", "info@example.net,,subscribed", "nobody at all,,subscribed"]
    rows += ["reader7@example.net,Reader 7,subscribed", "gone@example.net,Georg,cleaned"]
    content = "\n".join(["Email Address,First Name,Status", *rows]).encode()
    return studio.house.desk.look_at_import(io.BytesIO(content), "audience_export.csv", 60).id


def main() -> None:
    chromium = find_chromium()
    if chromium is None:
        sys.exit("No Chromium was found. Set CHROMIUM to its path.")
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder), first_poll="baseline") as studio:
        draft, sent = furnish(studio)
        sending = send_many(studio)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS[1:]))
            photograph(
                browser.new_context(base_url=studio.base, viewport=DESKTOP), studio, draft, sent, sending, ""
            )
            dark = browser.new_context(base_url=studio.base, viewport=DESKTOP, color_scheme="dark")
            photograph(dark, studio, draft, sent, sending, "-dark")
            phone = browser.new_context(base_url=studio.base, viewport=PHONE, device_scale_factor=2)
            photograph(phone, studio, draft, sent, sending, "-phone")
            with tempfile.TemporaryDirectory() as another, opened(Path(another)) as grown:
                grow(grown)
                person, file = accompany(grown), look_at(grown)
                for suffix, viewport, scheme in LOOKS:
                    context = browser.new_context(
                        base_url=grown.base, viewport=viewport, color_scheme=scheme, device_scale_factor=1
                    )
                    page = sign_in(context, grown)
                    take(page, "/studio/subscribers", f"studio-subscribers{suffix}")
                    take(page, f"/studio/subscribers/{person}", f"studio-person{suffix}", whole=True)
                    take(page, f"/studio/subscribers/import/{file}", f"studio-import{suffix}", whole=True)
            browser.close()


def sign_in(context: BrowserContext, studio: Studio) -> Page:
    doors = studio.house.desk.doors
    cookie = doors.open_session(doors.new_login())
    context.add_cookies([{"name": "session", "value": cookie, "url": studio.base}])
    return context.new_page()


def photograph(
    context: BrowserContext, studio: Studio, draft: int, sent: int, sending: int, suffix: str
) -> None:
    page = sign_in(context, studio)
    take(page, f"/studio/issues/{draft}{'?dark=1' if suffix == '-dark' else ''}", f"studio-draft{suffix}")
    take(page, "/studio/", f"studio-today{suffix}")
    take(page, f"/studio/issues/{sent}", f"studio-receipt{suffix}")
    take(page, f"/studio/issues/{sending}", f"studio-sending{suffix}", whole=True)
    context.close()


if __name__ == "__main__":
    main()
