"""The counted links of issues, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from newsletter.model.delivery import DeliveryState
from newsletter.model.times import to_ms
from newsletter.model.tracking import Counted, Link, LinkLine, Readers
from newsletter.store.database import Database
from newsletter.store.links import IssueLinks
from newsletter.store.tables import deliveries, issues
from subscribers import tracking
from subscribers.store import Subscribers

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PICTURE, ONE, TWO = Link("p", ""), Link("a", "https://a.example/"), Link("b", "https://b.example/")


@pytest.fixture
def issue_id(migrated: Database) -> int:
    with migrated.write() as conn:
        added = issues.insert().values(
            state="draft", cadence="each", subject="s", created_at=to_ms(NOW), changed_at=to_ms(NOW)
        )
        return int(conn.execute(added.returning(issues.c.id)).scalar_one())


def test_a_draft_composed_anew_has_the_links_that_it_has_now(migrated: Database, issue_id: int) -> None:
    with migrated.write() as conn:
        links = IssueLinks(conn)
        assert links.readings(issue_id) is None
        links.keep(issue_id, [PICTURE, ONE, TWO])
        links.keep(issue_id, [PICTURE, TWO])
        assert links.find("a") is None
        assert links.find("b") == Counted(link=TWO, issue_id=issue_id, started_at=None)
        links.keep(issue_id, [PICTURE, TWO, ONE])
        readings = links.readings(issue_id)
        assert readings is not None and [line.url for line in readings.links] == [TWO.url, ONE.url]
        links.keep(issue_id, [])
        assert links.readings(issue_id) is None


def test_what_is_counted_stands_beside_its_link_and_can_be_corrected(
    migrated: Database, issue_id: int
) -> None:
    with migrated.write() as conn:
        conn.execute(update(issues).values(started_at=to_ms(NOW)))
        links = IssueLinks(conn)
        links.keep(issue_id, [PICTURE, ONE, TWO])
        links.count("a", people=2, machines=1)
        links.count("a", people=-1, machines=1)
        links.count("p", people=5, machines=9)
        links.count("forged", people=5, machines=9)
        readings = links.readings(issue_id)
        assert readings is not None
        assert readings.opens == LinkLine(url="", people=5, machines=9)
        assert readings.links == (LinkLine(url=ONE.url, people=1, machines=2), LinkLine(url=TWO.url))
        assert (readings.clicks.people, readings.clicks.machines) == (1, 2)
        found = links.find("a")
        assert found is not None and found.started_at == NOW


def test_no_count_is_lost_where_many_count_at_once(migrated: Database, issue_id: int) -> None:
    with migrated.write() as conn:
        IssueLinks(conn).keep(issue_id, [PICTURE, ONE])

    def count(_number: int) -> None:
        for _ in range(5):
            with migrated.write() as conn:
                IssueLinks(conn).count("a", people=1, machines=0)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count, range(4)))
    with migrated.read() as conn:
        readings = IssueLinks(conn).readings(issue_id)
    assert readings is not None and readings.links[0].people == 20


@pytest.fixture
def reader(migrated: Database, issue_id: int) -> int:
    """Somebody who agreed to be known, and who got the issue; its links are kept."""
    with migrated.write() as conn:
        conn.execute(update(issues).values(started_at=to_ms(NOW)))
        people = Subscribers(conn, keys=[b"k" * 32])
        ann = people.add("ann@example.org", source="x", now=NOW).subscriber
        assert ann is not None
        tracking.agree(conn, ann.id, NOW, source="x", wording="You may.")
        conn.execute(
            deliveries.insert().values(
                issue_id=issue_id,
                subscriber_id=ann.id,
                state=DeliveryState.ACCEPTED.value,
                attempt_id=1,
                blocks=1,
            )
        )
        IssueLinks(conn).keep(issue_id, [PICTURE, ONE, TWO])
    return ann.id


def test_what_one_person_read_is_kept_once_a_link_and_can_be_taken_back(
    migrated: Database, issue_id: int, reader: int
) -> None:
    with migrated.write() as conn:
        links = IssueLinks(conn)
        links.read(reader, "p", times=1, at=NOW)
        links.read(reader, "a", times=1, at=NOW)
        links.read(reader, "a", times=2, at=NOW + HOUR)
        links.read(reader, "b", times=1, at=NOW)
        links.read(reader, "b", times=-1, at=NOW)
        links.read(reader, "b", times=-1, at=NOW)
        kept = links.of_subscriber(reader)
        assert [(one.url, one.times, one.first_at, one.last_at) for one in kept] == [
            ("", 1, NOW, NOW),
            (ONE.url, 3, NOW, NOW + HOUR),
        ]
        readings = links.readings(issue_id)
        assert readings is not None and readings.readers == Readers(agreed=1, opened=1, clicked=1)
        links.forget(reader)
        assert links.of_subscriber(reader) == []


def test_the_list_hears_of_each_visit_once(migrated: Database, issue_id: int, reader: int) -> None:
    with migrated.write() as conn:
        links = IssueLinks(conn)
        links.read(reader, "a", times=1, at=NOW)
        assert links.fresh(NOW - HOUR, 10) == [], "too soon to be sure"
        fresh = links.fresh(NOW, 10)
        assert [one.url for one in fresh] == [ONE.url]
        links.read(reader, "b", times=1, at=NOW + HOUR)
        links.heard(fresh)
        assert [one.url for one in links.fresh(NOW + HOUR, 10)] == [TWO.url]


def test_nothing_stays_of_whoever_does_not_agree_any_more(
    migrated: Database, issue_id: int, reader: int
) -> None:
    with migrated.write() as conn:
        links = IssueLinks(conn)
        links.read(reader, "a", times=1, at=NOW)
        links.forget_others()
        assert len(links.of_subscriber(reader)) == 1
        tracking.withdraw(conn, reader, NOW)
        links.forget_others()
        assert links.of_subscriber(reader) == []
        readings = links.readings(issue_id)
        assert readings is not None and readings.readers is None
