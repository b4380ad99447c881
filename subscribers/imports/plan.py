"""What happens to one row, and why. Pure: the same answer for a dry run and a real one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from subscribers.addresses import is_role, suggestion
from subscribers.imports.rows import Person
from subscribers.model import ConsentKind, SubscriberState, SuppressionCause
from subscribers.states import Act, Move, Standing, decide

_S = SubscriberState


class Outcome(StrEnum):
    """What became, or would become, of a row."""

    ADDED = "added"
    ASKED = "added, to be asked"  #: no proof of consent came along: they are asked to confirm
    UNCONFIRMED = "added, not confirmed"  #: they never confirmed where they come from
    CHANGED = "changed"
    UNCHANGED = "already there"
    KEPT_OUT = "kept out"  #: they left or bounced where they come from
    REFUSED = "refused"  #: they left or bounced here
    INVALID = "left out"
    TWICE = "twice"


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """``state`` and ``causes`` are what the address has afterwards."""

    outcome: Outcome
    reason: str = ""
    state: SubscriberState | None = None
    causes: frozenset[SuppressionCause] = frozenset()


_ACTS: Final = {
    _S.UNSUBSCRIBED: Act.UNSUBSCRIBE,
    _S.BOUNCED: Act.BOUNCE,
    _S.COMPLAINED: Act.COMPLAIN,
}
_CAUSE_ACTS: Final = {
    SuppressionCause.UNSUBSCRIBED: Act.UNSUBSCRIBE,
    SuppressionCause.BOUNCED: Act.BOUNCE,
    SuppressionCause.COMPLAINED: Act.COMPLAIN,
    SuppressionCause.MANUAL: Act.SUPPRESS,
}
_THERE: Final = {
    _S.UNSUBSCRIBED: "they unsubscribed there",
    _S.BOUNCED: "mail to them bounced there",
    _S.COMPLAINED: "they complained there",
}
_HERE: Final = {
    SuppressionCause.UNSUBSCRIBED: "they unsubscribed here; only they can come back, by signing up",
    SuppressionCause.BOUNCED: "mail to them bounced here; signing up and confirming brings them back",
    SuppressionCause.COMPLAINED: "they complained here; only you can lift that, on their page",
    SuppressionCause.MANUAL: "you suppressed this address; only you can lift that",
    SuppressionCause.ERASED: "they asked to be forgotten; only they can come back, by signing up",
}


NOBODY: Final = Standing(state=None)
"""An address of which nothing is known, as nearly all of an import's are."""
_NO_PROOF: Final = "the file has no proof that they agreed"
_ADDED: Final = Planned(outcome=Outcome.ADDED, state=_S.ACTIVE)


@cache
def _decided(standing: Standing) -> Move:
    """There are few ways to stand, and millions of rows."""
    return decide(standing, Act.IMPORT)


def plan(person: Person, standing: Standing, *, changes: bool, ask: bool = False) -> Planned:
    """``changes`` says whether the row has a name or tags that somebody active lacks; ``ask``, whether
    people without proof of consent are to confirm before they are mailed."""
    if person.state is _S.ERASED:
        return Planned(outcome=Outcome.INVALID, reason="they were erased there")
    if person.suppressed or person.state in _ACTS:
        return _left(person, standing)
    if standing is not NOBODY:
        move = _decided(standing)
        if move.refused:
            return Planned(outcome=Outcome.REFUSED, reason=_HERE[SuppressionCause(move.refused)])
    if person.state is _S.UNCONFIRMED:
        if standing.state is not None:
            return Planned(outcome=Outcome.UNCHANGED, state=standing.state)
        return Planned(outcome=Outcome.UNCONFIRMED, reason="they never confirmed there", state=_S.UNCONFIRMED)
    ask = ask and person.agreed is None and person.kind in (None, ConsentKind.UNKNOWN)
    if standing.state is None:
        remark = remarks(person)
        if ask:
            return Planned(outcome=Outcome.ASKED, reason=remark or _NO_PROOF, state=_S.UNCONFIRMED)
        return Planned(outcome=Outcome.ADDED, reason=remark, state=_S.ACTIVE) if remark else _ADDED
    if standing.state is _S.UNCONFIRMED and not ask:
        return Planned(outcome=Outcome.CHANGED, reason="they were not confirmed yet", state=_S.ACTIVE)
    if changes:
        return Planned(outcome=Outcome.CHANGED, reason="a name or tags came along", state=standing.state)
    return Planned(outcome=Outcome.UNCHANGED, state=standing.state)


def _left(person: Person, standing: Standing) -> Planned:
    """They are not to be mailed. Somebody new is kept with that state, so that nobody adds them again."""
    reason = _THERE.get(person.state, "the file says never to mail them")
    if standing.state is None and person.suppressed:
        # Our own export: it says what the state was and why.
        causes = standing.causes | person.suppressed
        return Planned(outcome=Outcome.KEPT_OUT, reason=reason, state=person.state, causes=causes)
    acts = {_CAUSE_ACTS[cause] for cause in person.suppressed} or {_ACTS[person.state]}
    state, causes = standing.state or _S.ACTIVE, standing.causes
    for act in sorted(acts):
        move = decide(Standing(state=state, causes=causes), act)
        state, causes = move.state or state, move.causes
    if (state, causes) == (standing.state, standing.causes):
        return Planned(outcome=Outcome.UNCHANGED, state=state, causes=causes)
    return Planned(outcome=Outcome.KEPT_OUT, reason=reason, state=state, causes=causes)


def remarks(person: Person) -> str:
    """What the author should know of a good row, or an empty string."""
    meant = suggestion(person.address)
    if meant:
        return f"perhaps {meant.rpartition('@')[2]} is meant: look at it"
    if is_role(person.address):
        return "this is an office, not a person"
    return ""
