"""A real store with an issue that is ready to be sent, and transports that do as they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from newsletter.model.artefact import Segment, carried
from newsletter.model.delivery import Envelope, Letter, Outcome, Verdict
from newsletter.model.identity import message_id
from newsletter.model.publication import Sender
from newsletter.model.rate import UNLIMITED, Rate
from newsletter.model.receipt import Receipt
from newsletter.model.times import to_ms
from newsletter.send import Delivered, deliver_issue, expand_audience, start_due
from newsletter.send.highwater import HighWater
from newsletter.send.ports import Transport
from newsletter.store.database import Database
from newsletter.store.tables import feeds, posts
from newsletter.store.unit import Store
from subscribers.model import Cadence, Recipient
from subscribers.segments import Filter

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
KEY = b"0123456789abcdef0123456789abcdef"


class Clock:
    """A clock that only moves when told."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


class PlainLinks:
    """Links as wiring would make them, without tokens."""

    def values(self, recipient: Recipient, issue_id: int) -> Mapping[str, str]:
        return {
            "unsubscribe_url": f"https://news.example/u/{recipient.id}",
            "preferences_url": f"https://news.example/p/{recipient.id}",
            "view_url": f"https://news.example/i/{issue_id}",
            "base_url": "https://news.example",
            "name": recipient.name,
        }

    def headers(self, recipient: Recipient, issue_id: int) -> tuple[tuple[str, str], ...]:
        return (
            ("List-Unsubscribe", f"<https://news.example/u/{recipient.id}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        )

    def message_id(self, subscriber_id: int, issue_id: int) -> str:
        return message_id(issue_id, subscriber_id, KEY, "news.example")


def letter(mask: int = 1, *, number: int = 0) -> Letter:
    """Two posts, each in its block, between a greeting and an unsubscribe link."""
    segments = (
        Segment("Good morning, "),
        Segment("name", slot=True),
        Segment(".\n"),
        Segment("<p>First post, <b>café</b></p>\n", block=0),
        Segment("<p>Second post</p>\n", block=1),
        Segment("Leave: "),
        Segment("unsubscribe_url", slot=True),
        Segment("\n"),
    )
    return Letter(
        id=f"letter-{number}-{mask}",
        sender=Sender(name="Ada", address="ada@news.example"),
        reply_to="ada@news.example",
        subject="A morning letter",
        language="en",
        html=carried(segments, mask),
        text=carried(segments, mask),
        headers=(("List-Id", "<news.example>"),),
    )


Script = Callable[[Envelope], Outcome]


def accepted(envelope: Envelope) -> Outcome:
    return Outcome(key=envelope.key, verdict=Verdict.ACCEPTED, provider_id="q1")


@dataclass
class FakeTransport:
    """Answers as its script says, and remembers what it was handed."""

    script: Script = accepted
    name: str = "fake"
    window: int = 16
    in_hand: int = 32
    handed: list[Envelope] = field(default_factory=list)

    def hand_over(self, envelopes: Iterable[Envelope]) -> Iterator[Outcome]:
        for envelope in envelopes:
            self.handed.append(envelope)
            yield self.script(envelope)

    @property
    def addresses(self) -> list[str]:
        return [envelope.to for envelope in self.handed]


class World:
    def __init__(self, database: Database) -> None:
        self.store = Store(database, subscriber_keys=[KEY])
        self.clock = Clock()
        self.links = PlainLinks()
        self._posts = 0

    def subscribe(self, count: int, *, cadence: Cadence | None = None, prefix: str = "reader") -> list[int]:
        with self.store.begin() as unit:
            added = [
                unit.subscribers.add(
                    f"{prefix}{number}@readers.example",
                    name=f"Reader {number}",
                    source="test",
                    now=self.clock(),
                    cadence=cadence,
                )
                for number in range(count)
            ]
        return [one.subscriber.id for one in added if one.subscriber]

    def post(self, *, topics: str = "[]") -> int:
        self._posts += 1
        with self.store.begin() as unit:
            unit.conn.execute(
                feeds.insert()
                .prefix_with("OR IGNORE" if unit.conn.dialect.name == "sqlite" else "")
                .values(id=1, url="https://blog.example/feed", state="active", added_at=0)
            ) if self._posts == 1 else None
            row = unit.conn.execute(
                posts.insert()
                .values(
                    feed_id=1,
                    state="ready",
                    title=f"Post {self._posts}",
                    first_seen_at=0,
                    last_seen_at=0,
                    topics=topics,
                )
                .returning(posts.c.id)
            ).one()
            return int(row.id)

    def approved(
        self,
        post_ids: Sequence[int] = (),
        *,
        cadence: Cadence = Cadence.EACH,
        segment: Filter | None = None,
    ) -> int:
        """An issue of these posts (one new post by default), approved and due now; for a segment or all."""
        carried_posts = list(post_ids) or [self.post()]
        with self.store.begin() as unit:
            issue = unit.issues.create(
                cadence=cadence,
                subject="A morning letter",
                posts=[(post_id, 1) for post_id in carried_posts],
                now=self.clock(),
            )
            if segment is not None:
                unit.issues.edit(issue.id, now=self.clock(), segment="Some")
            frozen = "" if segment is None else segment.to_json()
            unit.issues.approve(issue.id, send_at=self.clock(), now=self.clock(), segment_filter=frozen)
            return issue.id

    def start(self, issue_id: int, *, page: int = 5000) -> None:
        with self.store.begin() as unit:
            assert issue_id in start_due(unit, self.clock())
        self.expand(issue_id, page=page)

    def expand(self, issue_id: int, *, page: int = 5000) -> bool:
        return expand_audience(
            issue_id, work=self.store.begin, default_cadence=Cadence.EACH, clock=self.clock, page=page
        )

    def sending(self, subscribers: int) -> int:
        """An issue that is being sent to so many new subscribers."""
        self.subscribe(subscribers)
        issue_id = self.approved()
        self.start(issue_id)
        return issue_id

    def deliver(
        self,
        issue_id: int,
        transport: Transport,
        *,
        rate: Rate = UNLIMITED,
        stop: threading.Event | None = None,
        budget_s: float = 30.0,
        batch: int = 1000,
        mark: HighWater | None = None,
        domain_rates: Mapping[str, Rate] | None = None,
        domains_at_once: Mapping[str, int] | None = None,
    ) -> Delivered:
        return deliver_issue(
            issue_id,
            work=self.store.begin,
            transport=transport,
            letters=letter,
            links=self.links,
            rate=rate,
            clock=self.clock,
            stop=stop or threading.Event(),
            budget_s=budget_s,
            batch=batch,
            mark=mark,
            domain_rates=domain_rates or {},
            domains_at_once=domains_at_once or {},
        )

    def receipt(self, issue_id: int) -> Receipt:
        with self.store.read() as unit:
            receipt = unit.deliveries.receipt(issue_id)
        assert receipt.balances
        return receipt

    def ms(self) -> int:
        return to_ms(self.clock())
