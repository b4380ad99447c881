from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete

from newsletter.store.database import Database
from subscribers import exports, imports
from subscribers.imports.rows import undefused
from subscribers.model import Cadence, Consent, ConsentKind, Subscriber, SuppressionCause
from subscribers.rows import stored_words
from subscribers.store import Subscribers
from subscribers.tables import metadata, subscribers
from tests.subscribers.people import KEY, NOW, joined

printable = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))
words = st.text(printable, min_size=1, max_size=12).map(str.strip)
tags = st.lists(words.filter(bool), max_size=3)
names = st.text(max_size=30)
moments = st.datetimes(datetime(1995, 1, 1), datetime(2100, 1, 1)).map(
    lambda d: d.replace(microsecond=d.microsecond // 1000 * 1000, tzinfo=UTC)
)
person = st.fixed_dictionaries(
    {
        "name": names,
        "tags": tags,
        "topics_off": tags,
        "cadence": st.none() | st.sampled_from(Cadence),
        "paused_until": st.none() | moments,
        "kind": st.sampled_from(ConsentKind),
        "at": moments,
        "wording": st.text(printable, max_size=30).map(str.strip),
        "expires_at": st.none() | moments,
        "does": st.sampled_from(["", "unsubscribe", "bounce", "complain", "suppress"]),
    }
)


def _fill(people: Subscribers, drawn: list[dict[str, Any]]) -> None:
    for n, d in enumerate(drawn):
        address = f"{'+-p'[n % 3]}{n}@example.com"
        added = people.add(
            address, name=d["name"], source="form", now=d["at"], cadence=d["cadence"], tags=d["tags"]
        ).subscriber
        assert added is not None
        people.choose(
            added.id, NOW, cadence=d["cadence"], topics_off=d["topics_off"], paused_until=d["paused_until"]
        )
        people.record(
            Consent(
                subscriber_id=added.id,
                kind=d["kind"],
                at=d["at"] + timedelta(seconds=1),
                source="form",
                wording=d["wording"],
                expires_at=d["expires_at"],
            ),
            fresh=True,
        )
        if d["does"] == "unsubscribe":
            people.unsubscribe(added.id, NOW)
        elif d["does"] == "bounce":
            people.mark_bounced(added.id, NOW)
        elif d["does"] == "complain":
            people.mark_complained(added.id, NOW)
        elif d["does"] == "suppress":
            people.suppress(address, SuppressionCause.MANUAL, NOW)


def _told(people: Subscribers, one: Subscriber) -> tuple[object, ...]:
    proof = people.consents(one.id)[0]
    return (
        one.address, one.name, one.state, one.cadence, one.topics_off, one.paused_until, one.tags,
        one.joined_at, one.consent_until, people.suppressions.causes(one.address.casefold()),
        proof.kind, proof.at, proof.source, proof.wording, proof.expires_at,
    )  # fmt: skip


def _empty(conn: Connection) -> None:
    for table in reversed(metadata.sorted_tables):
        conn.execute(delete(table))


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Database:
    folder: Path = tmp_path_factory.mktemp("lists")
    database = Database(f"sqlite:///{folder}/list.db")
    with database.write() as conn:
        metadata.create_all(conn)
    return database


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(person, max_size=6))
def test_our_own_form_comes_back_without_loss(lists: Database, drawn: list[dict[str, Any]]) -> None:
    with lists.write() as conn:
        _empty(conn)
        people = Subscribers(conn, keys=[KEY])
        _fill(people, drawn)
        before = [_told(people, one) for one in people.list(limit=100)]
        text = "".join(exports.export(people))
        _empty(conn)

        imports.run(people, text.encode(), source="export.csv", now=NOW)

        assert [_told(people, one) for one in people.list(limit=100)] == before
        assert "".join(exports.export(people)) == text


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(person, max_size=6), form=st.sampled_from(sorted(exports.FORMS)))
def test_every_form_comes_back_with_the_same_people_to_mail(
    lists: Database, drawn: list[dict[str, Any]], form: str
) -> None:
    with lists.write() as conn:
        _empty(conn)
        people = Subscribers(conn, keys=[KEY])
        _fill(people, [d | {"expires_at": None, "paused_until": None} for d in drawn])

        def mailable() -> set[str]:
            ids = [one.id for one in people.list(limit=100)]
            return {r.address for r in people.claimable(ids, NOW).recipients.values()}

        before = mailable()
        text = "".join(exports.export(people, form=form))
        _empty(conn)

        report = imports.run(people, text.encode(), source="export.csv", now=NOW)

        assert mailable() == before
        assert report.rows == len(drawn)


@given(cell=st.text())
def test_no_cell_is_a_formula_and_each_comes_back(cell: str) -> None:
    safe = exports.defused(cell)

    assert not safe.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert undefused(safe) == cell


def test_an_export_is_rfc_4180_and_leaves_the_erased_out(people: Subscribers) -> None:
    joined(people, "ann@example.com", name='=HYPERLINK("x")')
    people.conn.execute(subscribers.update().values(tags=stored_words(["a,b", 'c"d'])))

    text = "".join(exports.export(people))

    assert text.count("\r\n") == 2
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["name"] == '\'=HYPERLINK("x")' and row["address"] == "ann@example.com"
