"""Delivery: one issue to one subscriber, and its state. Attempt, Envelope and Outcome around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, IntFlag, StrEnum
from types import MappingProxyType
from typing import NamedTuple

from newsletter.errors import Conflict
from newsletter.model.artefact import Segment
from newsletter.model.publication import Sender


class DeliveryState(IntEnum):
    """Small integers, since a million rows hold one each."""

    PENDING = 0
    CLAIMED = 1
    SUBMITTING = 2  #: durable before a provider could act (invariant 7)
    ACCEPTED = 3
    FAILED = 4
    UNKNOWN = 5
    RETRY_WAIT = 6
    SKIPPED = 7

    @property
    def word(self) -> str:
        return self.name.lower()


_S = DeliveryState
_MOVES: dict[DeliveryState, frozenset[DeliveryState]] = {
    # Straight to waiting: its domain rests, or has had its share for now.
    _S.PENDING: frozenset({_S.CLAIMED, _S.SKIPPED, _S.RETRY_WAIT}),
    # Back to pending: the lease ran out or the transport never began. Nothing had been handed over.
    _S.CLAIMED: frozenset({_S.PENDING, _S.SUBMITTING, _S.SKIPPED}),
    # Back to pending only where the transport knows that no provider could have acted (invariant 7).
    _S.SUBMITTING: frozenset({_S.PENDING, _S.ACCEPTED, _S.FAILED, _S.UNKNOWN, _S.RETRY_WAIT}),
    _S.RETRY_WAIT: frozenset({_S.RETRY_WAIT, _S.PENDING, _S.CLAIMED, _S.FAILED, _S.SKIPPED}),
    # Evidence settles an unknown; resending it is a person's choice (invariant 8).
    _S.UNKNOWN: frozenset({_S.ACCEPTED, _S.FAILED, _S.PENDING}),
    _S.ACCEPTED: frozenset({_S.FAILED}),  # dropped or blocked later
    _S.FAILED: frozenset({_S.PENDING, _S.ACCEPTED}),  # retry, chosen by a person; a late event
    _S.SKIPPED: frozenset(),
}


def move_delivery(state: DeliveryState, to: DeliveryState) -> DeliveryState:
    """The one place where a delivery changes state. Raises Conflict for a move that does not exist."""
    if to not in _MOVES[state]:
        raise Conflict(f"A delivery that is {state.word} cannot become {to.word}.")
    return to


def states_before(to: DeliveryState) -> tuple[DeliveryState, ...]:
    """The states from which a delivery may become ``to``; for guarded bulk updates."""
    return tuple(state for state, targets in _MOVES.items() if to in targets)


class DeliveryFlag(IntFlag):
    """What became known of an accepted delivery later."""

    NONE = 0
    DELIVERED = 1
    BOUNCED = 2
    COMPLAINED = 4
    UNSUBSCRIBED = 8


class MessageKey(NamedTuple):
    """Names one message: a delivery (issue, subscriber), or a notice (0, notice)."""

    issue_id: int
    number: int

    @property
    def is_notice(self) -> bool:
        return self.issue_id == 0


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One hand-over of deliveries to a transport. ``id`` is the fencing token: it only grows."""

    id: int
    issue_id: int
    transport: str
    lease_until: datetime


@dataclass(frozen=True, kw_only=True)
class Letter:
    """What many messages share: one per issue variant, one per notice.

    ``id`` derives from the content; ``headers`` are the same for every recipient (List-Id, ...).
    """

    id: str
    sender: Sender
    reply_to: str
    subject: str
    language: str
    html: tuple[Segment, ...]
    text: tuple[Segment, ...]
    headers: tuple[tuple[str, str], ...] = ()


class Envelope(NamedTuple):
    """One message about to be handed over. A tuple, as is :class:`Outcome`: each costs a message a quarter of
    what a frozen dataclass does.

    ``values`` fill the letter's slots, unescaped. ``message_id`` is the same on every retry of the same
    delivery and has angle brackets. ``headers`` are this recipient's own (List-Unsubscribe, ...).
    ``attempt_id`` is 0 for notices.
    """

    key: MessageKey
    to: str
    letter: Letter
    message_id: str
    values: Mapping[str, str] = MappingProxyType({})
    headers: tuple[tuple[str, str], ...] = ()
    attempt_id: int = 0


class Verdict(StrEnum):
    ACCEPTED = "accepted"
    RETRY = "retry"  #: a definite refusal that may pass
    FAILED = "failed"  #: a definite refusal for good
    UNKNOWN = "unknown"  #: the provider may have acted
    UNSENT = "unsent"  #: the provider cannot have acted: as if never tried


class Outcome(NamedTuple):
    """What a transport knows of one envelope. ``reason`` carries no address.

    ``provider_id`` is the queue id or X-Message-Id. ``bad_address`` says that the refusal names the
    address itself as bad, so that it is suppressed. ``retry_after_s`` is a wish of the provider.
    ``slow_domain`` names a domain whose server wants less from us for a while.
    """

    key: MessageKey
    verdict: Verdict
    code: str = ""
    reason: str = ""
    provider_id: str = ""
    bad_address: bool = False
    retry_after_s: int | None = None
    slow_domain: str = ""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One row of the ledger, as the receipt shows it."""

    issue_id: int
    subscriber_id: int
    state: DeliveryState
    blocks: int = 0  #: mask of the posts it carried
    flags: DeliveryFlag = DeliveryFlag.NONE
    attempt_id: int = 0
    tries: int = 0
    retry_at: datetime | None = None
    code: str = ""
    reason: str = ""
    provider_id: str = ""
    changed_at: datetime | None = None


class Claimed(NamedTuple):
    """A delivery that may be claimed: its mask, and how often it was tried before."""

    subscriber_id: int
    blocks: int
    tries: int = 0


class Marked(NamedTuple):
    """What became of a window that was to be handed over: who may be, whether the lease is still held, and
    whether the issue is being sent."""

    ids: frozenset[int] = frozenset()
    held: bool = True
    sending: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What the ledger is to record of one delivery. ``retry_at`` only where it waits."""

    subscriber_id: int
    state: DeliveryState
    tries: int = 0
    retry_at: datetime | None = None
    code: str = ""
    reason: str = ""
    provider_id: str = ""
    bad_address: bool = False
    slow_domain: str = ""
