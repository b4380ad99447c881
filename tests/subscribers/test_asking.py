"""People who came in a file without proof of consent."""

from __future__ import annotations

import pytest

from subscribers import asking, imports, taking_back
from subscribers.imports import How, Outcome
from subscribers.model import SubscriberState, SuppressionCause
from subscribers.signups import SignUps
from subscribers.store import Subscribers
from tests.subscribers.people import DAY, NOW

S = SubscriberState


def _bring(people: Subscribers, count: int, *, joined: str = "2024-01-01", how: How | None = None) -> int:
    rows = "".join(f"p{n}@example.com,{joined}\n" for n in range(count))
    report = imports.run(people, f"email,joined_at\n{rows}".encode(), source="old.csv", now=NOW, how=how)
    return report.batch_id


def test_a_list_that_nobody_joined_for_a_year_is_asked_before_it_is_mailed(people: Subscribers) -> None:
    _bring(people, 3)

    assert {one.state for one in people.list()} == {S.UNCONFIRMED}
    asks, _ = asking.due(people, NOW)
    assert [ask.address for ask in asks] == ["p0@example.com", "p1@example.com", "p2@example.com"]


@pytest.mark.parametrize(
    ("joined", "how"), [("2026-02-01", None), ("2024-01-01", How(ask_per_day=0)), ("", None)]
)
def test_a_living_list_is_mailed_as_it_is(people: Subscribers, joined: str, how: How | None) -> None:
    _bring(people, 2, joined=joined, how=how)

    assert {one.state for one in people.list()} == {S.ACTIVE}
    assert asking.due(people, NOW) == ([], [])


def test_a_date_that_is_still_to_come_makes_no_old_list_a_living_one(people: Subscribers) -> None:
    file = b"email,joined_at\nann@example.com,2019-01-01\nbert@example.com,2099-01-01\n"
    imports.run(people, file, source="old.csv", now=NOW)

    assert {one.state for one in people.list()} == {S.UNCONFIRMED}


def test_feedburner_s_people_are_asked_and_its_unverified_never(people: Subscribers) -> None:
    text = "Email,Subscribed,Status\na@example.com,06/17/2009 09:52,Active\nb@example.com,,Unverified\n"
    report = imports.run(people, text.encode(), source="feed.csv", now=NOW)

    assert report.counts == {Outcome.ASKED: 1, Outcome.UNCONFIRMED: 1}
    asks, _ = asking.due(people, NOW)
    assert [ask.address for ask in asks] == ["a@example.com"]
    SignUps(people).confirm(asks[0].request_id, NOW)
    assert [one.state for one in people.list()] == [S.ACTIVE, S.UNCONFIRMED]


def test_so_many_a_day_and_each_once(people: Subscribers) -> None:
    batch = _bring(people, 7, how=How(ask_per_day=3))

    assert len(asking.due(people, NOW)[0]) == 3
    assert asking.due(people, NOW + DAY / 2)[0] == []
    assert len(asking.due(people, NOW + DAY)[0]) == 3
    assert [ask.address for ask in asking.due(people, NOW + 2 * DAY)[0]] == ["p6@example.com"]
    assert asking.due(people, NOW + 3 * DAY)[0] == []
    told = asking.progress(people, batch)
    assert told is not None and (told.asked, told.waiting) == (7, 0)


def test_it_stops_by_itself_where_three_in_a_hundred_bounce(people: Subscribers) -> None:
    batch = _bring(people, 120, how=How(ask_per_day=50))
    asks, _ = asking.due(people, NOW)
    people.mark_bounced(asks[0].subscriber_id, NOW)
    assert len(asking.due(people, NOW + DAY)[0]) == 50  # 1 in 50
    people.mark_bounced(asks[1].subscriber_id, NOW)
    people.mark_bounced(asks[2].subscriber_id, NOW)

    found, stopped = asking.due(people, NOW + 2 * DAY)  # 3 in 100

    assert found == [] and [one.batch_id for one in stopped] == [batch]
    assert asking.due(people, NOW + 3 * DAY) == ([], [])
    told = asking.progress(people, batch)
    assert told is not None and told.stopped == "3 of the 100 who were asked bounced"


def test_whoever_left_or_joined_meanwhile_is_not_asked(people: Subscribers) -> None:
    _bring(people, 3)
    people.suppress("p0@example.com", SuppressionCause.UNSUBSCRIBED, NOW)
    people.add("p1@example.com", source="author", now=NOW)

    assert [ask.address for ask in asking.due(people, NOW)[0]] == ["p2@example.com"]


def test_proof_in_the_file_needs_no_question(people: Subscribers) -> None:
    text = "Email Address,EUID,CONFIRM_TIME\nann@example.com,1,2019-01-01 00:01:00\n"
    imports.run(people, text.encode(), source="subscribed.csv", now=NOW)

    assert people.list()[0].state is S.ACTIVE


def test_an_import_that_is_taken_back_asks_nobody(people: Subscribers) -> None:
    batch = _bring(people, 3)
    asking.due(people, NOW, limit=1)

    assert taking_back.undo(people, batch, NOW) == (3, 0)
    assert asking.due(people, NOW + DAY) == ([], [])
