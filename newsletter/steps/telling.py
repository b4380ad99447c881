"""Notices and their occasions: one for each, never a second."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from newsletter.config import Settings
from newsletter.model.issue import IssueState
from newsletter.model.notice import NewNotice, NoticeKind
from subscribers.model import Subscriber
from subscribers.signups import Ask

if TYPE_CHECKING:
    from newsletter.steps.tools import Tools
    from newsletter.store.unit import Unit


def tell_author(
    unit: Unit,
    settings: Settings,
    *,
    key: str,
    kind: NoticeKind,
    now: datetime,
    data: Mapping[str, str],
    issue_id: int | None = None,
) -> bool:
    """Queues a notice to the author; False where it was told already or nobody is set."""
    if not settings.author_address:
        return False
    return unit.notices.queue(
        NewNotice(key=key, kind=kind, to=settings.author_address, issue_id=issue_id, data=data), now
    )


def tell_if_paused(tools: Tools, issue_id: int, problem: str) -> None:
    """Tells the author, once for each time, that an issue waits for them."""
    settings = tools.settings()
    with tools.begin() as unit:
        issue = unit.issues.get(issue_id)
        if issue.state is IssueState.PAUSED:
            tell_author(
                unit,
                settings,
                key=f"paused:{issue_id}:{issue.changed_at.timestamp():.0f}",
                kind=NoticeKind.PROBLEM,
                issue_id=issue_id,
                data={"text": f"{issue.subject}: {problem}", "hint": ""},
                now=tools.clock(),
            )


def confirmation(ask: Ask) -> NewNotice:
    """The message that asks an address. Its text has nothing that a stranger wrote."""
    return NewNotice(
        key=f"confirm:{ask.request_id}{':reminder' if ask.reminder else ''}",
        kind=NoticeKind.CONFIRM,
        to=ask.address,
        subscriber_id=ask.subscriber_id,
        data={"request": str(ask.request_id), **({"reminder": "yes"} if ask.reminder else {})},
    )


def welcome(person: Subscriber, request_id: int = 0) -> NewNotice:
    """One for each time that somebody joins."""
    return NewNotice(
        key=f"welcome:{person.id}:{request_id}",
        kind=NoticeKind.WELCOME,
        to=person.address,
        subscriber_id=person.id,
    )
