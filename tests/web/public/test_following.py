"""Counted links: they lead where the issue said, and nobody is remembered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.model.links import FOLLOW, LOAD
from newsletter.model.times import to_ms
from newsletter.model.tracking import Link, LinkLine, Readings, Tracking, seal
from newsletter.store.links import IssueLinks
from newsletter.store.tables import issues, links
from tests.web.public.conftest import KEY, NOW, House, Web

URLS = ("https://a.example/x?a=1&b=2#c", "https://b.example/", "https://c.example/", "https://d.example/")
BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def token(url: str = URLS[0], issue: int = 1) -> str:
    return seal(KEY, issue, url)


def counted(house: House) -> Readings:
    with house.database.read() as conn:
        found = IssueLinks(conn).readings(1)
    assert found is not None
    return found


@pytest.fixture
def sent(house: House) -> House:
    """An issue whose links are counted, sent an hour ago."""
    house.practice = replace(house.practice, tracking=Tracking.AGGREGATE)
    with house.database.write() as conn:
        before = to_ms(NOW - timedelta(hours=1))
        conn.execute(
            issues.insert().values(
                id=1,
                state="finished",
                cadence="each",
                subject="s",
                created_at=before,
                changed_at=before,
                started_at=before,
            )
        )
        IssueLinks(conn).keep(1, [Link(token(url), url) for url in ("", *URLS)])
    return house


def test_a_link_leads_where_the_issue_said_and_is_counted(sent: House, web: Web) -> None:
    answer = web.get(f"{FOLLOW}{token()}", headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (302, URLS[0])
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    assert counted(sent).links[0] == LinkLine(url=URLS[0], people=1)
    assert counted(sent).opens.people == 0


def test_a_loaded_picture_counts_as_an_open_and_tells_nobody_whether_it_did(sent: House, web: Web) -> None:
    good = web.get(f"{LOAD}{token('')}", headers=BROWSER)
    bad = web.get(f"{LOAD}{'x' * 22}", headers=BROWSER)
    link = web.get(f"{LOAD}{token()}", headers=BROWSER)
    for answer in (good, bad, link):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
        assert answer.content == good.content and answer.content.startswith(b"GIF89a")
        assert answer.headers["cache-control"] == "no-store" and "set-cookie" not in answer.headers
    assert counted(sent).opens == LinkLine(url="", people=1)
    assert counted(sent).clicks == LinkLine(url="")


def test_programs_are_led_the_same_way_and_counted_apart(sent: House, web: Web) -> None:
    for headers in ({"user-agent": "Barracuda"}, {**BROWSER, "sec-purpose": "prefetch"}, {"user-agent": ""}):
        assert web.get(f"{FOLLOW}{token()}", headers=headers).headers["location"] == URLS[0]
    assert web.head(f"{FOLLOW}{token()}", headers=BROWSER).headers["location"] == URLS[0]
    web.get(f"{LOAD}{token('')}", headers={"user-agent": "Mozilla/5.0"})
    assert counted(sent).links[0] == LinkLine(url=URLS[0], machines=4)
    assert counted(sent).opens == LinkLine(url="", machines=1)


def test_whoever_follows_every_link_at_once_is_taken_back_from_the_people(sent: House, web: Web) -> None:
    web.address = "9.9.9.9"
    web.get(f"{LOAD}{token('')}", headers=BROWSER)
    for url in URLS:
        assert web.get(f"{FOLLOW}{token(url)}", headers=BROWSER).headers["location"] == url
    assert [(line.people, line.machines) for line in counted(sent).links] == [(0, 1)] * 4
    assert counted(sent).opens == LinkLine(url="", machines=1)


def test_readers_behind_a_proxy_that_hides_them_are_not_taken_for_one(sent: House, web: Web) -> None:
    web.address = "10.0.0.1"
    for url in URLS:
        web.get(f"{FOLLOW}{token(url)}", headers=BROWSER)
    assert counted(sent).clicks.people == 4


def test_nothing_is_counted_of_a_draft_too_soon_or_while_it_is_off(sent: House, web: Web) -> None:
    path = f"{FOLLOW}{token()}"
    sent.practice = replace(sent.practice, tracking=Tracking.OFF)
    assert web.get(path, headers=BROWSER).headers["location"] == URLS[0], "links in mail lead on for ever"
    assert counted(sent).clicks == LinkLine(url="")
    sent.practice = replace(sent.practice, tracking=Tracking.AGGREGATE)
    with sent.database.write() as conn:
        conn.execute(issues.update().values(started_at=None))
    assert web.get(path, headers=BROWSER).status_code == 302, "a test of a draft leads where it says"
    assert counted(sent).clicks == LinkLine(url="")
    with sent.database.write() as conn:
        conn.execute(issues.update().values(started_at=to_ms(NOW - timedelta(seconds=2))))
    web.get(path, headers=BROWSER)
    assert counted(sent).clicks == LinkLine(url="", machines=1)


@pytest.mark.parametrize(
    "path",
    [
        f"{FOLLOW}{'x' * 22}",
        f"{FOLLOW}https://evil.example/",
        f"{FOLLOW}%2F%2Fevil.example",
        f"{FOLLOW}{token()[:-1]}",
        f"{FOLLOW}{token()}x",
        f"{FOLLOW}{token().lower()}",
        f"{FOLLOW}{token(issue=2)}",
        f"{FOLLOW}{token('')}",
        f"{FOLLOW}{token('https://evil.example/')}",
        f"{FOLLOW}{seal(b'another key of 32 bytes or longer', 1, URLS[0])}",
        f"{FOLLOW}{'x' * 22}?url=https://evil.example/&to=https://evil.example/&next=//evil.example",
        f"{FOLLOW}%00%0d%0aLocation:%20https://evil.example/",
        f"{FOLLOW}{'x' * 5000}",
    ],
)
def test_a_forged_link_leads_nowhere(sent: House, web: Web, path: str) -> None:
    answer = web.get(path, headers=BROWSER)
    assert answer.status_code == 404 and "location" not in answer.headers
    assert "evil.example" not in answer.text
    assert counted(sent).clicks == LinkLine(url="")


def test_a_row_that_we_did_not_seal_leads_nowhere(sent: House, web: Web) -> None:
    with sent.database.write() as conn:
        conn.execute(links.update().where(links.c.token == token()).values(url="https://evil.example/"))
    assert web.get(f"{FOLLOW}{token()}", headers=BROWSER).status_code == 404


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.one_of(st.sampled_from([token(url) for url in ("", *URLS)]), st.text(max_size=40)),
    query=st.dictionaries(st.sampled_from(["url", "u", "to", "next", "redirect"]), st.text(max_size=30)),
)
def test_no_request_is_led_anywhere_but_to_a_stored_address(
    sent: House, web: Web, name: str, query: dict[str, str]
) -> None:
    answer = web.get(f"{FOLLOW}{quote(name, safe='')}", params=query, headers=BROWSER)
    assert answer.headers.get("location") in {None, *URLS}


def test_nothing_of_a_visitor_is_kept(sent: House, web: Web) -> None:
    web.address = "9.9.9.77"
    headers = {**BROWSER, "referer": "https://mail.example/inbox/ann", "cookie": "who=ann"}
    web.get(f"{FOLLOW}{token()}", headers=headers)
    with sent.database.read() as conn:
        stored = " ".join(str(row) for row in conn.execute(links.select()))
    for secret in ("9.9.9.77", "Firefox", "inbox", "ann"):
        assert secret not in stored


def test_the_privacy_notice_says_what_is_counted(sent: House, web: Web) -> None:
    assert "is counted" in web.get("/privacy").text
    sent.practice = replace(sent.practice, tracking=Tracking.OFF)
    assert "is not tracked" in web.get("/privacy").text
