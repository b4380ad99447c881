"""What an event means for its delivery and for its subscriber. Pure.

Events come late, twice and in any order, so they are merged by what they say and never by when they came:
the same events in any order leave the same delivery.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from newsletter.model.delivery import DeliveryFlag, DeliveryState
from newsletter.model.event import Event, EventKind

_K = EventKind
_FLAGS: Final = {
    _K.DELIVERED: DeliveryFlag.DELIVERED,
    _K.BOUNCED: DeliveryFlag.BOUNCED,
    _K.SOFT_BOUNCED: DeliveryFlag.BOUNCED,
    _K.COMPLAINED: DeliveryFlag.COMPLAINED,
    _K.UNSUBSCRIBED: DeliveryFlag.UNSUBSCRIBED,
}
_REFUSED: Final = frozenset({_K.BLOCKED, _K.DROPPED})


class Consequence(StrEnum):
    """What happens to the subscriber."""

    NONE = "none"
    DELIVERED = "delivered"  #: their strikes are forgotten
    STRIKE = "strike"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"


_CONSEQUENCES: Final = {
    _K.DELIVERED: Consequence.DELIVERED,
    _K.SOFT_BOUNCED: Consequence.STRIKE,
    _K.BOUNCED: Consequence.BOUNCED,
    _K.COMPLAINED: Consequence.COMPLAINED,
    _K.UNSUBSCRIBED: Consequence.UNSUBSCRIBED,
}
_DROPPED_FOR: Final = {
    "bounced": Consequence.BOUNCED,
    "invalid": Consequence.BOUNCED,
    "complained": Consequence.COMPLAINED,
    "unsubscribed": Consequence.UNSUBSCRIBED,
}
ABOUT_US: Final = frozenset({"quota", "content"})
"""Codes of dropped events that are about the account or the issue: sending pauses."""


def merge(state: DeliveryState, flags: DeliveryFlag, event: Event) -> tuple[DeliveryState, DeliveryFlag]:
    """The delivery after an event.

    Any sign of life from the provider settles an unknown as accepted; a drop or block fails it, unless the
    message is known to have been delivered. One that is being handed over has to be waited for: what it
    becomes is not known yet.
    """
    flags |= _FLAGS.get(event.kind, DeliveryFlag.NONE)
    if event.kind in _REFUSED:
        lost = state is DeliveryState.UNKNOWN or state is DeliveryState.ACCEPTED
        if lost and DeliveryFlag.DELIVERED not in flags:
            return DeliveryState.FAILED, flags
        return state, flags
    if state is DeliveryState.UNKNOWN:
        return DeliveryState.ACCEPTED, flags
    if state is DeliveryState.FAILED and event.kind is _K.DELIVERED:
        return DeliveryState.ACCEPTED, flags
    return state, flags


def consequence(event: Event) -> Consequence:
    """What happens to the subscriber. A block is about the sender and spares them."""
    if event.kind is _K.DROPPED:
        return _DROPPED_FOR.get(event.code, Consequence.NONE)
    return _CONSEQUENCES.get(event.kind, Consequence.NONE)
