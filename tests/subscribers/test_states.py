"""Invariant 10, for every state, every set of causes and every act."""

from __future__ import annotations

from itertools import chain, combinations, product
from typing import TypeAlias

import pytest

from subscribers.model import SubscriberState, SuppressionCause
from subscribers.states import Act, Move, Standing, decide

S: TypeAlias = SubscriberState
C: TypeAlias = SuppressionCause
STATES = (None, *S)
CAUSES = [frozenset(some) for some in chain.from_iterable(combinations(C, n) for n in range(len(C) + 1))]
EVERY = [
    Standing(state=state, causes=causes, consented=consented)
    for state, causes, consented in product(STATES, CAUSES, (False, True))
]
LIFTED_BY = {
    C.UNSUBSCRIBED: {Act.CONFIRM, Act.UNDO},
    C.BOUNCED: {Act.CONFIRM},
    C.ERASED: {Act.CONFIRM},
    C.COMPLAINED: {Act.LIFT},
    C.MANUAL: {Act.LIFT},
}
LEAVING = {Act.UNSUBSCRIBE, Act.BOUNCE, Act.COMPLAIN, Act.SUPPRESS, Act.ERASE}
ADDING = {Act.IMPORT, Act.AUTHOR, Act.SIGN_UP, Act.CONFIRM}

# What each old state, without further suppressions, becomes: the table of the documentation.
U, A, N, B, X = S.UNCONFIRMED, S.ACTIVE, S.UNSUBSCRIBED, S.BOUNCED, S.COMPLAINED
TABLE = [
    # state, its cause   import  author  sign-up, asked?  own confirmed sign-up
    (None, None, A, A, U, True, A),
    (U, None, A, A, U, True, A),
    (A, None, A, A, A, False, A),
    (N, C.UNSUBSCRIBED, N, N, N, True, A),
    (B, C.BOUNCED, B, B, B, True, A),
    (X, C.COMPLAINED, X, X, X, False, X),
    (N, C.MANUAL, N, N, N, False, N),
    (None, C.ERASED, None, None, U, True, A),
    (None, C.UNSUBSCRIBED, None, None, U, True, A),
    (None, C.COMPLAINED, None, None, None, False, None),
    (None, C.MANUAL, None, None, None, False, None),
]


@pytest.mark.parametrize(("state", "cause", "imported", "added", "signed_up", "asked", "confirmed"), TABLE)
def test_each_old_state_becomes_what_the_table_says(
    state: S | None,
    cause: C | None,
    imported: S | None,
    added: S | None,
    signed_up: S | None,
    asked: bool,
    confirmed: S | None,
) -> None:
    standing = Standing(state=state, causes=frozenset({cause} if cause else ()), consented=True)

    assert decide(standing, Act.IMPORT).state is imported
    assert decide(standing, Act.AUTHOR).state is added
    assert decide(standing, Act.SIGN_UP).state is signed_up
    assert decide(standing, Act.SIGN_UP).ask is asked
    assert decide(standing, Act.CONFIRM).state is confirmed


@pytest.mark.parametrize("act", list(Act))
def test_a_cause_is_lifted_only_by_the_act_that_may(act: Act) -> None:
    for standing in EVERY:
        for lifted in standing.causes - decide(standing, act).causes:
            assert act in LIFTED_BY[lifted], (standing, lifted)


@pytest.mark.parametrize("act", list(Act))
def test_only_adding_by_the_author_and_the_own_opt_in_make_somebody_active(act: Act) -> None:
    may = {Act.IMPORT, Act.AUTHOR, Act.CONFIRM}
    for standing in EVERY:
        if decide(standing, act).state is S.ACTIVE and standing.state is not S.ACTIVE:
            lifted = {cause for cause, acts in LIFTED_BY.items() if act in acts}
            assert act in may or (standing.consented and standing.causes <= lifted), standing


@pytest.mark.parametrize("act", [Act.IMPORT, Act.AUTHOR])
def test_adding_never_touches_who_left(act: Act) -> None:
    for standing in EVERY:
        if standing.causes or standing.state in (N, B, X, S.ERASED):
            move = decide(standing, act)
            assert move.refused and _unchanged(standing, move), standing


@pytest.mark.parametrize("act", list(Act))
def test_what_is_refused_changes_nothing(act: Act) -> None:
    for standing in EVERY:
        move = decide(standing, act)
        if move.refused:
            assert act in ADDING and _unchanged(standing, move) and not move.ask, standing


@pytest.mark.parametrize("act", sorted(LEAVING))
def test_leaving_is_always_remembered_and_never_makes_mail_possible(act: Act) -> None:
    for standing in EVERY:
        move = decide(standing, act)
        if standing.state is not S.ERASED:
            assert move.causes > standing.causes or move.causes == standing.causes
            assert move.causes and move.state is not S.ACTIVE, standing


@pytest.mark.parametrize("act", list(Act))
def test_doing_it_again_changes_nothing_more(act: Act) -> None:
    for standing in EVERY:
        once = decide(standing, act)
        again = decide(Standing(state=once.state, causes=once.causes, consented=standing.consented), act)
        assert (again.state, again.causes) == (once.state, once.causes), standing


def test_a_sign_up_alone_never_mails_an_issue_to_anybody() -> None:
    for standing in EVERY:
        move = decide(standing, Act.SIGN_UP)
        assert move.state is (standing.state or (None if move.refused else U)), standing
        assert move.causes == standing.causes


def test_nobody_is_asked_to_confirm_who_complained_or_whom_the_author_excluded() -> None:
    for standing in EVERY:
        if standing.causes & {C.COMPLAINED, C.MANUAL} or standing.state is X:
            assert not decide(standing, Act.SIGN_UP).ask, standing


def test_an_erased_row_stays_erased() -> None:
    for act, causes in product(Act, CAUSES):
        standing = Standing(state=S.ERASED, causes=causes)
        assert _unchanged(standing, decide(standing, act))


@pytest.mark.parametrize("act", [Act.LIFT, Act.UNDO])
def test_lifting_gives_nobody_a_consent_they_never_gave(act: Act) -> None:
    for standing in EVERY:
        if not standing.consented and standing.state is not A:
            assert decide(standing, act).state is not A, standing


@pytest.mark.parametrize("state", [A, U])
def test_taking_back_an_unsubscription_restores_what_was(state: S) -> None:
    left = decide(Standing(state=state, consented=state is A), Act.UNSUBSCRIBE)
    back = decide(Standing(state=left.state, causes=left.causes, consented=state is A), Act.UNDO)

    assert (left.state, back.state, back.causes) == (N, state, frozenset())


def _unchanged(standing: Standing, move: Move) -> bool:
    return (move.state, move.causes) == (standing.state, standing.causes)
