"""Feeds as the author's verbs reach them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import newsletter
from newsletter import wiring
from newsletter.errors import Conflict
from newsletter.wiring import House
from tests.guard.listener import Listener, reply
from tests.intake.blog import articles, atom

FEED = reply(atom(articles(1, 2)))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    fixed = {
        "secret_key": "a secret key of the tests that is long enough",
        "database_url": f"sqlite:///{tmp_path}/newsletter.db",
        "data_dir": str(tmp_path),
        "allow_private_addresses": "true",
    }
    wiring.prepare(fixed)
    with wiring.build(fixed) as built:
        yield built


def test_a_feed_that_is_being_looked_at_stops_no_other_when_all_are_looked_at(house: House) -> None:
    with Listener(FEED) as one, Listener(FEED) as two:
        for server in (one, two):
            house.desk.add_feed(server.url)
        with house.store.begin() as unit:
            unit.feeds.claim(1, house.tools.clock(), lease=timedelta(minutes=1), token="another process")
        polled = house.desk.poll()
        assert "being polled right now" in polled[0].problem
        assert (polled[1].problem, polled[1].baseline) == ("", 2)
        with pytest.raises(Conflict, match="being polled right now"):
            house.desk.poll(1)


def test_every_request_says_who_asks_and_where_to_complain(house: House) -> None:
    with Listener(FEED) as server:
        house.desk.add_feed(server.url)
        house.desk.set_setting("BASE_URL", "https://news.example.org")
        house.desk.poll(1)
    agents = [request.partition(b"User-Agent: ")[2].partition(b"\r\n")[0] for request in server.requests]
    assert agents[0] == f"newsletter-pipeline/{newsletter.__version__}".encode()
    assert agents[-1] == agents[0] + b" (+https://news.example.org)"
