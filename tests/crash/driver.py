"""The process that is killed: sends one issue until it is finished, as ``newsletter issues send`` would.

    python -m tests.crash.driver '{"database": …, "issue": 1, "smtp": …}'

``ahead_s`` shifts its clock, so that a second start need not wait for the first one's lease.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from newsletter.model.rate import UNLIMITED
from newsletter.send import deliver_issue, expand_audience, recover
from newsletter.send.transports.smtp import Smtp
from newsletter.send.transports.smtp_url import relay_of
from newsletter.store.database import Database
from newsletter.store.unit import Store
from subscribers.model import Cadence
from tests.send.world import KEY, PlainLinks, letter


@dataclass(frozen=True, kw_only=True)
class Order:
    database: str
    issue: int
    smtp: str
    connections: int = 2
    ahead_s: float = 0.0
    page: int = 100
    batch: int = 200


def main(order: Order) -> None:
    structlog.configure(processors=[lambda *_: (_ for _ in ()).throw(structlog.DropEvent)])
    store = Store(Database(order.database), subscriber_keys=[KEY])
    with store.begin() as unit:
        # As if the place where drawing stood had been lost: drawing again must change nothing.
        unit.issues.advance_audience(order.issue, 0, False)

    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=order.ahead_s)

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    transport = Smtp(relay_of(order.smtp), connections=order.connections)
    while not stop.is_set():
        recover(store.begin, clock)
        expand_audience(
            order.issue,
            work=store.begin,
            default_cadence=Cadence.EACH,
            clock=clock,
            stop=stop,
            page=order.page,
        )
        told = deliver_issue(
            order.issue,
            work=store.begin,
            transport=transport,
            letters=letter,
            links=PlainLinks(),
            rate=UNLIMITED,
            clock=clock,
            stop=stop,
            budget_s=60.0,
            batch=order.batch,
        )
        if told.wait_s is None:
            return
        time.sleep(min(told.wait_s, 0.2))


if __name__ == "__main__":
    main(Order(**json.loads(sys.argv[1])))
