from __future__ import annotations

import pytest

from subscribers.model import Cadence, ConsentKind, SuppressionCause
from subscribers.store import Subscribers
from tests.subscribers.people import DAY, NOW, joined


def _choose(people: Subscribers, id: int, cadence: Cadence | None, paused_days: int = 0) -> None:
    until = NOW + paused_days * DAY if paused_days else None
    people.choose(id, NOW, cadence=cadence, topics_off=[], paused_until=until)


def _drawn(people: Subscribers, cadence: Cadence, default: Cadence = Cadence.EACH) -> list[int]:
    found = people.candidates(cadence, default, 0, people.highest_id(), 1000, NOW)
    return [candidate.id for candidate in found]


def test_an_empty_list_has_no_highest_id(people: Subscribers) -> None:
    assert people.highest_id() == 0
    assert people.cadences_in_use(Cadence.EACH) == set()


def test_who_chose_no_rhythm_has_the_newsletters(people: Subscribers) -> None:
    silent, weekly = joined(people, "a@example.com").id, joined(people, "b@example.com").id
    _choose(people, weekly, Cadence.WEEKLY)

    assert _drawn(people, Cadence.EACH) == [silent]
    assert _drawn(people, Cadence.WEEKLY) == [weekly]
    assert _drawn(people, Cadence.WEEKLY, default=Cadence.WEEKLY) == [silent, weekly]
    assert people.cadences_in_use(Cadence.EACH) == {Cadence.EACH, Cadence.WEEKLY}


def test_an_audience_is_drawn_in_steps_up_to_its_bound(people: Subscribers) -> None:
    ids = [joined(people, f"p{n}@example.com").id for n in range(5)]
    bound = people.highest_id()
    joined(people, "late@example.com")

    first = people.candidates(Cadence.EACH, Cadence.EACH, 0, bound, 3, NOW)
    rest = people.candidates(Cadence.EACH, Cadence.EACH, first[-1].id, bound, 3, NOW)

    assert [c.id for c in first + rest] == ids
    assert people.candidates(Cadence.EACH, Cadence.EACH, bound, bound, 3, NOW) == []


def test_topics_come_along(people: Subscribers) -> None:
    ann = joined(people)
    people.choose(ann.id, NOW, cadence=None, topics_off=["Diet"], paused_until=None)

    (drawn,) = people.candidates(Cadence.EACH, Cadence.EACH, 0, ann.id, 10, NOW)

    assert drawn.topics_off == {"Diet"}


def test_only_those_who_may_be_mailed_are_drawn(people: Subscribers) -> None:
    active = joined(people, "a@example.com").id
    gone, paused, back = (joined(people, f"{n}@example.com").id for n in ("g", "p", "b"))
    people.unsubscribe(gone, NOW)
    _choose(people, paused, None, paused_days=1)
    _choose(people, back, None, paused_days=-1)
    people.add("old@example.com", source="fair", now=NOW - DAY, kind=ConsentKind.IMPLIED, expires_at=NOW)

    assert _drawn(people, Cadence.EACH) == [active, back]


def test_a_claim_says_of_everybody_whether_and_why_not(people: Subscribers) -> None:
    ann = joined(people, "ann@example.com", name="Ann").id
    left, bounced, paused = (joined(people, f"{n}@example.com").id for n in ("l", "b", "p"))
    people.unsubscribe(left, NOW)
    people.mark_bounced(bounced, NOW)
    _choose(people, paused, None, paused_days=1)
    old = people.add(
        "old@example.com", source="fair", now=NOW - DAY, kind=ConsentKind.IMPLIED, expires_at=NOW
    ).subscriber
    assert old is not None

    claim = people.claimable([ann, left, bounced, paused, old.id, 999], NOW)

    assert list(claim.recipients) == [ann]
    assert (claim.recipients[ann].address, claim.recipients[ann].name) == ("ann@example.com", "Ann")
    assert claim.refused == {
        left: "unsubscribed",
        bounced: "bounced",
        paused: "paused",
        old.id: "consent_expired",
        999: "gone",
    }


@pytest.mark.parametrize("cause", list(SuppressionCause))
def test_suppression_decides_whatever_the_state_displays(
    people: Subscribers, cause: SuppressionCause
) -> None:
    ann = joined(people)
    people.suppressions.add(["ann@example.com"], cause, NOW)

    claim = people.claimable([ann.id], NOW)

    assert not claim.recipients and claim.refused == {ann.id: cause}


def test_a_thousand_and_more_are_claimed_at_once(people: Subscribers) -> None:
    ids = [joined(people, f"p{n}@example.com").id for n in range(1100)]
    people.unsubscribe(ids[1050], NOW)

    claim = people.claimable(ids, NOW)

    assert len(claim.recipients) == 1099 and list(claim.refused) == [ids[1050]]


def test_the_international_domain_is_mailed_in_ascii(people: Subscribers) -> None:
    ann = joined(people, "ann@bücher.example")

    assert people.claimable([ann.id], NOW).recipients[ann.id].address == "ann@xn--bcher-kva.example"
