"""Issue: one edition: a draft, then approved, then sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from newsletter.errors import Conflict
from subscribers.model import Cadence

SUBJECT_MOST = 200  #: characters that an author may write
PREHEADER_MOST = 300
MAX_BLOCKS = 62  #: posts in one issue: a delivery stores which it carried as bits of a signed 64-bit integer


class IssueState(StrEnum):
    DRAFT = "draft"
    APPROVED = "approved"
    SENDING = "sending"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


_MOVES: dict[IssueState, frozenset[IssueState]] = {
    IssueState.DRAFT: frozenset({IssueState.APPROVED, IssueState.CANCELLED}),
    IssueState.APPROVED: frozenset({IssueState.DRAFT, IssueState.SENDING, IssueState.CANCELLED}),
    IssueState.SENDING: frozenset({IssueState.PAUSED, IssueState.FINISHED, IssueState.CANCELLED}),
    IssueState.PAUSED: frozenset({IssueState.SENDING, IssueState.CANCELLED}),
    IssueState.FINISHED: frozenset({IssueState.SENDING}),
    IssueState.CANCELLED: frozenset(),
}


_NEXT: dict[IssueState, str] = {  # what can be done with an issue in this state
    IssueState.DRAFT: "Approve it first: newsletter issues approve ID",
    IssueState.APPROVED: "It goes out at its time; to change it first: newsletter issues edit ID",
    IssueState.SENDING: "Stop it first: newsletter issues pause ID, or newsletter issues cancel ID",
    IssueState.PAUSED: "Send on, or give it up: newsletter issues resume ID, newsletter issues cancel ID",
    IssueState.FINISHED: "See what became of it, and what can be sent again: newsletter issues receipt ID",
    IssueState.CANCELLED: "It stays as it is; its posts: newsletter posts list",
}


def move_issue(state: IssueState, to: IssueState) -> IssueState:
    """The one place where an issue changes state. Raises Conflict for a move that does not exist."""
    if to not in _MOVES[state]:
        raise Conflict(f"An issue that is {state} cannot become {to}.", hint=_NEXT[state])
    return to


@dataclass(frozen=True, kw_only=True)
class IssuePost:
    """A post's place in an issue. ``block`` is its bit in a delivery's mask and never changes."""

    post_id: int
    block: int
    included: bool = True
    withdrawn: bool = False  #: left out because the post itself is not to be mailed, until it is again
    revision: int = 1  #: the post's revision that was composed


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """An issue as one of its posts sees it."""

    issue_id: int
    subject: str
    state: IssueState
    cadence: Cadence
    included: bool


@dataclass(frozen=True, kw_only=True)
class Issue:
    id: int
    state: IssueState
    cadence: Cadence
    period: str = ""  #: digests: the period's key, such as 2026-W05; each post: empty
    subject: str
    preheader: str = ""
    note: str = ""  #: the author's introduction, Markdown
    excerpts: bool | None = None  #: posts by their beginnings, or whole; None: as the theme has it
    alts: tuple[tuple[str, str], ...] = ()  #: (a picture's address, its description; empty: decoration)
    segment: str = ""  #: the saved part of the list that it is for; empty: everybody of its rhythm
    segment_filter: str = ""  #: approved: whom the segment held then, as JSON of subscribers.segments.Filter
    posts: tuple[IssuePost, ...] = ()
    edition: int = 0  #: grows with every change of what is in it
    content_hash: str = ""  #: of the artefact; empty until composed
    approved_hash: str = ""  #: the content hash that the author approved
    created_at: datetime
    changed_at: datetime
    send_at: datetime | None = None  #: approved: when sending is due
    approved_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    audience_bound: int = 0  #: the highest subscriber id when sending started
    audience_cursor: int = 0  #: expanded up to this subscriber id
    audience_drawn: bool = False
    problem: str = ""  #: why it is paused, or went back to draft; one sentence
    subject_edited: bool = False  #: the author's own subject survives recomposition
    preheader_edited: bool = False

    @property
    def included(self) -> tuple[IssuePost, ...]:
        return tuple(place for place in self.posts if place.included)
