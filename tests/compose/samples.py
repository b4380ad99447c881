"""Newsletters, posts and issues to try composing on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from newsletter.model.issue import Issue, IssuePost, IssueState
from newsletter.model.post import Post, PostState
from newsletter.model.publication import Newsletter, Sender
from subscribers.model import Cadence

NOW = datetime(2026, 3, 4, 9, 0, tzinfo=UTC)

LINKS = {
    "unsubscribe_url": "https://news.example.org/u/token",
    "preferences_url": "https://news.example.org/p/token",
    "view_url": "https://news.example.org/i/1",
    "base_url": "https://news.example.org",
    "name": "Ada",
}


def a_newsletter(**changes: Any) -> Newsletter:
    given: dict[str, Any] = {
        "title": "Field Notes",
        "sender": Sender(name="Rosa Lind", address="rosa@example.org"),
        "postal_address": "Rosa Lind\nPO Box 12\n1010 Vienna",
        "disclaimer": "I am not a doctor.",
        "base_url": "https://news.example.org",
        "site_url": "https://blog.example.org/",
    }
    return Newsletter(**given | changes)


def a_post(number: int = 1, **changes: Any) -> Post:
    given: dict[str, Any] = {
        "id": number,
        "feed_id": 1,
        "state": PostState.READY,
        "title": f"Post {number}",
        "url": f"https://blog.example.org/{number}",
        "html": f"<p>The words of post {number}.</p>",
        "base_url": f"https://blog.example.org/{number}",
        "published_at": NOW,
        "first_seen_at": NOW,
        "last_seen_at": NOW,
    }
    return Post(**given | changes)


def an_issue(posts: Sequence[Post], /, **changes: Any) -> Issue:
    given: dict[str, Any] = {
        "id": 1,
        "state": IssueState.DRAFT,
        "cadence": Cadence.EACH if len(posts) == 1 else Cadence.WEEKLY,
        "subject": "",
        "posts": tuple(IssuePost(post_id=post.id, block=block) for block, post in enumerate(posts)),
        "created_at": NOW,
        "changed_at": NOW,
    }
    return Issue(**given | changes)
