"""Opens and clicks, from the post to the receipt: real mail, real requests, real counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest

from newsletter import pipeline, wiring
from newsletter.demo.blog_server import SampleBlog
from newsletter.model.tracking import LinkLine, Readers
from newsletter.pipeline import Step
from newsletter.store.tables import attempts, issues
from newsletter.wiring import House
from subscribers import tracking
from subscribers.segments import Filter
from tests.acceptance.conftest import READERS, Arrived, Mail, World
from tests.support import ldn
from tests.web.conftest import serving

BASE = "https://news.example.org"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
by_smtp = pytest.mark.parametrize("sending", ["smtp"], indirect=True)


@pytest.fixture
def counting(
    fixed: dict[str, str], blog: SampleBlog, sending: tuple[dict[str, str], Mail]
) -> Iterator[World]:
    """As ``world``, with opens and clicks counted, behind a proxy that says who asks."""
    with wiring.build({**fixed, "trusted_proxies": "127.0.0.1"}) as house:
        house.desk.set_setting("TRACKING", "aggregate")
        for address in READERS:
            house.desk.add_subscriber(address)
        house.desk.add_feed(blog.feed_url)
        yield World(house=house, blog=blog, mail=sending[1])


def sent(world: World) -> list[Arrived]:
    """The issue's mail, a minute after its sending began."""
    world.house.turn()
    world.house.desk.approve_issue(1)
    assert world.house.desk.send_issue(1).accepted == len(READERS)
    with world.house.store.begin() as unit:
        unit.conn.execute(issues.update().values(started_at=issues.c.started_at - 60_000))
    return world.issue_mail()


def paths(html: str, kind: str) -> list[str]:
    return [urlsplit(url).path for url in re.findall(rf'"({BASE}/{kind}/[^"]+)"', html)]


def visitor(base: str, address: str, agent: str = BROWSER) -> httpx.Client:
    return httpx.Client(base_url=base, headers={"user-agent": agent, "x-forwarded-for": address})


def line(house: House, url: str) -> LinkLine:
    readings = house.desk.receipt(1).readings
    assert readings is not None
    return next(line for line in readings.links if line.url == url)


@pytest.mark.parametrize("sending", ["smtp", "sendgrid"], indirect=True)
def test_a_click_in_the_mail_leads_to_the_page_and_stands_on_the_receipt(counting: World) -> None:
    mail = sent(counting)
    links = {url: None for message in mail for url in paths(message.html, "l")}
    assert len(links) >= len(ldn.LINKS)
    assert len({tuple(paths(message.html, "l")) for message in mail}) == 1, "everybody has the same ones"
    for message in mail:
        assert not any(f'href="{link}"' in message.html for link in ldn.LINKS)
        assert all(link in message.text for link in ldn.LINKS), "the plain text keeps the honest ones"
        assert "/l/" not in message.text and "/o/" not in message.text
        own = message.headers["List-Unsubscribe"].split(",")[0].strip("<>")
        assert f'href="{own}"' in message.html, "nobody counts who leaves"
        assert len(paths(message.html, "o")) == 1

    with serving(counting.house) as base:
        with visitor(base, "9.9.9.9") as reader:
            reader.get(paths(mail[0].html, "o")[0])
            led = {path: reader.get(path) for path in list(links)[:1]}
        for answer in led.values():
            assert answer.status_code == 302
            target = answer.headers["location"]
            assert target in mail[0].text
            assert (line(counting.house, target).people, line(counting.house, target).machines) == (1, 0)
        with visitor(base, "8.8.8.8", "Barracuda Sentinel") as scanner:
            assert {scanner.get(path).status_code for path in links} == {302}
        with visitor(base, "8.8.4.4") as scanner:  # one that says it is a browser
            assert {scanner.get(path).status_code for path in links} == {302}
            assert scanner.get("/l/" + "x" * 22).status_code == 404

    readings = counting.house.desk.receipt(1).readings
    assert readings is not None
    assert (readings.opens.people, readings.opens.machines) == (1, 0)
    assert (readings.clicks.people, readings.clicks.machines) == (1, 2 * len(links))


@by_smtp
def test_the_preview_and_the_public_page_count_nothing(counting: World) -> None:
    mail = sent(counting)
    seen = counting.house.desk.preview(1)
    assert paths(seen, "l") == paths(mail[0].html, "l"), "the preview has the links that were sent"
    assert paths(seen, "o") == [], "and not the picture: looking would count"
    public = counting.house.desk.public_page(1)
    assert paths(public, "l") == paths(public, "o") == []
    assert all(f'href="{link}"' in public for link in ldn.LINKS)


@by_smtp
def test_a_test_of_a_draft_leads_where_it_says_and_counts_nowhere(counting: World) -> None:
    counting.house.turn()
    counting.house.desk.test_issue(1, "friend@example.net")
    [test] = [message for message in counting.mail() if message.to == "friend@example.net"]
    with serving(counting.house) as base, visitor(base, "9.9.9.9") as reader:
        assert reader.get(paths(test.html, "l")[0]).status_code == 302
        assert reader.get(paths(test.html, "o")[0]).status_code == 200
    readings = counting.house.desk.receipt(1).readings
    assert readings is not None
    assert (readings.opens, readings.clicks) == (LinkLine(url=""), LinkLine(url=""))


@by_smtp
def test_switching_it_changes_drafts_and_never_what_was_approved(counting: World) -> None:
    desk = counting.house.desk
    counting.house.turn()
    first = desk.issue(1).issue.content_hash
    desk.set_setting("TRACKING", "off")
    counting.house.turn()
    plain = desk.issue(1).issue.content_hash
    assert plain != first and desk.receipt(1).readings is None
    assert paths(desk.preview(1), "l") == []
    desk.approve_issue(1)
    desk.set_setting("TRACKING", "aggregate")
    counting.house.turn()
    assert desk.issue(1).issue.content_hash == plain
    assert all(paths(message.html, "l") == [] for message in counting.issue_mail())
    assert len(counting.issue_mail()) == len(READERS)


@by_smtp
def test_of_those_who_agreed_and_of_nobody_else_the_list_knows_who_reads(counting: World) -> None:
    house, desk = counting.house, counting.house.desk
    desk.set_setting("TRACKING", "individual")
    with house.store.begin() as unit:
        tracking.agree(unit.conn, 1, house.tools.clock(), source="form: preferences", wording="You may.")
    mail = {message.to: message for message in sent(counting)}
    known, other, third = (paths(mail[READERS[number]].html, "l") for number in range(3))
    assert other == third, "whoever did not agree has the same links as everybody"
    assert [path.rpartition("/")[0] for path in known] == other
    assert len({path.rpartition("/")[2] for path in known}) == 1
    assert "/l/" not in mail[READERS[0]].text

    with house.store.begin() as unit:
        unit.conn.execute(attempts.update().values(opened_at=attempts.c.opened_at - 60_000))
    with serving(house) as base, visitor(base, "9.9.9.9") as reader:
        reader.get(paths(mail[READERS[0]].html, "o")[0])
        assert reader.get(known[0]).status_code == 302
        reader.get(other[0])
    readings = desk.receipt(1).readings
    assert readings is not None and readings.readers == Readers(agreed=1, opened=1, clicked=1)
    assert (readings.opens.people, readings.clicks.people) == (1, 2)
    assert desk.subscriber(READERS[0]).subscriber.engaged_at is None, "not before it is sure"

    later = replace(house.tools, clock=lambda: datetime.now(UTC) + timedelta(minutes=1))
    learned = pipeline.turn(later, [Step.LEARN])
    assert learned.steps[0].summary == "2 visits"
    assert pipeline.turn(later, [Step.LEARN]).steps[0].summary == ""
    day = datetime.now(UTC) - timedelta(days=1)
    assert desk.subscriber(READERS[0]).subscriber.engaged_at is not None
    assert desk.save_segment("readers", Filter(engaged_since=day)).count == 1
    assert len(desk.subscriber(READERS[0]).read) == 2

    desk.erase(READERS[0])
    with house.store.read() as unit:
        assert unit.links.of_subscriber(1) == []
    readings = desk.receipt(1).readings
    assert readings is not None and readings.readers is None
    assert readings.clicks.people == 2, "the counts are of nobody and stay"
