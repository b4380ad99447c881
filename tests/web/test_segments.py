"""Filters of the list, and segments in the studio."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from newsletter.errors import Invalid
from newsletter.web.studio import filters
from subscribers.imports import How
from subscribers.model import Cadence
from subscribers.segments import Filter
from tests.web.conftest import Studio

MAILED = How(ask_per_day=0)
PEOPLE = b"""email,joined_at,tags
ann@example.org,2020-03-01,vip
ben@example.net,2024-03-01,vip
cid@example.org,2024-03-01,
"""


def test_a_form_becomes_a_filter() -> None:
    wanted = filters.read(
        {
            "cadence": "weekly",
            "topic": " Diet ",
            "tags": "vip, old friends,,vip",
            "without_tags": "",
            "domains": "@example.org, example.com",
            "joined_from": "2024-01-31",
            "text": "no filter of ours",
        }
    )
    assert wanted == Filter(
        cadence=Cadence.WEEKLY,
        topic="Diet",
        tags=("vip", "old friends"),
        domains=("example.org", "example.com"),
        joined_from=datetime(2024, 1, 31, tzinfo=UTC),
    )
    assert filters.told(wanted) == (
        "Those who hear weekly, want posts about Diet, have the tag vip or old friends, "
        "have a mailbox at example.org or example.com, joined on or after 2024-01-31."
    )
    assert filters.told(replace(Filter(), topic="")) == "Everybody."


@pytest.mark.parametrize("values", [{"cadence": "hourly"}, {"joined_from": "31.1.2024"}])
def test_what_no_filter_is_is_told(values: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        filters.read(values)


@pytest.mark.parametrize(
    ("query", "who"),
    [
        ("tags=vip", "ann ben"),
        ("without_tags=vip", "cid"),
        ("domains=example.org&tags=vip", "ann"),
        ("joined_from=2024-03-01", "ben cid"),
        ("joined_before=2024-03-01&text=", "ann"),
        ("cadence=each", "ann ben cid"),
        ("cadence=monthly", ""),
        ("topic=Diet&text=cid", "cid"),
        ("segment=1", "ben"),
        ("segment=1&tags=other", ""),
        ("segment=77", "ann ben cid"),
        ("tags=vip&state=active", "ann ben"),
        ("tags=vip&state=bounced", ""),
    ],
)
def test_the_list_is_filtered(studio: Studio, query: str, who: str) -> None:
    studio.house.desk.import_subscribers(PEOPLE, source="l.csv", dry_run=False, how=MAILED)
    studio.house.desk.save_segment("Net", Filter(domains=("example.net",)))
    with studio.visitor() as visitor:
        answer = visitor.get(f"/studio/subscribers?{query}")
    shown = [one.split("@")[0] for one in answer.text.split('class="stretch"')[1:]]
    assert [one.rpartition(">")[2] for one in shown] == who.split()


def test_a_day_that_is_none_is_told_beside_the_fields(studio: Studio) -> None:
    with studio.visitor() as visitor:
        answer = visitor.get("/studio/subscribers?joined_from=yesterday")
    assert answer.status_code == 400
    assert "“yesterday” is not a day." in answer.text


def test_a_segment_is_counted_saved_and_removed(studio: Studio) -> None:
    studio.house.desk.import_subscribers(PEOPLE, source="l.csv", dry_run=False, how=MAILED)
    here = "/studio/subscribers/segments"
    with studio.visitor() as visitor:
        assert "2 subscribers</strong> may be mailed now" in visitor.get(f"{here}?tags=vip").text
        unnamed = visitor.post(here, data={"tags": "vip"})
        assert unnamed.status_code == 400 and "needs a name" in unnamed.text
        saved = visitor.post(here, data={"tags": "vip", "name": "<b>Close</b>"})
        assert saved.headers["location"] == f"{here}?done=segment-saved"
        page = visitor.get(here).text
        assert "&lt;b&gt;Close&lt;/b&gt;" in page and "Those who have the tag vip." in page
        issue = studio.draft()
        studio.house.desk.edit_issue(issue, segment="<b>Close</b>")
        assert visitor.post(f"{here}/1/remove").status_code == 409
        studio.house.desk.edit_issue(issue, segment="")
        assert visitor.post(f"{here}/1/remove").headers["location"] == f"{here}?done=segment-removed"
    assert studio.house.desk.segments() == []
