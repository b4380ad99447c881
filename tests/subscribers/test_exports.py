from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete

from newsletter.store.database import Database
from subscribers import exports, imports
from subscribers.addresses import normalise
from subscribers.imports.rows import undefused
from subscribers.model import Cadence, Consent, ConsentKind, Subscriber, SubscriberState, SuppressionCause
from subscribers.rows import stored_words
from subscribers.store import Subscribers
from subscribers.tables import metadata, subscribers
from tests.subscribers.people import KEY, NOW, joined

S = SubscriberState
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
        "before": st.none() | st.tuples(st.none() | moments, st.booleans()),
        "joined": moments,
        "confirmed": st.booleans(),
        "does": st.sampled_from(["", "unsubscribe", "bounce", "complain", "suppress"]),
    }
)


WHOSE_OLDER_CONSENT_HAS_NO_END: dict[str, Any] = {
    "name": "",
    "tags": [],
    "topics_off": [],
    "cadence": None,
    "paused_until": None,
    "kind": ConsentKind.IMPLIED,
    "at": NOW,
    "wording": "",
    "before": (None, False),
    "expires_at": NOW + timedelta(days=1),
    "joined": NOW,
    "confirmed": True,
    "does": "",
}


def _fill(people: Subscribers, drawn: list[dict[str, Any]]) -> None:
    for n, d in enumerate(drawn):
        address = f"{'+-p'[n % 3]}{n}@example.com"
        if not d["confirmed"]:
            people.insert(normalise(address), S.UNCONFIRMED, d["joined"], name=d["name"], tags=d["tags"])
            continue
        added = people.add(
            address, name=d["name"], source="form", now=d["at"], cadence=d["cadence"], tags=d["tags"]
        ).subscriber
        assert added is not None
        people.choose(
            added.id, NOW, cadence=d["cadence"], topics_off=d["topics_off"], paused_until=d["paused_until"]
        )
        if d["before"] is not None:
            ends = d["before"][0]
            people.record(
                Consent(
                    subscriber_id=added.id,
                    kind=ConsentKind.IMPLIED,
                    at=d["at"] + timedelta(seconds=1),
                    source="shop",
                    expires_at=ends,
                ),
                fresh=True,
            )
        people.record(
            Consent(
                subscriber_id=added.id,
                kind=d["kind"],
                at=d["at"] + timedelta(seconds=2),
                source="form",
                wording=d["wording"],
                expires_at=d["expires_at"],
            ),
            fresh=d["before"] is None or d["before"][1],
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
    proofs = [(p.kind, p.at, p.source, p.origin, p.wording, p.expires_at) for p in people.consents(one.id)]
    return (
        one.address, one.name, one.state, one.cadence, one.topics_off, one.paused_until, one.tags,
        one.joined_at, one.consent_until, people.suppressions.causes(one.address.casefold()),
        one.engaged_at, proofs,
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


DIRECTLY = imports.How(ask_per_day=0)
OUT = {S.UNSUBSCRIBED: S.UNSUBSCRIBED, S.BOUNCED: S.UNSUBSCRIBED, S.COMPLAINED: S.UNSUBSCRIBED}
STATES: dict[str, dict[S, S]] = {  # what a form has no word for comes back as its nearest, never as active
    "listmonk": OUT,
    "feedburner": OUT,
    "ghost": {**OUT, S.UNCONFIRMED: S.UNSUBSCRIBED},
    "substack": {**OUT, S.UNCONFIRMED: S.UNSUBSCRIBED},
}
WITHOUT = {"feedburner": {"name", "tags"}, "substack": {"tags"}}  # columns that a form does not have


def _file(people: Subscribers, form: str) -> tuple[bytes, str]:
    if form == "mailchimp":
        return b"".join(exports.archive(people)), "export.zip"
    return "".join(exports.export(people, form=form)).encode(), "export.csv"


def _as_the_form_says(one: Subscriber, form: str) -> tuple[object, ...]:
    lost = WITHOUT.get(form, set())
    at = one.joined_at.replace(microsecond=0, second=0 if form == "feedburner" else one.joined_at.second)
    if form not in ("mailchimp", "feedburner"):
        at = one.joined_at
    return (
        one.address,
        "" if "name" in lost else one.name,
        () if "tags" in lost else one.tags,
        at,
        STATES.get(form, {}).get(one.state, one.state),
    )


@settings(max_examples=10, deadline=None)
@given(drawn=st.lists(person, max_size=5))
@example(drawn=[WHOSE_OLDER_CONSENT_HAS_NO_END])
def test_our_own_form_comes_back_without_loss(lists: Database, drawn: list[dict[str, Any]]) -> None:
    with lists.write() as conn:
        _empty(conn)
        people = Subscribers(conn, keys=[KEY])
        _fill(people, drawn)
        before = [_told(people, one) for one in people.list(limit=100)]
        content, name = _file(people, "own")
        _empty(conn)

        imports.run(people, content, source=name, now=NOW, how=DIRECTLY)

        assert [_told(people, one) for one in people.list(limit=100)] == before
        assert _file(people, "own")[0] == content


@settings(max_examples=20, deadline=None)
@given(
    drawn=st.lists(person, max_size=5),
    form=st.sampled_from([*sorted(STATES), "buttondown", "kit", "mailchimp"]),
)
def test_every_form_comes_back_with_all_that_it_can_say(
    lists: Database, drawn: list[dict[str, Any]], form: str
) -> None:
    with lists.write() as conn:
        _empty(conn)
        people = Subscribers(conn, keys=[KEY])
        _fill(people, [d | {"expires_at": None, "before": None, "paused_until": None} for d in drawn])

        def mailable() -> set[str]:
            ids = [one.id for one in people.list(limit=100)]
            return {r.address for r in people.claimable(ids, NOW).recipients.values()}

        before, said = mailable(), {_as_the_form_says(one, form) for one in people.list(limit=100)}
        content, name = _file(people, form)
        _empty(conn)
        if not drawn:
            return

        imports.run(people, content, source=name, now=NOW, how=DIRECTLY)

        assert mailable() == before
        assert {_as_the_form_says(one, form) for one in people.list(limit=100)} == said


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
