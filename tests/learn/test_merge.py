from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.learn.merge import Consequence, consequence, merge
from newsletter.model.delivery import DeliveryFlag, DeliveryState, states_before
from newsletter.model.event import Event, EventKind
from tests.send.world import NOW

K, S, F = EventKind, DeliveryState, DeliveryFlag


def event(kind: EventKind, code: str = "") -> Event:
    return Event(provider="test", key=kind.value, kind=kind, at=NOW, code=code)


def after(start: DeliveryState, *kinds: EventKind) -> tuple[DeliveryState, DeliveryFlag]:
    state, flags = start, F.NONE
    for kind in kinds:
        state, flags = merge(state, flags, event(kind))
    return state, flags


@given(kinds=st.lists(st.sampled_from(list(K)), max_size=4), start=st.sampled_from([S.UNKNOWN, S.ACCEPTED]))
def test_the_order_in_which_events_come_changes_nothing(kinds: list[EventKind], start: DeliveryState) -> None:
    assert len({after(start, *order) for order in permutations(kinds)}) == 1


@given(kinds=st.lists(st.sampled_from(list(K)), max_size=6), start=st.sampled_from(list(S)))
def test_the_same_event_twice_changes_nothing_more(kinds: list[EventKind], start: DeliveryState) -> None:
    assert after(start, *kinds) == after(start, *kinds, *kinds)


@given(kind=st.sampled_from(list(K)), start=st.sampled_from(list(S)))
def test_every_change_is_one_that_the_model_knows(kind: EventKind, start: DeliveryState) -> None:
    state, _ = merge(start, F.NONE, event(kind))
    assert state is start or start in states_before(state)


@pytest.mark.parametrize("kind", sorted(set(K) - {K.BLOCKED, K.DROPPED}))
def test_a_sign_of_life_settles_an_unknown_as_accepted(kind: EventKind) -> None:
    assert after(S.UNKNOWN, kind)[0] is S.ACCEPTED


@pytest.mark.parametrize("kind", [K.BLOCKED, K.DROPPED])
@pytest.mark.parametrize("start", [S.UNKNOWN, S.ACCEPTED])
def test_a_drop_or_block_is_a_failure(kind: EventKind, start: DeliveryState) -> None:
    assert after(start, kind)[0] is S.FAILED


@pytest.mark.parametrize("kind", list(K))
@pytest.mark.parametrize("start", [S.PENDING, S.CLAIMED, S.SUBMITTING, S.RETRY_WAIT, S.SKIPPED])
def test_what_is_under_way_is_left_to_its_attempt(kind: EventKind, start: DeliveryState) -> None:
    assert after(start, kind)[0] is start


@pytest.mark.parametrize(
    ("kind", "code", "what"),
    [
        (K.PROCESSED, "", Consequence.NONE),
        (K.DEFERRED, "4.7.1", Consequence.NONE),
        (K.DELIVERED, "", Consequence.DELIVERED),
        (K.BOUNCED, "5.1.1", Consequence.BOUNCED),
        (K.SOFT_BOUNCED, "5.2.2", Consequence.STRIKE),
        (K.BLOCKED, "5.7.1", Consequence.NONE),
        (K.DROPPED, "bounced", Consequence.BOUNCED),
        (K.DROPPED, "invalid", Consequence.BOUNCED),
        (K.DROPPED, "complained", Consequence.COMPLAINED),
        (K.DROPPED, "unsubscribed", Consequence.UNSUBSCRIBED),
        (K.DROPPED, "quota", Consequence.NONE),
        (K.COMPLAINED, "", Consequence.COMPLAINED),
        (K.UNSUBSCRIBED, "", Consequence.UNSUBSCRIBED),
    ],
)
def test_what_happens_to_the_subscriber(kind: EventKind, code: str, what: Consequence) -> None:
    assert consequence(event(kind, code)) is what
