from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete

from subscribers import tracking
from subscribers.errors import Invalid, Unknown
from subscribers.model import Cadence, Consent, ConsentKind, SubscriberState, SuppressionCause
from subscribers.store import STRIKES, Subscribers
from subscribers.tables import consents, subscribers
from tests.subscribers.people import DAY, KEY, NOW, joined

LATER = NOW + DAY


def test_somebody_added_is_active_with_their_consent_on_record(people: Subscribers) -> None:
    added = people.add("Ann@Example.COM", name="Ann", source="the author", now=NOW)

    assert added.created and not added.refused and added.subscriber is not None
    assert added.subscriber.state is SubscriberState.ACTIVE
    assert added.subscriber.address == "Ann@example.com"
    (proof,) = people.consents(added.subscriber.id)
    assert (proof.kind, proof.source, proof.at) == (ConsentKind.EXPRESS, "the author", NOW)


def test_every_spelling_of_an_address_is_one_subscriber(people: Subscribers) -> None:
    ann = joined(people, "ann@bücher.example")

    again = people.add("ANN@XN--BCHER-KVA.example", source="the author", now=LATER)

    assert not again.created and again.subscriber == ann
    assert people.by_address(" Ann@BÜCHER.example ") == ann


def test_an_id_is_never_given_to_somebody_else(people: Subscribers) -> None:
    first = joined(people)
    people.conn.execute(delete(consents))
    people.conn.execute(delete(subscribers))

    assert joined(people, "bob@example.com").id > first.id


def test_what_is_no_address_is_refused_in_one_sentence(people: Subscribers) -> None:
    with pytest.raises(Invalid, match="not an email address"):
        people.add("nobody", source="the author", now=NOW)


def test_asking_for_somebody_unknown_is_told(people: Subscribers) -> None:
    with pytest.raises(Unknown, match="no subscriber 7"):
        people.get(7)
    assert people.find(7) is None
    assert people.by_address("ann@example.com") is None


def test_unsubscribing_counts_once_and_takes_effect_at_once(people: Subscribers) -> None:
    ann = joined(people)

    assert people.unsubscribe(ann.id, LATER, reason="too many")
    assert not people.unsubscribe(ann.id, LATER)

    assert people.get(ann.id).state is SubscriberState.UNSUBSCRIBED
    assert people.claimable([ann.id], LATER).refused == {ann.id: "unsubscribed"}
    (kept,) = people.suppressions_of("ann@example.com")
    assert (kept.cause, kept.reason, kept.at) == (SuppressionCause.UNSUBSCRIBED, "too many", LATER)


def test_nobody_has_an_unknown_id_and_nothing_happens(people: Subscribers) -> None:
    assert not people.unsubscribe(99, NOW)
    assert not people.mark_bounced(99, NOW)
    assert not people.mark_bounced(99, NOW, hard=False)
    assert not people.mark_complained(99, NOW)


@pytest.mark.parametrize("cause", [c for c in SuppressionCause if c is not SuppressionCause.ERASED])
def test_the_author_cannot_add_a_suppressed_address(people: Subscribers, cause: SuppressionCause) -> None:
    assert people.suppress("ann@example.com", cause, NOW)
    assert not people.suppress("ann@example.com", cause, LATER)

    added = people.add("ANN@example.com", source="the author", now=LATER)

    assert (added.subscriber, added.created, added.refused) == (None, False, cause)


def test_suppressing_an_address_stops_its_subscriber(people: Subscribers) -> None:
    ann = joined(people)
    people.suppress(ann.address, SuppressionCause.MANUAL, LATER)

    assert people.get(ann.id).state is SubscriberState.UNSUBSCRIBED
    assert ann.id not in people.claimable([ann.id], LATER).recipients


def test_only_the_author_lifts_a_complaint_and_it_lifts_nothing_else(people: Subscribers) -> None:
    ann, bob = joined(people), joined(people, "bob@example.com")
    people.mark_complained(ann.id, NOW)
    people.unsubscribe(bob.id, NOW)
    people.mark_complained(bob.id, NOW)

    assert people.lift(ann.address, LATER) and people.lift(bob.address, LATER)
    assert not people.lift(bob.address, LATER)

    assert people.get(ann.id).state is SubscriberState.ACTIVE
    assert people.get(bob.id).state is SubscriberState.UNSUBSCRIBED


def test_five_soft_bounces_in_a_row_are_a_hard_one(people: Subscribers) -> None:
    ann = joined(people)
    for _ in range(STRIKES - 1):
        assert not people.mark_bounced(ann.id, NOW, hard=False)
    people.mark_delivered(ann.id)
    for _ in range(STRIKES - 1):
        assert not people.mark_bounced(ann.id, NOW, hard=False)

    assert people.mark_bounced(ann.id, NOW, hard=False)
    assert people.get(ann.id).state is SubscriberState.BOUNCED


def test_erasing_is_not_a_way_to_suppress(people: Subscribers) -> None:
    with pytest.raises(Invalid):
        people.suppress("ann@example.com", SuppressionCause.ERASED, NOW)


def test_suppressions_made_with_an_older_key_still_count(people: Subscribers) -> None:
    ann = joined(people)
    people.suppressions.add(["ann@example.com"], SuppressionCause.COMPLAINED, NOW)
    rotated = Subscribers(people.conn, keys=[b"a newer key of 32 bytes, as it is", KEY])

    assert rotated.claimable([ann.id], NOW).refused == {ann.id: "complained"}
    assert rotated.suppressions.add(["ann@example.com"], SuppressionCause.COMPLAINED, NOW) == 0
    assert rotated.lift(ann.address, LATER)
    assert people.suppressions.causes("ann@example.com") == frozenset()


def test_a_list_without_a_key_is_refused(people: Subscribers) -> None:
    with pytest.raises(ValueError):
        Subscribers(people.conn, keys=[])


def test_the_list_goes_on_where_it_ended(people: Subscribers) -> None:
    ids = [joined(people, f"p{n}@example.com").id for n in range(5)]
    people.unsubscribe(ids[1], NOW)

    assert [p.id for p in people.list(limit=2)] == ids[:2]
    assert [p.id for p in people.list(limit=9, after=ids[1])] == ids[2:]
    assert [p.id for p in people.list(state=SubscriberState.UNSUBSCRIBED)] == [ids[1]]


@pytest.mark.parametrize("text", ["ANN", "ann@", "@example.com", "Lovelace", "n_100%"])
def test_searching_finds_parts_of_addresses_and_names(people: Subscribers, text: str) -> None:
    ann = joined(people, "ann_100%@example.com" if "%" in text else "ann@example.com", name="A. Lovelace")
    joined(people, "bob@example.org", name="Bob")

    assert [p.id for p in people.list(text=text)] == [ann.id]


def test_counts_name_every_state(people: Subscribers) -> None:
    people.unsubscribe(joined(people).id, NOW)
    joined(people, "bob@example.com")

    counts = people.counts()

    assert set(counts) == set(SubscriberState)
    assert counts[SubscriberState.ACTIVE] == 1 and counts[SubscriberState.UNSUBSCRIBED] == 1
    assert counts[SubscriberState.COMPLAINED] == 0


def test_what_they_chose_is_kept(people: Subscribers) -> None:
    ann = joined(people)
    people.choose(
        ann.id, LATER, cadence=Cadence.WEEKLY, topics_off=["News", "Diet", "News"], paused_until=LATER + DAY
    )

    chosen = people.get(ann.id)

    assert (chosen.cadence, chosen.topics_off, chosen.paused_until) == (
        Cadence.WEEKLY,
        ("Diet", "News"),
        LATER + DAY,
    )
    assert chosen.changed_at == LATER
    with pytest.raises(Unknown):
        people.choose(99, LATER, cadence=None, topics_off=[], paused_until=None)


def test_names_are_one_plain_line(people: Subscribers) -> None:
    ann = joined(people, name="  Ann\r\nBcc: x\x00\u202e " + "y" * 200)

    assert ann.name == ("Ann Bcc: x " + "y" * 200)[:100]

    people.rename(ann.id, "Ann B.", LATER)
    assert people.get(ann.id).name == "Ann B."


def test_tags_are_put_on_and_taken_off(people: Subscribers) -> None:
    ann = joined(people)
    people.tag([ann.id], NOW, add=["vip", "friend"])
    people.tag([ann.id], NOW, add=["a"], remove=["vip"])

    assert people.get(ann.id).tags == ("a", "friend")


def test_engagement_never_goes_back_in_time(people: Subscribers) -> None:
    ann = joined(people)
    people.engaged(ann.id, LATER)
    assert people.get(ann.id).engaged_at is None, "they agreed to nothing of the kind"
    tracking.agree(people.conn, ann.id, NOW, source="x", wording="You may keep it.")
    people.engaged(ann.id, LATER)
    people.engaged(ann.id, NOW)

    assert people.get(ann.id).engaged_at == LATER


def test_a_consent_that_ends_later_prolongs_and_an_endless_one_stays(people: Subscribers) -> None:
    ann = people.add(
        "ann@example.com", source="fair", now=NOW, kind=ConsentKind.IMPLIED, expires_at=NOW + 30 * DAY
    ).subscriber
    assert ann is not None

    def also(days: int | None) -> None:
        ends = None if days is None else NOW + days * DAY
        proof = Consent(
            subscriber_id=ann.id, kind=ConsentKind.IMPLIED, at=NOW, source="fair", expires_at=ends
        )
        people.record(proof, fresh=False)

    also(10)
    assert people.get(ann.id).consent_until == NOW + 30 * DAY
    also(60)
    assert people.get(ann.id).consent_until == NOW + 60 * DAY
    also(None)
    assert people.get(ann.id).consent_until is None
    also(90)
    assert people.get(ann.id).consent_until is None
    assert len(people.consents(ann.id)) == 5
    assert people.consents(ann.id)[0].expires_at == NOW + timedelta(days=90)
