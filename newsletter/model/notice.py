"""Notice: one message outside any issue: confirm, welcome, draft waiting, a problem, a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class NoticeKind(StrEnum):
    CONFIRM = "confirm"
    WELCOME = "welcome"
    ADDRESS_CHANGE = "address_change"
    SUBSCRIBER_LINK = "subscriber_link"  #: a fresh 30-minute link to name, export, erasure
    DRAFT_WAITING = "draft_waiting"
    POST_HELD = "post_held"
    PROBLEM = "problem"
    TEST = "test"


class NoticeState(StrEnum):
    PENDING = "pending"
    SUBMITTING = "submitting"
    ACCEPTED = "accepted"
    FAILED = "failed"
    UNKNOWN = "unknown"


_MOVES: dict[NoticeState, frozenset[NoticeState]] = {
    NoticeState.PENDING: frozenset({NoticeState.SUBMITTING, NoticeState.FAILED}),
    NoticeState.SUBMITTING: frozenset(
        {NoticeState.PENDING, NoticeState.ACCEPTED, NoticeState.FAILED, NoticeState.UNKNOWN}
    ),
    NoticeState.ACCEPTED: frozenset({NoticeState.FAILED}),
    NoticeState.FAILED: frozenset(),
    NoticeState.UNKNOWN: frozenset({NoticeState.ACCEPTED, NoticeState.FAILED}),
}


def notice_states_before(to: NoticeState) -> tuple[NoticeState, ...]:
    """The states from which a notice may become ``to``: the one place that says so, for guarded updates."""
    return tuple(state for state, targets in _MOVES.items() if to in targets)


@dataclass(frozen=True, kw_only=True)
class Notice:
    """``key`` is unique: the same occasion never makes two notices.

    ``data`` holds what its template shows (strings only; never a stranger's free text for
    CONFIRM). It is rendered when it is sent, so no link token is kept at rest.
    """

    id: int
    key: str
    kind: NoticeKind
    to: str
    subscriber_id: int | None = None
    issue_id: int | None = None
    data: Mapping[str, str] = field(default_factory=dict)
    state: NoticeState = NoticeState.PENDING
    created_at: datetime
    due_at: datetime
    tries: int = 0
    sent_at: datetime | None = None
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class NewNotice:
    """A notice to be queued."""

    key: str
    kind: NoticeKind
    to: str
    subscriber_id: int | None = None
    issue_id: int | None = None
    data: Mapping[str, str] = field(default_factory=dict)
