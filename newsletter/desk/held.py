"""What the house holds about a subscriber beside the list: for what they take along (GDPR 15, 20)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from newsletter.model.delivery import Delivery
from newsletter.model.event import Event
from newsletter.model.notice import Notice
from newsletter.model.times import maybe_rfc3339, rfc3339
from newsletter.model.tracking import Reading


class Post(Protocol):
    @property
    def title(self) -> str: ...
    @property
    def url(self) -> str: ...


class Sent(Protocol):
    def of_subscriber(self, subscriber_id: int, *, limit: int = 50) -> Sequence[Delivery]: ...
    def carried(self, subscriber_id: int) -> Mapping[int, Sequence[Post]]: ...


class Told(Protocol):
    def of_subscriber(self, subscriber_id: int, *, limit: int = 100) -> Sequence[tuple[Event, str]]: ...


class Read(Protocol):
    def of_subscriber(self, subscriber_id: int) -> Sequence[Reading]: ...


class Noticed(Protocol):
    def of_subscriber(self, subscriber_id: int, *, limit: int) -> Sequence[Notice]: ...


class Holding(Protocol):
    """An open transaction."""

    @property
    def deliveries(self) -> Sent: ...
    @property
    def events(self) -> Told: ...
    @property
    def links(self) -> Read: ...
    @property
    def notices(self) -> Noticed: ...


ALL = 10_000


def held(unit: Holding, subscriber_id: int) -> dict[str, object]:
    carried = unit.deliveries.carried(subscriber_id)
    return {
        "deliveries": [
            {
                "issue": delivery.issue_id,
                "state": delivery.state.word,
                "at": maybe_rfc3339(delivery.changed_at),
                "posts": [
                    {"title": post.title, "url": post.url} for post in carried.get(delivery.issue_id, ())
                ],
            }
            for delivery in unit.deliveries.of_subscriber(subscriber_id, limit=ALL)
        ],
        "reports": [
            {
                "at": rfc3339(event.at),
                "told_by": event.provider,
                "what": event.kind.value,
                "issue": event.issue_id or None,
                "code": event.code,
                "reason": event.reason,
            }
            for event, _ in unit.events.of_subscriber(subscriber_id, limit=ALL)
        ],
        "opens_and_clicks": [
            {
                "issue": reading.issue_id,
                "link": reading.url or "the picture was loaded",
                "first_at": rfc3339(reading.first_at),
                "last_at": rfc3339(reading.last_at),
                "times": reading.times,
            }
            for reading in unit.links.of_subscriber(subscriber_id)
        ],
        "notices": [
            {
                "what": notice.kind.value,
                "to": notice.to,
                "state": notice.state.value,
                "at": rfc3339(notice.sent_at or notice.created_at),
            }
            for notice in unit.notices.of_subscriber(subscriber_id, limit=ALL)
        ],
    }
