"""Invariant 10 where an import is taken back: nobody comes back who left by themselves."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from subscribers import imports, taking_back
from subscribers.errors import Refused, Unknown
from subscribers.model import SubscriberState, SuppressionCause
from subscribers.requests import Form
from subscribers.signups import SignUps
from subscribers.states import Act, displayed
from subscribers.store import Subscribers
from subscribers.tables import batch_changes
from tests.subscribers.people import DAY, NOW, joined

S = SubscriberState
UNSUBSCRIBED = "email,status\nbob@example.com,unsubscribed\n"


def _run(people: Subscribers, text: str) -> int:
    how = imports.How(ask_per_day=0)
    return imports.run(people, text.encode(), source="list.csv", now=NOW, how=how).batch_id


def test_a_batch_can_be_taken_back(people: Subscribers) -> None:
    ann = joined(people, "ann@example.com")
    bob = joined(people, "bob@example.com")
    before = [p for p in people.list() if p.id in (ann.id, bob.id)]
    batch = _run(
        people,
        "email,status,tags,name\nnew@example.com,active,,\nann@example.com,active,vip,Ann\n"
        "bob@example.com,unsubscribed,,\ngone@example.com,bounced,,\n",
    )

    gone, stayed = taking_back.undo(people, batch, NOW)

    assert (gone, stayed) == (2, 0)
    assert people.list() == before
    assert people.suppressions.causes_of(["bob@example.com", "gone@example.com"]) == {}
    assert people.conn.execute(select(batch_changes)).all() == []
    with pytest.raises(Refused):
        taking_back.undo(people, batch, NOW)
    with pytest.raises(Unknown):
        taking_back.undo(people, 99, NOW)


def test_taking_a_batch_back_spares_who_did_something_since(people: Subscribers) -> None:
    batch = _run(people, "email\nann@example.com\nbob@example.com\n")
    bob = people.by_address("bob@example.com")
    assert bob is not None
    people.unsubscribe(bob.id, NOW + DAY)

    assert taking_back.undo(people, batch, NOW + 2 * DAY) == (1, 1)
    assert people.get(bob.id).state is S.UNSUBSCRIBED
    assert people.suppressions.causes("bob@example.com") == {SuppressionCause.UNSUBSCRIBED}


@pytest.mark.parametrize("known", [True, False], ids=["who was there", "whom it brought"])
def test_whoever_unsubscribes_after_an_import_said_so_too_stays_unsubscribed(
    people: Subscribers, known: bool
) -> None:
    if known:
        joined(people, "bob@example.com")
    batch = _run(people, UNSUBSCRIBED)
    bob = people.by_address("bob@example.com")
    assert bob is not None
    people.unsubscribe(bob.id, NOW + DAY)

    taking_back.undo(people, batch, NOW + 2 * DAY)

    assert people.get(bob.id).state is S.UNSUBSCRIBED
    assert people.suppressions.causes("bob@example.com") == {SuppressionCause.UNSUBSCRIBED}
    assert not people.claimable([bob.id], NOW + 2 * DAY).recipients


@pytest.mark.parametrize("act", [Act.BOUNCE, Act.COMPLAIN, Act.SUPPRESS])
def test_nobody_is_shown_as_active_whom_something_else_keeps_out(people: Subscribers, act: Act) -> None:
    bob = joined(people, "bob@example.com")
    batch = _run(people, UNSUBSCRIBED)
    people.act(bob.id, act, NOW + DAY)

    taking_back.undo(people, batch, NOW + 2 * DAY)

    found = people.get(bob.id)
    assert found.state is not S.ACTIVE and people.suppressions.causes("bob@example.com")
    assert found.state is displayed(S.ACTIVE, people.suppressions.causes("bob@example.com"))


def test_a_late_report_on_a_former_address_outlives_the_batch(people: Subscribers) -> None:
    bob = joined(people, "bob@example.com")
    people.readdress(bob.id, "robert@example.com", NOW + DAY)
    batch = _run(people, "email,status\nbob@example.com,bounced\n")

    people.mark_bounced(bob.id, NOW + 2 * DAY, mailed_at=NOW)
    taking_back.undo(people, batch, NOW + 3 * DAY)

    assert people.suppressions.causes("bob@example.com") == {SuppressionCause.BOUNCED}


def test_what_a_second_import_says_too_outlives_the_first(people: Subscribers) -> None:
    bob = joined(people, "bob@example.com")
    first, second = _run(people, UNSUBSCRIBED), _run(people, UNSUBSCRIBED)

    taking_back.undo(people, first, NOW)
    assert people.get(bob.id).state is S.UNSUBSCRIBED
    assert people.suppressions.causes("bob@example.com") == {SuppressionCause.UNSUBSCRIBED}

    taking_back.undo(people, second, NOW)
    assert people.suppressions.causes("bob@example.com") == frozenset()


def test_whoever_confirmed_since_stays_active(people: Subscribers) -> None:
    signups = SignUps(people)
    asked = signups.sign_up("bob@example.com", Form(source="page", wording="yes"), NOW).ask
    assert asked is not None
    batch = _run(people, "email,confirmed_at\nbob@example.com,2026-02-01\n")
    assert people.get(asked.subscriber_id).state is S.ACTIVE
    signups.confirm(asked.request_id, NOW + DAY)

    taking_back.undo(people, batch, NOW + 2 * DAY)

    assert people.get(asked.subscriber_id).state is S.ACTIVE


def test_tags_put_on_since_stay(people: Subscribers) -> None:
    bob = joined(people, "bob@example.com")
    people.tag([bob.id], NOW, add=["old"])
    batch = _run(people, "email,tags\nbob@example.com,vip\n")
    people.tag([bob.id], NOW + DAY, add=["new"], remove=["old"])

    taking_back.undo(people, batch, NOW + 2 * DAY)

    assert people.get(bob.id).tags == ("new",)


def test_a_thousand_at_a_time(people: Subscribers) -> None:
    for n in range(30):
        joined(people, f"there{n}@example.com")
    there = "".join(f"there{n}@example.com,vip\n" for n in range(30))
    batch = _run(people, "email,tags\n" + there + "".join(f"p{n}@example.com,\n" for n in range(1500)))

    steps = [taking_back.step(people, batch, NOW) for _ in range(4)]

    assert [(one.returned, len(one.gone), one.done) for one in steps] == [
        (30, 0, False),
        (0, 1000, False),
        (0, 500, False),
        (0, 0, True),
    ]
    assert sorted(person.tags for person in people.list()) == [()] * 30
