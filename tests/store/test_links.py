"""The counted links of issues, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from newsletter.model.times import to_ms
from newsletter.model.tracking import Counted, Link, LinkLine
from newsletter.store.database import Database
from newsletter.store.links import IssueLinks
from newsletter.store.tables import issues

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
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
