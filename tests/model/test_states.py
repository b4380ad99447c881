"""Every move between states that exists, and none that does not."""

from __future__ import annotations

from itertools import product

import pytest

from newsletter.errors import Conflict
from newsletter.model.delivery import DeliveryState, move_delivery, states_before
from newsletter.model.issue import IssueState, move_issue
from newsletter.model.notice import NoticeState, notice_states_before
from newsletter.model.post import PostState, move_post

D, E, N, P = DeliveryState, IssueState, NoticeState, PostState

ISSUE_MOVES = {
    (E.DRAFT, E.APPROVED), (E.APPROVED, E.DRAFT), (E.APPROVED, E.SENDING), (E.SENDING, E.PAUSED),
    (E.PAUSED, E.SENDING), (E.SENDING, E.FINISHED), (E.FINISHED, E.SENDING),
    (E.DRAFT, E.CANCELLED), (E.APPROVED, E.CANCELLED), (E.SENDING, E.CANCELLED), (E.PAUSED, E.CANCELLED),
}  # fmt: skip
POST_MOVES = {
    (P.BASELINE, P.READY), (P.SETTLING, P.READY), (P.SETTLING, P.HELD), (P.SETTLING, P.SKIPPED),
    (P.SETTLING, P.GONE), (P.READY, P.SKIPPED), (P.READY, P.GONE), (P.HELD, P.READY), (P.HELD, P.SKIPPED),
    (P.HELD, P.GONE), (P.SKIPPED, P.READY),
    (P.GONE, P.READY), (P.GONE, P.SETTLING), (P.GONE, P.HELD),  # a post that came back
}  # fmt: skip


@pytest.mark.parametrize(("state", "to"), list(product(IssueState, IssueState)))
def test_an_issue_moves_only_where_it_may(state: IssueState, to: IssueState) -> None:
    if (state, to) in ISSUE_MOVES:
        assert move_issue(state, to) is to
    else:
        with pytest.raises(Conflict, match=f"is {state} cannot become {to}") as refused:
            move_issue(state, to)
        assert refused.value.hint, "what can be done instead"


@pytest.mark.parametrize(("state", "to"), list(product(PostState, PostState)))
def test_a_post_moves_only_where_it_may(state: PostState, to: PostState) -> None:
    if (state, to) in POST_MOVES or state is to:
        assert move_post(state, to) is to
    else:
        with pytest.raises(Conflict):
            move_post(state, to)


def test_what_a_provider_may_have_acted_upon_never_waits_to_be_sent_again_by_itself() -> None:
    """Invariants 7 and 8: from unknown and accepted, only evidence or a person leads on."""
    assert states_before(D.CLAIMED) == (D.PENDING, D.RETRY_WAIT)
    assert states_before(D.SUBMITTING) == (D.CLAIMED,)
    assert D.ACCEPTED not in states_before(D.PENDING)
    assert D.SKIPPED not in states_before(D.PENDING)
    assert set(states_before(D.UNKNOWN)) == {D.SUBMITTING}


@pytest.mark.parametrize(("state", "to"), list(product(DeliveryState, DeliveryState)))
def test_the_bulk_guard_agrees_with_the_transition(state: DeliveryState, to: DeliveryState) -> None:
    if state in states_before(to):
        assert move_delivery(state, to) is to
    else:
        with pytest.raises(Conflict):
            move_delivery(state, to)


def test_a_notice_that_failed_stays_failed_and_one_that_may_have_arrived_is_never_sent_again() -> None:
    for to in NoticeState:
        assert N.FAILED not in notice_states_before(to)
    assert notice_states_before(N.SUBMITTING) == (N.PENDING,)
    assert notice_states_before(N.PENDING) == (N.SUBMITTING,)
    assert set(notice_states_before(N.ACCEPTED)) == {N.SUBMITTING, N.UNKNOWN}
