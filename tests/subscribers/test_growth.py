"""How the list grew, counted on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers import bulk, imports, personal, taking_back
from subscribers.bulk import What
from subscribers.growth import DAYS, MONTHS, WEEKS, edges, growth
from subscribers.model import SubscriberState, SuppressionCause
from subscribers.requests import Form
from subscribers.signups import SignUps
from subscribers.states import Act
from subscribers.store import Subscribers
from tests.subscribers.people import DAY, NOW, joined

BERLIN = ZoneInfo("Europe/Berlin")


def _grown(people: Subscribers, now: datetime) -> list[tuple[int, int, int]]:
    active = people.counts()[SubscriberState.ACTIVE]
    return [(one.joined, one.left, one.total) for one in growth(people.conn, now, BERLIN, active)]


def test_nobody_is_no_growth(people: Subscribers) -> None:
    assert _grown(people, NOW) == []
    SignUps(people).sign_up("ann@example.com", Form(source="page", wording="yes"), NOW)
    assert _grown(people, NOW) == []


def test_who_joins_and_leaves_is_counted_on_its_day(people: Subscribers) -> None:
    ann, bob = joined(people, "ann@example.com"), joined(people, "bob@example.com")
    people.unsubscribe(bob.id, NOW + DAY)
    people.add("cid@example.com", source="the author", now=NOW + DAY)
    people.mark_complained(ann.id, NOW + 2 * DAY)

    assert _grown(people, NOW + 2 * DAY) == [(2, 0, 2), (1, 1, 2), (0, 1, 1)]
    # Leaving a second way is not leaving twice, and coming back is not having been away.
    people.suppress(bob.address, SuppressionCause.MANUAL, NOW + 2 * DAY)
    assert _grown(people, NOW + 2 * DAY) == [(2, 0, 2), (1, 1, 2), (0, 1, 1)]
    people.lift(bob.address, NOW + 2 * DAY)
    people.act(bob.id, Act.CONFIRM, NOW + 2 * DAY)
    assert _grown(people, NOW + 2 * DAY) == [(2, 0, 2), (1, 0, 3), (0, 1, 2)]


def test_an_import_counts_on_the_days_of_the_file_and_never_who_had_left_there(people: Subscribers) -> None:
    told = {"ann@example.com": "active", "bob@example.com": "unsubscribed"}
    lines = [f"{address},{status},2026-02-27" for address, status in told.items()]
    rows = "\n".join(["email,status,created_at", *lines]).encode()
    batch = imports.run(people, rows, source="l.csv", now=NOW, how=imports.How(ask_per_day=0)).batch_id
    assert _grown(people, NOW) == [(1, 0, 1), (0, 0, 1), (0, 0, 1)]
    taking_back.undo(people, batch, NOW)
    assert _grown(people, NOW) == []


def test_bulk_actions_and_imports_that_change_somebody_count_and_are_taken_back(people: Subscribers) -> None:
    ann = joined(people, "ann@example.com")
    rows = b"email,status\nann@example.com,unsubscribed\n"
    imported = imports.run(people, rows, source="l.csv", now=NOW + DAY).batch_id
    assert _grown(people, NOW + DAY) == [(1, 0, 1), (0, 1, 0)]
    taking_back.undo(people, imported, NOW + DAY)
    assert _grown(people, NOW + DAY) == [(1, 0, 1), (0, 0, 1)]
    leave = bulk.doing(What.UNSUBSCRIBE)
    batch = bulk.begin(people.conn, leave, NOW + DAY)
    bulk.step(people, batch, leave, [ann.id], NOW + DAY)
    assert _grown(people, NOW + DAY) == [(1, 0, 1), (0, 1, 0)]
    taking_back.undo(people, batch, NOW + DAY)
    assert _grown(people, NOW + DAY) == [(1, 0, 1), (0, 0, 1)]


def test_whoever_is_erased_still_counts_as_having_been_there(people: Subscribers) -> None:
    ann, bob = joined(people, "ann@example.com"), joined(people, "bob@example.com")
    people.unsubscribe(bob.id, NOW + DAY)
    for one in (ann, bob):
        personal.erase(people, one.id, NOW + 2 * DAY)
    assert _grown(people, NOW + 2 * DAY) == [(2, 0, 2), (0, 1, 1), (0, 1, 0)]


@pytest.mark.parametrize(
    ("age", "step", "count"),
    [(0, 1, 1), (DAYS - 1, 1, DAYS), (DAYS, 7, 5), (WEEKS * 7, 31, 8), (365 * 9, 31, MONTHS)],
)
def test_a_young_list_is_shown_by_day_and_an_old_one_by_month(age: int, step: int, count: int) -> None:
    bounds = edges(NOW - timedelta(days=age), NOW, BERLIN)
    assert len(bounds) == count + 1
    lengths = {(after.date() - before.date()).days for before, after in pairwise(bounds)}
    assert max(lengths) == step


@given(
    st.datetimes(datetime(2015, 1, 1), datetime(2026, 1, 1)),
    st.integers(0, 4_000),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"]),
)
def test_periods_follow_each_other_and_now_is_in_the_last(first: datetime, days: int, zone: str) -> None:
    start = first.replace(tzinfo=UTC)
    now = start + timedelta(days=days)
    bounds = edges(start, now, ZoneInfo(zone))
    assert all(before < after for before, after in pairwise(bounds))
    assert bounds[-2] <= now < bounds[-1]
    assert bounds[0] <= start or len(bounds) == MONTHS + 1
