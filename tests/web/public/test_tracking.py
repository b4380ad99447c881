"""Opens and clicks of single people: asked for, kept of those who agreed, and deleted when they say so."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from newsletter.model.links import FOLLOW, LOAD
from newsletter.model.tracking import Reading, Tracking
from newsletter.store.links import IssueLinks
from subscribers import tracking
from subscribers.model import Subscriber
from subscribers.signups import SignUps
from subscribers.tokens import Purpose
from tests.web.public.conftest import House, Web
from tests.web.public.test_following import BROWSER, URLS, counted, sent, token

__all__ = ["sent"]  # a fixture
PREFERENCES = {"often": "", "pause": "", "asked": "yes"}


@pytest.fixture
def known(sent: House) -> House:
    """The issue that was sent an hour ago, where single people may be known."""
    sent.practice = replace(sent.practice, tracking=Tracking.INDIVIDUAL)
    return sent


@pytest.fixture
def ann(known: House) -> Subscriber:
    """She agreed to be known."""
    person = known.join()
    with known.begin() as unit:
        tracking.agree(unit.subscribers.conn, person.id, known.now, source="x", wording="You may.")
    return known.find(person.id)


def mark(house: House, id: int, issue: int = 1) -> str:
    return house.tokens.sign(Purpose.READER, id, issue)


def kept(house: House, id: int) -> list[Reading]:
    with house.database.read() as conn:
        return list(IssueLinks(conn).of_subscriber(id))


def preferences(house: House, id: int) -> str:
    return f"/p/{house.tokens.sign(Purpose.PREFERENCES, id)}"


def test_of_whoever_agreed_it_is_kept_what_they_opened_and_followed(
    known: House, web: Web, ann: Subscriber
) -> None:
    web.get(f"{LOAD}{token('')}/{mark(known, ann.id)}", headers=BROWSER)
    for _ in range(2):
        answer = web.get(f"{FOLLOW}{token()}/{mark(known, ann.id)}", headers=BROWSER)
        assert answer.headers["location"] == URLS[0]
    assert [(one.url, one.times) for one in kept(known, ann.id)] == [("", 1), (URLS[0], 2)]
    assert (counted(known).opens.people, counted(known).clicks.people) == (1, 2), "among the others"


@pytest.mark.parametrize("why", ["never agreed", "another issue", "forged", "cut short", "switched back"])
def test_of_nobody_else_is_anything_kept(known: House, web: Web, ann: Subscriber, why: str) -> None:
    marked = mark(known, ann.id)
    if why == "never agreed":
        marked = mark(known, known.join("bob@example.com").id)
    elif why == "another issue":
        marked = mark(known, ann.id, issue=2)
    elif why == "forged":
        marked = known.tokens.sign(Purpose.UNSUBSCRIBE, ann.id, 1)
    elif why == "cut short":
        marked = marked[:-3]
    else:
        known.practice = replace(known.practice, tracking=Tracking.AGGREGATE)
    answer = web.get(f"{FOLLOW}{token()}/{marked}", headers=BROWSER)
    assert answer.headers["location"] == URLS[0], "the link leads on"
    assert counted(known).clicks.people == 1
    assert kept(known, ann.id) == kept(known, ann.id + 1) == []


def test_a_scanner_that_follows_every_link_of_somebody_leaves_no_trace_of_them(
    known: House, web: Web, ann: Subscriber
) -> None:
    for url in URLS:
        web.get(f"{FOLLOW}{token(url)}/{mark(known, ann.id)}", headers=BROWSER)
    assert kept(known, ann.id) == []
    assert (counted(known).clicks.people, counted(known).clicks.machines) == (0, 4)


def test_the_box_is_never_ticked_beforehand_and_only_there_where_it_does_something(
    known: House, web: Web
) -> None:
    bob = known.join("bob@example.com")
    for path in ("/subscribe", preferences(known, bob.id)):
        page = web.get(path).text
        [box] = re.findall(r'<input type="checkbox" name="track"[^>]*>', page)
        assert "checked" not in box
    known.double = False
    assert 'name="track"' not in web.get("/subscribe").text
    for mode in (Tracking.OFF, Tracking.AGGREGATE):
        known.practice = replace(known.practice, tracking=mode)
        assert 'name="track"' not in web.get("/subscribe").text + web.get(preferences(known, bob.id)).text


def test_a_tick_on_the_preferences_page_is_a_consent_with_its_words_and_taking_it_away_deletes(
    known: House, web: Web
) -> None:
    bob = known.join("bob@example.com")
    path = preferences(known, bob.id)
    web.post(path, data={**PREFERENCES, "track": "yes"})
    with known.read() as unit:
        [proof] = tracking.of(unit.subscribers.conn, bob.id)
    assert proof.source == "form: preferences" and proof.origin == "203.0.113.0/24"
    assert "Low Notes & Co" in proof.wording and "delete" in proof.wording
    assert "checked" in re.findall(r'name="track"[^>]*>', web.get(path).text)[0]
    web.get(f"{FOLLOW}{token()}/{mark(known, bob.id)}", headers=BROWSER)
    assert len(kept(known, bob.id)) == 1

    web.post(path, data={"often": "", "pause": ""})
    assert known.find(bob.id).tracked_at is not None, "a page without the box takes nothing back"
    known.practice = replace(known.practice, tracking=Tracking.OFF)
    assert 'name="track"' in web.get(path).text, "what was agreed can always be taken back"
    web.post(path, data=PREFERENCES)
    assert known.find(bob.id).tracked_at is None
    assert kept(known, bob.id) == []
    web.post(path, data={**PREFERENCES, "track": "yes"})
    assert known.find(bob.id).tracked_at is None, "nobody agrees to what is not offered"


def test_a_tick_at_the_sign_up_counts_once_the_address_confirmed(known: House, web: Web) -> None:
    web.post("/subscribe", data={"address": "carla@example.com", "track": "yes"})
    with known.begin() as unit:
        carla = unit.subscribers.by_address("carla@example.com")
        assert carla is not None and carla.tracked_at is None
        SignUps(unit.subscribers).confirm(1, known.now)
    assert known.find(carla.id).tracked_at is not None
    again = web.post("/subscribe", data={"address": "no address", "track": "yes"})
    assert "checked" in re.findall(r'name="track"[^>]*>', again.text)[0], "a mistake elsewhere keeps the tick"


def test_whoever_leaves_leaves_nothing_of_what_they_read(known: House, web: Web, ann: Subscriber) -> None:
    web.get(f"{FOLLOW}{token()}/{mark(known, ann.id)}", headers=BROWSER)
    leave = f"/u/{known.tokens.sign(Purpose.UNSUBSCRIBE, ann.id, 1)}"
    web.get(leave)
    assert len(kept(known, ann.id)) == 1, "looking changes nothing"
    web.post(leave, data={"List-Unsubscribe": "One-Click"})
    assert kept(known, ann.id) == []
    web.get(f"{FOLLOW}{token()}/{mark(known, ann.id)}", headers=BROWSER)
    assert kept(known, ann.id) == []


def test_the_privacy_notice_says_of_whom_more_is_kept(known: House, web: Web) -> None:
    assert "Of those who agreed to it" in web.get("/privacy").text
