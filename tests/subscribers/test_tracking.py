"""Whose own opens and clicks may be kept: by a consent of its own, that can be taken back."""

from __future__ import annotations

import json

import pytest

from subscribers import tracking
from subscribers.model import SuppressionCause
from subscribers.personal import erase, everything
from subscribers.requests import Form
from subscribers.signups import SignUps
from subscribers.store import Subscribers
from tests.subscribers.people import DAY, NOW, joined

LATER = NOW + DAY

WORDS = "You may keep when I open it."


def agree(people: Subscribers, id: int) -> bool:
    return tracking.agree(
        people.conn, id, NOW, source="form: preferences", wording=WORDS, origin="192.0.2.0/24"
    )


def claimed(people: Subscribers, id: int) -> bool:
    """Whether a message to them says whose it is."""
    return people.claimable([id], NOW).recipients[id].tracked


def test_nobody_has_agreed_before_they_did(people: Subscribers) -> None:
    ann = joined(people)
    assert ann.tracked_at is None and not claimed(people, ann.id)
    assert agree(people, ann.id) and not agree(people, ann.id), "once is enough"
    assert people.get(ann.id).tracked_at == NOW and claimed(people, ann.id)
    [proof] = tracking.of(people.conn, ann.id)
    assert (proof.at, proof.wording, proof.origin, proof.withdrawn_at) == (NOW, WORDS, "192.0.2.0/24", None)
    assert len(people.consents(ann.id)) == 1, "it is no consent to be mailed"


def test_a_consent_without_its_words_is_none(people: Subscribers) -> None:
    with pytest.raises(ValueError, match="wording"):
        tracking.agree(people.conn, joined(people).id, NOW, source="x", wording="")


def test_whoever_takes_it_back_is_not_known_any_more_and_the_proof_says_when(people: Subscribers) -> None:
    ann = joined(people)
    agree(people, ann.id)
    people.engaged(ann.id, NOW)
    assert tracking.agreeing(people.conn, [ann.id, 999]) == {ann.id}
    assert tracking.withdraw(people.conn, ann.id, LATER)
    assert not tracking.withdraw(people.conn, ann.id, LATER)
    after = people.get(ann.id)
    assert (after.tracked_at, after.engaged_at) == (None, None)
    assert tracking.agreeing(people.conn, [ann.id]) == set() and not claimed(people, ann.id)
    assert [proof.withdrawn_at for proof in tracking.of(people.conn, ann.id)] == [LATER]


@pytest.mark.parametrize("way", ["unsubscribe", "complain", "suppress"])
def test_whoever_leaves_takes_it_back(people: Subscribers, way: str) -> None:
    ann = joined(people)
    agree(people, ann.id)
    if way == "unsubscribe":
        people.unsubscribe(ann.id, LATER)
    elif way == "complain":
        people.mark_complained(ann.id, LATER)
    else:
        people.suppress(ann.address, SuppressionCause.MANUAL, LATER)
    assert people.get(ann.id).tracked_at is None


def test_a_tick_on_the_form_counts_once_the_address_has_confirmed(people: Subscribers) -> None:
    form = Form(source="form: page", wording="Yes.", tracking=WORDS)
    done = SignUps(people).sign_up("ann@example.com", form, NOW)
    assert done.ask is not None
    assert people.get(done.ask.subscriber_id).tracked_at is None
    SignUps(people).confirm(done.ask.request_id, LATER)
    assert people.get(done.ask.subscriber_id).tracked_at == LATER
    assert [proof.wording for proof in tracking.of(people.conn, done.ask.subscriber_id)] == [WORDS]


def test_where_nobody_asks_the_address_a_tick_counts_for_nothing(people: Subscribers) -> None:
    form = Form(source="form: page", wording="Yes.", tracking=WORDS)
    done = SignUps(people).sign_up("ann@example.com", form, NOW, double=False)
    assert done.welcome is not None and done.welcome.tracked_at is None


def test_whoever_joins_anew_agrees_anew_or_does_not(people: Subscribers) -> None:
    ann = joined(people)
    people.unsubscribe(ann.id, NOW)
    done = SignUps(people).sign_up(ann.address, Form(source="f", wording="Yes.", tracking=WORDS), LATER)
    assert done.ask is not None
    SignUps(people).confirm(done.ask.request_id, LATER)
    people.unsubscribe(ann.id, LATER + DAY)
    again = SignUps(people).sign_up(ann.address, Form(source="f", wording="Yes."), LATER + 2 * DAY)
    assert again.ask is not None
    SignUps(people).confirm(again.ask.request_id, LATER + 2 * DAY)
    assert people.get(ann.id).tracked_at is None


def test_nobody_agrees_who_is_not_on_the_list(people: Subscribers) -> None:
    ann = joined(people)
    people.unsubscribe(ann.id, NOW)
    assert not agree(people, ann.id)


def test_it_stands_in_their_copy_and_goes_with_them(people: Subscribers) -> None:
    ann = joined(people)
    agree(people, ann.id)
    copy = json.loads(everything(people, ann.id))
    assert [agreed["wording"] for agreed in copy["opens_and_clicks_agreed"]] == [WORDS]
    erase(people, ann.id, LATER)
    assert tracking.of(people.conn, ann.id) == []
    assert people.get(ann.id).tracked_at is None
