"""Values that the tests of the list share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from subscribers.model import Subscriber
from subscribers.store import Subscribers

KEY = b"a key of the tests, 32 bytes long"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def joined(people: Subscribers, address: str = "ann@example.com", *, name: str = "") -> Subscriber:
    """Somebody whom the author just added."""
    added = people.add(address, name=name, source="the author", now=NOW)
    assert added.subscriber is not None
    return added.subscriber
