"""Who reads, and what only looks as if."""

from __future__ import annotations

from datetime import timedelta

import pytest

from newsletter.learn.visits import BURST, MOST_FROM_ONE, MOST_KNOWN, Sources, Visit, by_machine

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"
)
DESK = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
LATER = timedelta(minutes=5)


def visit(**how: object) -> Visit:
    plain: dict[str, object] = {"method": "GET", "agent": PHONE, "purpose": "", "since": LATER}
    return Visit(**(plain | how))  # type: ignore[arg-type]


@pytest.mark.parametrize("agent", [PHONE, DESK, "Mozilla/5.0 (Linux; Android 9; CUBOT X19) Chrome/99.0"])
def test_somebody_with_a_browser_is_a_person(agent: str) -> None:
    assert not by_machine(visit(agent=agent))


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "Mozilla/5.0",
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        "Mozilla/5.0 (compatible; bingbot/2.0)",
        "Barracuda Sentinel (EE)",
        "python-requests/2.32",
        "curl/8.5.0",
        "Go-http-client/2.0",
        "Mozilla/5.0 (X11) HeadlessChrome/120.0",
        "facebookexternalhit/1.1",
        "Mimecast-URL-Protect",
    ],
)
def test_a_proxy_a_scanner_or_a_script_is_a_program(agent: str) -> None:
    assert by_machine(visit(agent=agent))


def test_a_prefetch_a_look_without_a_body_and_whoever_is_too_fast_are_programs() -> None:
    assert by_machine(visit(purpose="prefetch;prerender"))
    assert by_machine(visit(purpose="preview"))
    assert by_machine(visit(method="HEAD"))
    assert by_machine(visit(since=timedelta(seconds=3)))
    assert by_machine(visit(since=timedelta(seconds=-3)))


def test_whoever_follows_many_links_at_once_was_a_program_from_the_first_on() -> None:
    sources = Sources()
    assert not sources.judge(b"a", "picture", 0.0, link=False).machine
    assert not sources.judge(b"a", "one", 0.1, link=True).machine
    assert not sources.judge(b"b", "one", 0.1, link=True).machine, "somebody else at the same time"
    assert not sources.judge(b"a", "two", 0.2, link=True).machine
    third = sources.judge(b"a", "three", 0.3, link=True)
    assert third.machine and third.earlier == ("picture", "one", "two")
    fourth = sources.judge(b"a", "four", 5.0, link=True)
    assert fourth.machine and fourth.earlier == ()
    assert not sources.judge(b"a", "one", 30.0, link=True).machine
    assert not sources.judge(b"b", "two", 30.0, link=True).machine


def test_whoever_reads_and_follows_one_link_after_the_other_is_a_person() -> None:
    sources = Sources()
    for number in range(10):
        assert not sources.judge(b"a", f"link {number}", number * 3.0, link=True).machine
    for _ in range(BURST + 1):
        assert not sources.judge(b"c", "the same", 0.0, link=True).machine, "an impatient double click"


def test_one_place_counts_for_no_more_than_an_office() -> None:
    sources = Sources()
    judged = [sources.judge(b"a", "one", float(n), link=True).machine for n in range(MOST_FROM_ONE + 50)]
    assert judged.count(False) == MOST_FROM_ONE
    assert not sources.judge(b"a", "one", 4000.0, link=True).machine, "an hour later it counts again"


def test_a_crowd_of_strangers_takes_no_more_memory_than_it_may() -> None:
    sources = Sources()
    for number in range(MOST_KNOWN + 500):
        sources.judge(b"%d" % number, "one", 0.0, link=True)
    assert len(sources._known) == MOST_KNOWN
