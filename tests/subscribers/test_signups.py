from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from subscribers.errors import Expired, Invalid, Refused
from subscribers.model import SubscriberState, SuppressionCause
from subscribers.requests import Form, RequestKind
from subscribers.signups import Ask, SignUps
from subscribers.store import Subscribers
from subscribers.tables import requests, subscribers
from tests.subscribers.people import DAY, NOW, joined

FORM = Form(source="form: page", wording="I ask for it.", origin="203.0.113.0/24")
HOUR = timedelta(hours=1)


def _asked(people: Subscribers, address: str = "ann@example.com", now: datetime = NOW) -> Ask:
    ask = SignUps(people).sign_up(address, FORM, now).ask
    assert ask is not None
    return ask


def _count(people: Subscribers) -> tuple[int, int]:
    """How many subscribers there are, and how many requests."""
    count = select(func.count())
    return (
        people.conn.execute(count.select_from(subscribers)).scalar_one(),
        people.conn.execute(count.select_from(requests)).scalar_one(),
    )


def test_a_sign_up_asks_once_and_remembers_the_form(people: Subscribers) -> None:
    ask = _asked(people, " Ann@Example.com")

    request, person = SignUps(people).look(ask.request_id, NOW)

    assert (ask.address, person.state) == ("Ann@example.com", SubscriberState.UNCONFIRMED)
    assert (request.form, request.kind) == (FORM, RequestKind.SIGN_UP)
    assert people.claimable([person.id], NOW).refused == {person.id: "unconfirmed"}


def test_confirming_makes_the_form_the_proof(people: Subscribers) -> None:
    ask = _asked(people)

    done = SignUps(people).confirm(ask.request_id, NOW + HOUR)

    assert done.fresh and done.subscriber.state is SubscriberState.ACTIVE
    (proof,) = people.consents(done.subscriber.id)
    assert (proof.at, proof.source, proof.wording, proof.origin) == (
        NOW + HOUR,
        FORM.source,
        FORM.wording,
        FORM.origin,
    )
    assert not SignUps(people).confirm(ask.request_id, NOW + 2 * HOUR).fresh


def test_hundreds_of_sign_ups_of_one_victim_ask_three_times_a_month(people: Subscribers) -> None:
    asks = 0
    for n in range(300):
        now = NOW + n * 30 * DAY / 300
        asks += SignUps(people).sign_up("victim@example.com", FORM, now).ask is not None

    assert asks == 3
    assert _count(people) == (1, 3)


@pytest.mark.parametrize(
    "spelling", ["victim+{}@gmail.com", "vic.tim+{}@googlemail.com", "VICTIM+{}@GMAIL.com"]
)
def test_all_spellings_of_one_mailbox_are_asked_three_times_a_day(people: Subscribers, spelling: str) -> None:
    asks = 0
    for n in range(300):
        asks += SignUps(people).sign_up(spelling.format(n), FORM, NOW + timedelta(minutes=n)).ask is not None
    assert asks == 3
    assert SignUps(people).sign_up("other@gmail.com", FORM, NOW + HOUR).ask is not None


def test_a_change_of_address_counts_for_the_mailbox_that_is_asked(people: Subscribers) -> None:
    askers = [joined(people, f"p{n}@example.com").id for n in range(5)]
    asked = [
        SignUps(people).change_address(id, f"victim+{n}@example.org", FORM, NOW)
        for n, id in enumerate(askers)
    ]
    assert sum(ask is not None for ask in asked) == 3


def test_the_next_day_somebody_may_be_asked_again_but_not_before(people: Subscribers) -> None:
    _asked(people)

    assert SignUps(people).sign_up("ann@example.com", FORM, NOW + DAY - HOUR).ask is None
    assert SignUps(people).sign_up("ann@example.com", FORM, NOW + DAY).ask is not None


def test_what_is_no_address_is_refused(people: Subscribers) -> None:
    with pytest.raises(Invalid):
        SignUps(people).sign_up("ann", FORM, NOW)


def test_somebody_active_is_not_asked(people: Subscribers) -> None:
    joined(people)

    result = SignUps(people).sign_up("ann@example.com", FORM, NOW)

    assert (result.ask, result.welcome) == (None, None)


def test_somebody_elses_sign_up_lifts_nothing(people: Subscribers) -> None:
    ann = joined(people)
    people.unsubscribe(ann.id, NOW)

    _asked(people)

    assert people.get(ann.id).state is SubscriberState.UNSUBSCRIBED
    assert people.claimable([ann.id], NOW).refused == {ann.id: "unsubscribed"}


def test_the_author_excluding_somebody_ends_what_was_asked_before(people: Subscribers) -> None:
    ask = _asked(people)
    people.suppress("ann@example.com", SuppressionCause.MANUAL, NOW)

    with pytest.raises(Expired):
        SignUps(people).confirm(ask.request_id, NOW)
    assert people.claimable([ask.subscriber_id], NOW).recipients == {}


def test_a_complaint_kept_under_another_key_still_refuses(people: Subscribers) -> None:
    ask = _asked(people)
    people.suppressions.add(["ann@example.com"], SuppressionCause.COMPLAINED, NOW)

    with pytest.raises(Refused):
        SignUps(people).confirm(ask.request_id, NOW)


def test_one_reminder_after_two_days(people: Subscribers) -> None:
    ask = _asked(people)
    done = _asked(people, "bob@example.com")
    SignUps(people).confirm(done.request_id, NOW)

    assert SignUps(people).reminders(NOW + 47 * HOUR) == []
    (reminder,) = SignUps(people).reminders(NOW + 48 * HOUR)
    assert (reminder.request_id, reminder.reminder) == (ask.request_id, True)
    assert SignUps(people).reminders(NOW + 49 * HOUR) == []


def test_who_is_suppressed_meanwhile_is_not_reminded(people: Subscribers) -> None:
    _asked(people)
    people.suppressions.add(["ann@example.com"], SuppressionCause.MANUAL, NOW)

    assert SignUps(people).reminders(NOW + 48 * HOUR) == []


def test_who_never_answers_vanishes_after_thirty_days(people: Subscribers) -> None:
    _asked(people)
    bob = joined(people, "bob@example.com")
    people.unsubscribe(bob.id, NOW)
    _asked(people, "bob@example.com")
    _asked(people, "cid@example.com", NOW + DAY)

    assert SignUps(people).vanish(NOW + 30 * DAY - HOUR) == []
    assert len(SignUps(people).vanish(NOW + 30 * DAY)) == 1
    assert [p.address for p in people.list()] == ["bob@example.com", "cid@example.com"]
    assert _count(people) == (2, 1)


def test_single_opt_in_makes_new_people_active_at_once(people: Subscribers) -> None:
    result = SignUps(people).sign_up("ann@example.com", FORM, NOW, double=False)

    assert result.ask is None and result.welcome is not None
    assert people.claimable([result.welcome.id], NOW).recipients


def test_an_address_change_is_asked_of_the_new_address_only(people: Subscribers) -> None:
    ann, bob = joined(people), joined(people, "bob@example.com")
    signups = SignUps(people)

    assert signups.change_address(ann.id, "BOB@example.com", FORM, NOW) is None
    ask = signups.change_address(ann.id, "New@example.com", FORM, NOW)
    assert ask is not None and ask.address == "New@example.com"
    assert people.get(ann.id) == ann

    done = signups.confirm(ask.request_id, NOW)

    assert (done.kind, done.subscriber.address) == (RequestKind.ADDRESS, "New@example.com")
    assert done.subscriber.state is SubscriberState.ACTIVE
    assert people.by_address("ann@example.com") is None
    assert people.get(bob.id) == bob


def test_a_change_of_address_keeps_the_person_and_carries_no_suppression_away(people: Subscribers) -> None:
    ann = joined(people)
    ask = SignUps(people).change_address(ann.id, "new@example.com", FORM, NOW)
    assert ask is not None
    people.unsubscribe(ann.id, NOW)

    with pytest.raises(Expired):
        SignUps(people).confirm(ask.request_id, NOW)
    assert people.get(ann.id).address == "ann@example.com"
