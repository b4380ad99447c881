"""Many subscribers at once, in the studio, without any script."""

from __future__ import annotations

import re
from html import unescape

import pytest

from subscribers.model import SubscriberState
from tests.web.conftest import Studio

FILE = b"email,tags\nann@example.org,\nbob@example.org,vip\ncid@example.com,\n"


@pytest.fixture
def listed(studio: Studio) -> Studio:
    studio.house.desk.import_subscribers(FILE, source="l.csv", dry_run=False)
    return studio


def _asked(page: str) -> str:
    found = re.search(r'name="choice" value="([^"]*)"', page)
    assert found, page
    return unescape(found[1])


def test_those_ticked_are_counted_first_and_then_tagged_and_taken_back(listed: Studio) -> None:
    with listed.visitor() as visitor:
        assert 'form="many"' in visitor.get("/studio/subscribers").text
        path = "/studio/subscribers/many?what=tag&tag=vip&whom=ticked&id=1&id=2"
        page = visitor.get(path).text
        assert "on 1 subscriber?" in page and "2 subscribers are ticked" in page
        assert not listed.house.desk.subscriber(1).subscriber.tags
        answer = visitor.post("/studio/subscribers/many", data={"choice": _asked(page)})
        assert answer.headers["location"] == "/studio/subscribers/many?done=many"
        assert listed.house.desk.subscriber(1).subscriber.tags == ("vip",)
        assert "Take it back" in visitor.get("/studio/subscribers/many").text
        (done,) = listed.house.desk.done_to_many()
        visitor.post(f"/studio/subscribers/many/{done.id}/undo")
        assert listed.house.desk.subscriber(1).subscriber.tags == ()
        assert "taken back" in visitor.get("/studio/subscribers/many").text


def test_everybody_found_is_unsubscribed_and_nobody_else(listed: Studio) -> None:
    with listed.visitor() as visitor:
        query = "?what=unsubscribe&whom=all&domains=example.org&text=b"
        page = visitor.get(f"/studio/subscribers/many{query}").text
        assert "Unsubscribe 1 subscriber?" in page and "“b” in address or name" in page
        visitor.post("/studio/subscribers/many", data={"choice": _asked(page)})
    states = [one.state for one in listed.house.desk.subscribers()]
    assert states == [SubscriberState.ACTIVE, SubscriberState.UNSUBSCRIBED, SubscriberState.ACTIVE]


@pytest.mark.parametrize(
    "query",
    ["what=dance&whom=all", "what=tag&whom=all", "what=tag&tag=vip", "what=tag&tag=vip&id=x",
     "what=tag&tag=a,b&whom=all", "what=tag&tag=v&whom=all&state=odd", "what=tag&tag=v&whom=all&segment=9",
     "what=tag&tag=v&whom=all&joined_from=never"],
)  # fmt: skip
def test_what_cannot_be_done_is_told_and_changes_nobody(listed: Studio, query: str) -> None:
    with listed.visitor() as visitor:
        assert visitor.get(f"/studio/subscribers/many?{query}").status_code == 400
        assert visitor.post("/studio/subscribers/many", data={"choice": query}).status_code == 400
        assert visitor.post("/studio/subscribers/many/99/undo").status_code == 404
    assert listed.house.desk.done_to_many() == []
