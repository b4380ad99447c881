"""Telling the author: one notice for each occasion, never a second."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from newsletter.config import Settings
from newsletter.model.notice import NewNotice, NoticeKind

if TYPE_CHECKING:
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
