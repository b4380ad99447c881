from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers import segments, tracking
from subscribers.errors import Invalid, Unknown
from subscribers.model import Cadence
from subscribers.segments import Filter, Segments
from subscribers.store import Subscribers
from tests.subscribers.people import DAY, NOW, joined

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(
    lambda d: d.replace(microsecond=0, tzinfo=UTC)
)
words = st.lists(st.text(max_size=8), max_size=3).map(tuple)
filters = st.builds(
    Filter,
    cadence=st.none() | st.sampled_from(Cadence),
    topic=st.text(max_size=8),
    tags=words,
    without_tags=words,
    domains=words,
    joined_from=st.none() | moments,
    joined_before=st.none() | moments,
    engaged_since=st.none() | moments,
    quiet_since=st.none() | moments,
)


@given(wanted=filters)
def test_a_filter_comes_back_as_it_was_kept(wanted: Filter) -> None:
    assert Filter.from_json(wanted.to_json()) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        '{"sql":"x"}',
        '{"cadence":"hourly"}',
        '{"tags":"x"}',
        '{"topic":1}',
        '{"joined_from":"x"}',
    ],
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        Filter.from_json(text)


def _people(people: Subscribers) -> dict[str, int]:
    """Ann: weekly, tagged; Bob: no Diet, other domain; Cid: joined long ago, opened lately."""
    ann = joined(people, "ann@example.com").id
    bob = joined(people, "bob@example.org").id
    cid = people.add("cid@example.com", source="x", now=NOW - 400 * DAY).subscriber
    assert cid is not None
    people.choose(ann, NOW, cadence=Cadence.WEEKLY, topics_off=[], paused_until=None)
    people.tag([ann], NOW, add=["vip", "a_b"])
    people.choose(bob, NOW, cadence=None, topics_off=["Diet", 'say "hi"'], paused_until=None)
    tracking.agree(people.conn, cid.id, NOW - 2 * DAY, source="x", wording="You may keep it.")
    people.engaged(cid.id, NOW - DAY)
    return {"ann": ann, "bob": bob, "cid": cid.id}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), "ann bob cid"),
        (Filter(cadence=Cadence.WEEKLY), "ann"),
        (Filter(cadence=Cadence.EACH), "bob cid"),
        (Filter(cadence=Cadence.DAILY), ""),
        (Filter(topic="Diet"), "ann cid"),
        (Filter(topic='say "hi"'), "ann cid"),
        (Filter(topic="Die"), "ann bob cid"),
        (Filter(tags=("vip",)), "ann"),
        (Filter(tags=("vip", "none")), "ann"),
        (Filter(tags=("a%b",)), ""),
        (Filter(tags=("aXb",)), ""),
        (Filter(tags=("VIP",)), ""),
        (Filter(without_tags=("vip",)), "bob cid"),
        (Filter(domains=("Example.org",)), "bob"),
        (Filter(domains=("example.org", "example.com")), "ann bob cid"),
        (Filter(joined_from=NOW), "ann bob"),
        (Filter(joined_before=NOW), "cid"),
        (Filter(engaged_since=NOW - 2 * DAY), "ann bob cid"),  # the others chose just now
        (Filter(quiet_since=NOW - timedelta(hours=1)), "cid"),
        (Filter(tags=("'; DROP TABLE subscribers; --",)), ""),
        (Filter(cadence=Cadence.EACH, domains=("example.com",)), "cid"),
    ],
)
def test_each_filter_finds_whom_it_describes(people: Subscribers, wanted: Filter, expected: str) -> None:
    ids = _people(people)
    here = segments.condition(wanted, default_cadence=Cadence.EACH)
    those = sorted(ids[name] for name in expected.split())

    assert [p.id for p in people.list(among=here)] == those
    assert segments.count(people.conn, wanted, NOW, default_cadence=Cadence.EACH) == len(those)


def test_an_audience_can_be_a_segment(people: Subscribers) -> None:
    ids = _people(people)
    here = Filter(domains=("example.com",))

    drawn = people.candidates(Cadence.EACH, Cadence.EACH, 0, people.highest_id(), 10, NOW, segment=here)

    assert [c.id for c in drawn] == [ids["cid"]]
    assert people.audience_size(Cadence.EACH, Cadence.EACH, NOW, here) == 1
    assert people.audience_size(Cadence.WEEKLY, Cadence.EACH, NOW, here) == 1


def test_only_those_who_may_be_mailed_are_counted(people: Subscribers) -> None:
    ids = _people(people)
    people.unsubscribe(ids["ann"], NOW)

    assert segments.count(people.conn, Filter(), NOW, default_cadence=Cadence.EACH) == 2


def test_segments_are_kept_by_name(people: Subscribers) -> None:
    kept = Segments(people.conn)
    first = kept.save(" Weekly  people ", Filter(cadence=Cadence.WEEKLY), NOW)
    again = kept.save("Weekly people", Filter(cadence=Cadence.WEEKLY, tags=("vip",)), NOW)
    kept.save("All", Filter(), NOW)

    assert again == replace(first, filter=Filter(cadence=Cadence.WEEKLY, tags=("vip",)))
    assert [one.name for one in kept.all()] == ["All", "Weekly people"]
    assert kept.get(first.id) == again
    kept.remove(first.id)
    for gone in (kept.get, kept.remove):
        with pytest.raises(Unknown):
            gone(first.id)
    with pytest.raises(Invalid):
        kept.save("  ", Filter(), NOW)
