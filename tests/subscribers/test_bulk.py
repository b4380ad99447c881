"""Many at once, on both databases; what is taken back revives nobody who left by themselves."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from subscribers import batches, bulk, imports, taking_back
from subscribers.bulk import Doing, What
from subscribers.errors import Invalid, Refused, Unknown
from subscribers.model import SubscriberState, SuppressionCause
from subscribers.requests import Form
from subscribers.signups import SignUps
from subscribers.states import Act
from subscribers.store import Subscribers
from subscribers.tables import batch_changes, suppressions
from tests.subscribers.people import DAY, NOW, joined

S = SubscriberState
LEAVE = bulk.doing(What.UNSUBSCRIBE)


def _do(people: Subscribers, wanted: Doing, *ids: int) -> int:
    batch = bulk.begin(people.conn, wanted, NOW)
    bulk.step(people, batch, wanted, ids, NOW)
    return batch


def test_a_tag_is_put_on_and_taken_back(people: Subscribers) -> None:
    ann, bob = joined(people, "ann@example.com"), joined(people, "bob@example.com")
    people.tag([bob.id], NOW, add=["vip", "old"])
    vip = bulk.doing(What.TAG, " vip ")
    assert people.count(among=bulk.touched(vip)) == 1

    batch = _do(people, vip, ann.id, bob.id)

    assert (people.get(ann.id).tags, people.get(bob.id).tags) == (("vip",), ("old", "vip"))
    assert [(one.doing, one.changed) for one in batches.done(people)] == [(vip, 1)]
    assert batches.newest(people) == []
    people.tag([ann.id], NOW + DAY, add=["new"])
    taking_back.undo(people, batch, NOW + DAY)
    assert (people.get(ann.id).tags, people.get(bob.id).tags) == (("new",), ("old", "vip"))
    with pytest.raises(Refused):
        taking_back.undo(people, batch, NOW + DAY)


def test_a_tag_is_taken_off_and_put_back(people: Subscribers) -> None:
    ann = joined(people, "ann@example.com")
    people.tag([ann.id], NOW, add=["vip", "old"])
    batch = _do(people, bulk.doing(What.UNTAG, "vip"), ann.id)
    assert people.get(ann.id).tags == ("old",)
    taking_back.undo(people, batch, NOW)
    assert people.get(ann.id).tags == ("old", "vip")


@pytest.mark.parametrize("tag", ["", "  ", "a,b", "x" * 51, "a\x00b"])
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(Invalid):
        bulk.doing(What.TAG, tag)


def test_many_are_unsubscribed_and_taken_back(people: Subscribers) -> None:
    ann, bob = joined(people, "ann@example.com"), joined(people, "bob@example.com")
    people.mark_bounced(bob.id, NOW)
    assert people.count(among=bulk.touched(LEAVE)) == 1

    batch = _do(people, LEAVE, ann.id, bob.id)

    assert (people.get(ann.id).state, people.get(bob.id).state) == (S.UNSUBSCRIBED, S.BOUNCED)
    assert people.suppressions.causes("ann@example.com") == {SuppressionCause.UNSUBSCRIBED}
    taking_back.undo(people, batch, NOW + DAY)
    assert (people.get(ann.id).state, people.get(bob.id).state) == (S.ACTIVE, S.BOUNCED)
    assert people.claimable([ann.id], NOW + DAY).recipients


def test_a_link_that_asked_before_brings_nobody_back_whom_the_author_unsubscribed(
    people: Subscribers,
) -> None:
    signups = SignUps(people)
    ask = signups.sign_up("ann@example.com", Form(source="page", wording="yes"), NOW).ask
    assert ask is not None
    _do(people, LEAVE, ask.subscriber_id)
    request = people.requests.find(ask.request_id)
    assert request is not None and request.used_at is not None


@pytest.mark.parametrize("act", [Act.UNSUBSCRIBE, Act.BOUNCE, Act.COMPLAIN, Act.SUPPRESS])
def test_taking_it_back_revives_nobody_who_left_by_themselves(people: Subscribers, act: Act) -> None:
    ann = joined(people, "ann@example.com")
    batch = _do(people, LEAVE, ann.id)
    people.act(ann.id, act, NOW + DAY)

    taking_back.undo(people, batch, NOW + 2 * DAY)

    assert people.get(ann.id).state is not S.ACTIVE
    assert not people.claimable([ann.id], NOW + 2 * DAY).recipients
    assert people.suppressions.causes("ann@example.com")


def test_taking_an_import_back_spares_whom_the_author_unsubscribed_since(people: Subscribers) -> None:
    ann = joined(people, "ann@example.com")
    report = imports.run(people, b"email,status\nann@example.com,unsubscribed\n", source="l.csv", now=NOW)
    people.unsubscribe(ann.id, NOW)
    taking_back.undo(people, report.batch_id, NOW)
    assert people.get(ann.id).state is S.UNSUBSCRIBED


def test_whoever_came_back_by_themselves_stays(people: Subscribers) -> None:
    ann = joined(people, "ann@example.com")
    batch = _do(people, LEAVE, ann.id)
    people.act(ann.id, Act.CONFIRM, NOW + DAY)
    people.tag([ann.id], NOW + DAY, add=["back"])

    taking_back.undo(people, batch, NOW + 2 * DAY)

    assert people.get(ann.id).state is S.ACTIVE and people.get(ann.id).tags == ("back",)


def test_after_a_month_what_was_done_stays(people: Subscribers) -> None:
    ann = joined(people, "ann@example.com")
    batch = _do(people, LEAVE, ann.id)
    bulk.clean(people.conn, NOW + 29 * DAY)
    assert batches.done(people)
    bulk.clean(people.conn, NOW + 31 * DAY)
    assert not batches.done(people)
    assert not people.conn.scalar(select(func.count()).select_from(batch_changes))
    assert people.conn.scalars(select(suppressions.c.batch_id)).all() == [None]
    with pytest.raises(Unknown):
        taking_back.undo(people, batch, NOW + 31 * DAY)


def test_pages_of_ids_and_their_count_agree(people: Subscribers) -> None:
    for n in range(7):
        joined(people, f"p{n}@example.com")
    people.unsubscribe(2, NOW)
    found, after = [], 0
    while page := people.ids(3, after, text="example"):
        found += page
        after = page[-1]
    assert found == [1, 2, 3, 4, 5, 6, 7] and people.count(text="example") == 7
    assert people.ids(9, state=S.UNSUBSCRIBED) == [2] and people.count(S.UNSUBSCRIBED) == 1
