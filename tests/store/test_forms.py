"""The limits of forms over one table: several web processes at once, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from newsletter.store.database import Database
from newsletter.store.forms import Forms, Sent

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_what_was_sent_is_counted_by_place_and_proof_for_an_hour(migrated: Database) -> None:
    with migrated.write() as conn:
        forms = Forms(conn)
        for whence, proven in (("a", True), ("a", False), ("b", False)):
            forms.add(whence, NOW, proven=proven)
        assert forms.sent("a", NOW - HOUR) == Sent(altogether=3, from_one=2, unproven=2, unproven_from_one=1)
        assert forms.sent("c", NOW - HOUR) == Sent(altogether=3, unproven=2)
        assert forms.sent("a", NOW) == Sent()
        forms.clean(NOW)
        assert forms.sent("a", NOW - HOUR) == Sent()


def test_two_processes_never_both_take_the_last_place(database_url: str) -> None:
    def take(_: int) -> int:
        database = Database(database_url)
        taken = 0
        try:
            for _ in range(5):
                with database.write() as conn:
                    forms = Forms(conn)
                    forms.alone()
                    if forms.sent("a", NOW - HOUR).altogether < 10:
                        forms.add("a", NOW, proven=True)
                        taken += 1
        finally:
            database.close()
        return taken

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take, range(4))) == 10
