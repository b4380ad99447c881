"""One timed delivery of an issue, from pending rows to recorded outcomes, in a process of its own.

    python -m tests.bench.sender '{"folder": "/tmp/x", "port": 2525, "messages": 2000}'

Prints one line of JSON: messages a second and client CPU microseconds per message. See :class:`Order`.
"""

from __future__ import annotations

import gc
import json
import resource
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from newsletter.garbage import look_seldom
from newsletter.model.artefact import Segment
from newsletter.model.delivery import Letter
from newsletter.model.publication import Sender
from newsletter.model.rate import UNLIMITED
from newsletter.send import deliver_issue
from newsletter.send.dkim import Signer
from newsletter.send.transports.smtp import Smtp
from newsletter.send.transports.smtp_url import relay_of
from newsletter.steps.links import Links
from newsletter.store.database import Database
from newsletter.store.migrate import upgrade
from subscribers.sql import insert_many
from subscribers.tables import subscribers
from subscribers.tokens import Tokens
from tests.send.world import KEY, World

PARAGRAPH = "<p>A paragraph of a long letter, as long as paragraphs in such letters are, with a café.</p>\n"
LENGTH = 78_000


@dataclass(frozen=True, kw_only=True)
class Order:
    """``database`` is a URL; without it the ledger is an SQLite file in ``folder``."""

    folder: str
    port: int
    messages: int
    connections: int = 64
    database: str = ""
    dkim: str = ""  #: a PEM file
    authority: str = ""  #: a PEM file: TLS, verified against it


def letter() -> Letter:
    """About 78 KB on the wire, both parts personalised."""

    def part(lines: int) -> tuple[Segment, ...]:
        return (
            Segment("Good morning, "),
            Segment("name", slot=True),
            Segment(".\n" + PARAGRAPH * lines + "\nLeave: "),
            Segment("unsubscribe_url", slot=True),
            Segment("\n"),
        )

    return Letter(
        id="bench",
        sender=Sender(name="Ada", address="ada@news.example"),
        reply_to="ada@news.example",
        subject="A morning letter",
        language="en",
        html=part(690),
        text=part(85),
        headers=(("List-Id", "<news.example>"), ("Feedback-ID", "1:news.example")),
    )


def subscribed(database: Database, count: int) -> World:
    """A new store with so many active subscribers."""
    upgrade(database)
    world = World(database)
    names = ("address", "address_key", "name", "state", "domain", "joined_at", "changed_at")
    now = world.ms()
    for first in range(0, count, 50_000):
        with world.store.begin() as unit:
            rows = [
                (address, address, f"Reader {n}", "active", "readers.example", now, now)
                for n in range(first, min(first + 50_000, count))
                for address in [f"reader{n}@readers.example"]
            ]
            insert_many(unit.conn, subscribers, names, rows)
    return world


def links() -> Links:
    return Links(base_url="https://news.example", tokens=Tokens([KEY]), message_key=KEY, host="news.example")


@dataclass(frozen=True, kw_only=True)
class Spent:
    seconds: float
    cpu_s: float


def spent(what: Callable[[], object]) -> Spent:
    look_seldom()  # as the program does
    gc.collect()
    began = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_SELF)
    what()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(seconds=time.perf_counter() - began, cpu_s=cpu)


def main(order: Order) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    database = Database(order.database or f"sqlite:///{order.folder}/newsletter.db")
    world = subscribed(database, order.messages)
    issue_id = world.approved()
    world.start(issue_id)
    made = letter()
    context = ssl.create_default_context(cafile=order.authority) if order.authority else None
    scheme, host = ("smtps", "localhost") if order.authority else ("smtp+plain", "127.0.0.1")
    signer = None
    if order.dkim:
        signer = Signer(Path(order.dkim).read_bytes(), domain="news.example", selector="a")
    transport = Smtp(
        relay_of(f"{scheme}://{host}:{order.port}"),
        connections=order.connections,
        per_connection=10**9,
        context=context,
        signer=signer,
    )

    def deliver() -> None:
        told = deliver_issue(
            issue_id,
            work=world.store.begin,
            transport=transport,
            letters=lambda mask: made,
            links=links(),
            rate=UNLIMITED,
            clock=world.clock,
            stop=threading.Event(),
            budget_s=3600,
        )
        assert told.accepted == order.messages and told.finished

    took = spent(deliver)
    print(json.dumps({"rate": order.messages / took.seconds, "cpu_us": took.cpu_s / order.messages * 1e6}))


if __name__ == "__main__":
    main(Order(**json.loads(sys.argv[1])))
