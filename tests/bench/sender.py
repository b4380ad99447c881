"""One timed delivery of an issue: from pending rows to recorded outcomes, in a process of its own.

    python -m tests.bench.sender FOLDER PORT MESSAGES CONNECTIONS

Prints messages a second and client CPU microseconds per message.
"""

from __future__ import annotations

import resource
import sys
import threading
import time
from pathlib import Path

import structlog

from newsletter.model.artefact import Segment
from newsletter.model.delivery import Letter
from newsletter.model.publication import Sender
from newsletter.model.rate import UNLIMITED
from newsletter.send import deliver_issue
from newsletter.send.transports.smtp import Smtp
from newsletter.send.transports.smtp_url import relay_of
from newsletter.steps.links import Links
from newsletter.store.database import Database
from newsletter.store.migrate import upgrade
from subscribers.tokens import Tokens
from tests.send.world import KEY, World

PARAGRAPH = "<p>A paragraph of a long letter, as long as paragraphs in such letters are, with a café.</p>\n"


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


def main(folder: Path, port: int, messages: int, connections: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    database = Database(f"sqlite:///{folder}/newsletter.db")
    upgrade(database)
    world = World(database)
    issue_id = world.sending(messages)
    made = letter()
    transport = Smtp(
        relay_of(f"smtp+plain://127.0.0.1:{port}"), connections=connections, per_connection=10**9
    )
    began = time.perf_counter()
    before = resource.getrusage(resource.RUSAGE_SELF)
    told = deliver_issue(
        issue_id,
        work=world.store.begin,
        transport=transport,
        letters=lambda mask: made,
        links=Links(
            base_url="https://news.example", tokens=Tokens([KEY]), message_key=KEY, host="news.example"
        ),
        rate=UNLIMITED,
        clock=world.clock,
        stop=threading.Event(),
        budget_s=600,
    )
    elapsed = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert told.accepted == messages and told.finished
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(messages / elapsed, cpu / messages * 1e6)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
