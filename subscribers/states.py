"""Who may be mailed after what: the one place where a subscriber's state changes (invariant 10).

Suppression decides, state displays. Only the address's own confirmed opt-in lifts ``unsubscribed``,
``bounced`` and ``erased``; only the author lifts ``complained`` and ``manual``, and by an act of its own.
An import, somebody else's sign-up or a replayed event lift nothing. An unsubscription can be taken back by
whoever made it, from the page that told of it; that restores what was and lifts nothing older.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from subscribers.model import SubscriberState, SuppressionCause

_S = SubscriberState
_C = SuppressionCause


class Act(StrEnum):
    """What somebody, or a provider's event, does to an address."""

    IMPORT = "import"
    AUTHOR = "author"  #: the author adds it by hand
    SIGN_UP = "sign_up"  #: a form was sent; nobody knows yet by whom
    CONFIRM = "confirm"  #: the address's own confirmed opt-in
    UNSUBSCRIBE = "unsubscribe"
    BOUNCE = "bounce"  #: hard, or the last of several soft ones
    COMPLAIN = "complain"
    SUPPRESS = "suppress"  #: the author: never mail this one
    LIFT = "lift"  #: the author takes back a complaint or their own suppression
    UNDO = "undo"  #: whoever just unsubscribed by a link takes that back, at once
    ERASE = "erase"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What is known of an address. ``state`` is None where no row has it."""

    state: SubscriberState | None
    causes: frozenset[SuppressionCause] = frozenset()
    consented: bool = False  #: whether any consent is on record


@dataclass(frozen=True, kw_only=True)
class Move:
    """What an act leads to. ``refused`` names the cause that forbids it; then nothing changes.

    ``ask`` says that a confirmation is to be sent.
    """

    state: SubscriberState | None
    causes: frozenset[SuppressionCause]
    ask: bool = False
    refused: str = ""


STRONGEST: Final = (_C.ERASED, _C.COMPLAINED, _C.MANUAL, _C.BOUNCED, _C.UNSUBSCRIBED)
"""Which cause is told where an address has several."""

_LIFTS: Final = {
    Act.LIFT: frozenset({_C.COMPLAINED, _C.MANUAL}),
    Act.UNDO: frozenset({_C.UNSUBSCRIBED}),
}
_LEFT: Final = {  # what a state displays, the strongest first
    _S.COMPLAINED: _C.COMPLAINED,
    _S.BOUNCED: _C.BOUNCED,
    _S.UNSUBSCRIBED: _C.UNSUBSCRIBED,
}


def decide(standing: Standing, act: Act) -> Move:
    """What ``act`` does to an address that stands so. Total: every state, every set of causes, every act.

    An erased row is nobody's any more (its address is gone), so that no act changes it.
    """
    stays = Move(state=standing.state, causes=standing.causes)
    if standing.state is _S.ERASED:
        return replace(stays, refused=_C.ERASED) if act in _ADDING else stays
    if act in (Act.IMPORT, Act.AUTHOR):
        why = _told(standing)
        return replace(stays, refused=why) if why else replace(stays, state=_S.ACTIVE)
    if act is Act.SIGN_UP:
        return _sign_up(standing, stays)
    if act is Act.CONFIRM:
        why = _forbidden(standing)
        return replace(stays, refused=why) if why else Move(state=_S.ACTIVE, causes=frozenset())
    if act in _LIFTS:
        return _lift(standing, stays, _LIFTS[act])
    return _leave(standing, act)


_ADDING: Final = frozenset({Act.IMPORT, Act.AUTHOR, Act.SIGN_UP, Act.CONFIRM})


def cause_of(act: Act) -> SuppressionCause | None:
    """Why an address is not mailed any more after this act; None for an act that adds no cause."""
    return _LEAVING[act][0] if act in _LEAVING else None


def displayed(before: SubscriberState, causes: frozenset[SuppressionCause]) -> SubscriberState:
    """What somebody displays who was in state ``before``, where these causes stand: nobody is shown as
    active whom something forbids to mail."""
    if not causes or before in _LEFT or before is _S.ERASED:
        return before
    return next((state for state, cause in _LEFT.items() if cause in causes), _S.UNSUBSCRIBED)


def _sign_up(standing: Standing, stays: Move) -> Move:
    why = _forbidden(standing)
    if why:
        return replace(stays, refused=why)
    if standing.state is _S.ACTIVE and not standing.causes:
        return stays
    return replace(stays, state=standing.state or _S.UNCONFIRMED, ask=True)


def _leave(standing: Standing, act: Act) -> Move:
    cause, state = _LEAVING[act]
    causes = standing.causes | {cause}
    if standing.state is None:
        return Move(state=None, causes=causes)
    if act in (Act.COMPLAIN, Act.ERASE) or standing.state is _S.ACTIVE:
        return Move(state=state, causes=causes)
    if standing.state is _S.UNCONFIRMED and act is not Act.SUPPRESS:
        return Move(state=state, causes=causes)
    return Move(state=standing.state, causes=causes)


_LEAVING: Final = {
    Act.UNSUBSCRIBE: (_C.UNSUBSCRIBED, _S.UNSUBSCRIBED),
    Act.BOUNCE: (_C.BOUNCED, _S.BOUNCED),
    Act.COMPLAIN: (_C.COMPLAINED, _S.COMPLAINED),
    Act.SUPPRESS: (_C.MANUAL, _S.UNSUBSCRIBED),
    Act.ERASE: (_C.ERASED, _S.ERASED),
}


def _lift(standing: Standing, stays: Move, lifted: frozenset[SuppressionCause]) -> Move:
    causes = standing.causes - lifted
    shown = _LEFT.get(standing.state) if standing.state else None
    if causes == standing.causes and shown not in lifted:
        return stays
    # Someone whom the author suppressed displays as unsubscribed without having left.
    if shown is None or (shown not in lifted and standing.state is not _S.UNSUBSCRIBED):
        return replace(stays, causes=causes)
    left = next((state for state, cause in _LEFT.items() if cause in causes), None)
    if causes:
        return Move(state=left or _S.UNSUBSCRIBED, causes=causes)
    return Move(state=_S.ACTIVE if standing.consented else _S.UNCONFIRMED, causes=causes)


def _forbidden(standing: Standing) -> str:
    """What even the address's own opt-in does not lift, or an empty string."""
    for cause in (_C.COMPLAINED, _C.MANUAL):
        if cause in standing.causes or _LEFT.get(standing.state or _S.ACTIVE) is cause:
            return cause
    return ""


def _told(standing: Standing) -> str:
    """Why the address is not to be mailed, or an empty string."""
    shown = _LEFT.get(standing.state or _S.ACTIVE)
    return next((cause for cause in STRONGEST if cause in standing.causes or cause is shown), "")
