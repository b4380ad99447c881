"""The public pages over a real list on SQLite, and small stand-ins for the queue and the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from sqlalchemy import Connection

from newsletter.model.delivery import Delivery, DeliveryFlag
from newsletter.model.notice import NewNotice, Notice, NoticeKind
from newsletter.model.publication import Newsletter, Sender
from newsletter.store.database import Database
from newsletter.store.events import Events
from newsletter.store.forms import Forms
from newsletter.store.links import IssueLinks
from newsletter.store.tables import attempts, deliveries, form_hits, issues, links, readings
from newsletter.store.tables import metadata as house_metadata
from newsletter.web.public import Front, public_router
from newsletter.web.public.challenge import Challenges
from newsletter.web.public.front import CarriedPost, Practice, PublicUnit
from newsletter.web.public.limits import FormLimits
from newsletter.web.public.look import Look
from subscribers.model import Subscriber
from subscribers.store import Subscribers
from subscribers.tables import metadata
from subscribers.tokens import Tokens

KEY = b"a key of the tests, 32 bytes long"
NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
NEWSLETTER = Newsletter(
    title="Low Notes & Co",
    sender=Sender(name="Ada", address="ada@blog.example"),
    postal_address="1 Mill Lane\nYork",
    timezone="Europe/Berlin",
)


@dataclass
class Unit:
    """One transaction of the stand-in house."""

    subscribers: Subscribers
    notices: Queue
    deliveries: Ledger
    events: Events
    leases: Spent
    links: IssueLinks
    forms: Forms

    def forget(self, subscriber_id: int, address: str) -> None:
        self.notices.forget(subscriber_id, address)
        self.links.forget(subscriber_id)


class Spent:
    """Names that were taken; none is ever free again."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def take(self, name: str, token: str, *, now: datetime, length: timedelta) -> bool:
        fresh = name not in self.taken
        self.taken.add(name)
        return fresh


class Queue:
    def __init__(self) -> None:
        self.queued: dict[str, NewNotice] = {}

    def queue(self, notice: NewNotice, now: datetime) -> bool:
        return self.queued.setdefault(notice.key, notice) is notice

    def of_subscriber(self, subscriber_id: int, *, limit: int) -> list[Notice]:
        return []  # what is held is told by the stand-in below

    def forget(self, subscriber_id: int, address: str) -> None:
        self.queued = {k: n for k, n in self.queued.items() if n.subscriber_id != subscriber_id}

    def to(self, kind: NoticeKind) -> list[NewNotice]:
        return [notice for notice in self.queued.values() if notice.kind is kind]


class Ledger:
    def __init__(self) -> None:
        self.flags: list[tuple[int, int, DeliveryFlag]] = []
        self.unclaimed: list[int] = []

    def flag(self, issue_id: int, subscriber_id: int, flag: DeliveryFlag) -> None:
        self.flags.append((issue_id, subscriber_id, flag))

    def unclaim(self, subscriber_id: int) -> None:
        self.unclaimed.append(subscriber_id)

    def carried(self, subscriber_id: int) -> Mapping[int, Sequence[CarriedPost]]:
        return {}

    def of_subscriber(self, subscriber_id: int, *, limit: int = 50) -> Sequence[Delivery]:
        return []


def _forget(unit: PublicUnit, id: int, address: str) -> None:
    unit.forget(id, address)


@dataclass
class House:
    """What a test may look at and change."""

    database: Database
    now: datetime = NOW
    newsletter: Newsletter = NEWSLETTER
    topics: list[str] = field(default_factory=lambda: ["Diet", "News"])
    double: bool = True
    practice: Practice = field(default_factory=Practice)
    look: Look = field(default_factory=Look)
    limits: FormLimits = field(
        default_factory=lambda: FormLimits(
            from_one=1000, altogether=1000, unproven_from_one=1000, unproven_altogether=1000
        )
    )
    leases: Spent = field(default_factory=Spent)
    notices: Queue = field(default_factory=Queue)
    ledger: Ledger = field(default_factory=Ledger)
    tokens: Tokens = field(default_factory=lambda: Tokens([KEY]))

    @contextmanager
    def begin(self) -> Iterator[PublicUnit]:
        with self.database.write() as conn:
            yield self._unit(conn)

    @contextmanager
    def read(self) -> Iterator[PublicUnit]:
        with self.database.read() as conn:
            yield self._unit(conn)

    def _unit(self, conn: Connection) -> Unit:
        people = Subscribers(conn, keys=[KEY])
        links, forms = IssueLinks(conn), Forms(conn)
        return Unit(people, self.notices, self.ledger, Events(conn), self.leases, links, forms)

    def front(self) -> Front:
        return Front(
            begin=self.begin,
            read=self.read,
            newsletter=lambda: self.newsletter,
            tokens=self.tokens,
            clock=lambda: self.now,
            topics=lambda: self.topics,
            practice=lambda: replace(self.practice, double_opt_in=self.double),
            look=lambda: self.look,
            challenge_keys=[KEY],
            link_keys=[KEY],
            held=lambda unit, id: {"deliveries": []},
            forget=_forget,
        )

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    def join(self, address: str = "ann@example.com") -> Subscriber:
        with self.begin() as unit:
            added = unit.subscribers.add(address, source="the author", now=self.now)
        assert added.subscriber is not None
        return added.subscriber

    def find(self, id: int) -> Subscriber:
        with self.read() as unit:
            return unit.subscribers.get(id)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    database = Database(f"sqlite:///{tmp_path}/list.db")
    with database.write() as conn:
        metadata.create_all(conn)
        house_metadata.create_all(conn, tables=[attempts, deliveries, form_hits, issues, links, readings])
    yield House(database)
    database.close()


class Web:
    """A browser without cookies that follows nothing by itself. ``address`` is where it comes from."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self.address = "203.0.113.9"

    def get(self, path: str, **how: Any) -> Response:
        return self._ask("GET", path, **how)

    def head(self, path: str, **how: Any) -> Response:
        return self._ask("HEAD", path, **how)

    def post(self, path: str, **how: Any) -> Response:
        return self._ask("POST", path, **how)

    def _ask(self, method: str, path: str, **how: Any) -> Response:
        async def asked() -> Response:
            transport = ASGITransport(self._app, client=(self.address, 40_000))
            async with AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path, **how)

        # In a thread of its own: a browser that other tests drive keeps this one's event loop.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, asked()).result()


@pytest.fixture
def web(house: House) -> Web:
    app = FastAPI()
    challenges = Challenges([KEY], cost=1)
    app.include_router(
        public_router(house.front(), limits=house.limits, challenges=challenges, answer_after_s=0)
    )
    return Web(app)
