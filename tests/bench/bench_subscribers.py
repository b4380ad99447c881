"""How fast the list is, each figure as a ratio to a reference measured in the same run.

    python -m tests.bench.bench_subscribers --rows 1000000 [--rounds 3] [--url postgresql://…]

Rounds of ours and of the reference take turns; the median of each counts. Asserts nothing about time.
"""

from __future__ import annotations

import argparse
import csv
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from email_validator import validate_email
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, text

from newsletter.store.database import Database
from subscribers import exports, growth, imports, segments
from subscribers.model import Cadence, SuppressionCause
from subscribers.searching import make_searchable
from subscribers.segments import Filter
from subscribers.sql import insert_many
from subscribers.store import Subscribers
from subscribers.tables import metadata

KEY = b"a key of the benches, 32 bytes long"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
AUDIENCE = Table("bench_audience", MetaData(), Column("subscriber_id", BigInteger, primary_key=True))
DOMAINS = ("gmail.com", "yahoo.com", "outlook.com", "example.org", "web.de", "example.co.uk")


LEFT = [f"first.last{n}@{DOMAINS[n % len(DOMAINS)]}" for n in range(0, 10_000, 2)]
"""Who is kept out, so that neither import nor export can skip looking."""


def rows_of(count: int) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["email", "name", "created_at"])
    writer.writerows(
        [f"first.last{n}@{DOMAINS[n % len(DOMAINS)]}", f"First Last {n}", _day(n)] for n in range(count)
    )
    return out.getvalue().encode()


def _day(n: int) -> str:
    """A different time for nearly everybody, as in a real file."""
    return (NOW - timedelta(seconds=97 * n + 60)).strftime("%Y-%m-%d %H:%M:%S")


clock: Callable[[], float] = time.process_time
"""The CPU time of this process on SQLite: other work on the machine does not count. On PostgreSQL, whose work
is another process's, what the clock on the wall says."""


def timed(what: Callable[[], object]) -> float:
    started = clock()
    what()
    return clock() - started


def compared(
    name: str,
    ours: Callable[[], object],
    reference: Callable[[], object],
    rounds: int,
    *,
    before: Callable[[], object] = lambda: None,
) -> None:
    """``before`` prepares each round of ours and is not counted."""
    mine: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        theirs.append(timed(reference))
        before()
        mine.append(timed(ours))
    us, them = statistics.median(mine), statistics.median(theirs)
    print(f"{name:<52} {us * 1000:>10.1f} ms {them * 1000:>10.1f} ms   speed {them / us:.2f} of it")


def reading_alone(content: bytes) -> None:
    for row in csv.DictReader(io.StringIO(content.decode(), newline="")):
        validate_email(row["email"], check_deliverability=False)


def writing_alone(conn: Connection) -> None:
    out = csv.writer(io.StringIO(newline=""))
    for row in conn.execute(text("SELECT * FROM subscribers ORDER BY id")):
        out.writerow(row)


def fresh(url: str) -> Database:
    database = Database(url)
    with database.write() as conn:
        metadata.drop_all(conn)
        metadata.create_all(conn)
        make_searchable(conn)
    return database


def benches(url: str, count: int, rounds: int) -> None:
    global clock
    content = rows_of(count)
    database = fresh(url)
    if not database.is_sqlite:
        clock = time.perf_counter

    def empty() -> None:
        with database.write() as conn:
            for table in reversed(metadata.sorted_tables):
                conn.execute(table.delete())

    def bring() -> None:
        with database.write() as conn:
            people = Subscribers(conn, keys=[KEY])
            people.suppressions.add(LEFT, SuppressionCause.UNSUBSCRIBED, NOW)
            if database.is_sqlite:
                imports.run(people, content, source="bench.csv", now=NOW)
        # As the product does it: within one transaction PostgreSQL knows nothing of what it brought.
        if not database.is_sqlite:
            imports.run_in_steps(work, content, source="bench.csv", now=NOW)

    @contextmanager
    def work() -> Iterator[Subscribers]:
        with database.write() as conn:
            yield Subscribers(conn, keys=[KEY])

    print(f"{count:,} rows, {rounds} rounds, {database.url.get_backend_name()}")
    print(f"{'':<52} {'ours':>13} {'reference':>13}")
    compared(
        "import, against csv and email_validator alone",
        bring,
        lambda: reading_alone(content),
        rounds,
        before=empty,
    )
    with database.read() as conn:
        people = Subscribers(conn, keys=[KEY])
        compared(
            "export, against SELECT and csv alone",
            lambda: sum(len(piece) for piece in exports.export(people)),
            lambda: writing_alone(conn),
            rounds,
        )
        counting = text("SELECT count(*) FROM subscribers WHERE state = 'active'")
        for name, wanted in SEGMENTS.items():
            compared(
                f"count of a segment: {name}, against count(*)",
                partial(segments.count, conn, wanted, NOW, default_cadence=Cadence.EACH),
                lambda: conn.execute(counting).scalar_one(),
                rounds,
            )
        for what in ("first.last9", "@example.org", "nobody at all"):
            compared(
                f"search for {what!r}, against count(*)",
                partial(people.list, text=what),
                lambda: conn.execute(counting).scalar_one(),
                rounds,
            )
        for name, wanted in FILTERED.items():
            here = segments.condition(wanted, default_cadence=Cadence.EACH)
            compared(
                f"a page of the list: {name}, against count(*)",
                partial(people.list, among=here),
                lambda: conn.execute(counting).scalar_one(),
                rounds,
            )
        compared(
            "how many are in each state, against GROUP BY",
            people.counts,
            lambda: conn.execute(text("SELECT state, count(*) FROM subscribers GROUP BY state")).all(),
            rounds,
        )
        compared(
            "how the list grew, against count(*)",
            lambda: growth.growth(conn, NOW, ZoneInfo("Europe/Berlin"), count),
            lambda: conn.execute(counting).scalar_one(),
            rounds,
        )
    with database.write() as conn:
        AUDIENCE.create(conn)
        people = Subscribers(conn, keys=[KEY])
        compared(
            "an audience, against INSERT … SELECT",
            lambda: draw(people),
            lambda: plainly(conn),
            rounds,
        )
        compared(
            "claim of them all, against SELECT alone", lambda: claim(people), lambda: select_all(conn), rounds
        )
    with database.write() as conn:
        AUDIENCE.drop(conn)
    database.close()


SEGMENTS = {
    "everybody": Filter(),
    "a topic": Filter(topic="Diet"),
    "a tag": Filter(tags=("vip",)),
    "a domain": Filter(domains=("example.org",)),
    "joined before": Filter(joined_before=NOW),
}


FILTERED = {
    **SEGMENTS,
    "a tag that nobody has": Filter(tags=("nobody's",)),
    "a domain that nobody has": Filter(domains=("nobody.example",)),
    "joined before anybody did": Filter(joined_before=datetime(1999, 1, 1, tzinfo=UTC)),
    "never heard of": Filter(engaged_since=NOW),
}
"""Where nobody is found, every row was looked at."""


def draw(people: Subscribers) -> None:
    people.conn.execute(text("DELETE FROM bench_audience"))
    after, bound = 0, people.highest_id()
    while found := people.candidates(Cadence.EACH, Cadence.EACH, after, bound, 5_000, NOW):
        insert_many(people.conn, AUDIENCE, ["subscriber_id"], [(one.id,) for one in found])
        after = found[-1].id


def plainly(conn: Connection) -> None:
    conn.execute(text("DELETE FROM bench_audience"))
    conn.execute(text("INSERT INTO bench_audience SELECT id FROM subscribers WHERE state = 'active'"))


def claim(people: Subscribers) -> None:
    after, bound = 0, people.highest_id()
    while found := people.candidates(Cadence.EACH, Cadence.EACH, after, bound, 1_000, NOW):
        people.claimable([one.id for one in found], NOW)
        after = found[-1].id


def select_all(conn: Connection) -> None:
    conn.execute(text("SELECT id, address, name FROM subscribers")).all()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--url", default="", help="an empty database; a throw-away SQLite file by default")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{Path(folder) / 'bench.db'}"
        benches(url, given.rows, given.rounds)


if __name__ == "__main__":
    main()
