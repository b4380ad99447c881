from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.store.database import Database
from subscribers import imports
from subscribers.errors import Unknown
from subscribers.model import SubscriberState, SuppressionCause
from subscribers.personal import erase, erased_again, everything
from subscribers.requests import Form
from subscribers.signups import SignUps
from subscribers.store import Subscribers
from subscribers.tables import metadata
from tests.subscribers.people import DAY, KEY, NOW, joined

SECRET = "quite.unusual"
ADDRESS = f"{SECRET}@example.com"
FORM = Form(source="form: page", wording="I ask for it.", origin="203.0.113.0/24")


def _rich(people: Subscribers) -> int:
    """Somebody about whom every table knows something."""
    ann = joined(people, ADDRESS, name=f"{SECRET} name")
    imports.run(people, f"email,tags\n{ADDRESS},{SECRET}\n".encode(), source="list.csv", now=NOW)
    people.choose(ann.id, NOW, cadence=None, topics_off=[SECRET], paused_until=NOW + DAY)
    people.mark_bounced(ann.id, NOW, hard=False)
    people.unsubscribe(ann.id, NOW, reason=SECRET)
    SignUps(people).sign_up(ADDRESS, FORM, NOW)
    SignUps(people).change_address(ann.id, f"{SECRET}@example.org", FORM, NOW + 2 * DAY)
    return ann.id


def test_everything_is_one_json_document(people: Subscribers) -> None:
    id = _rich(people)

    document = json.loads(everything(people, id, more={"deliveries": [1]}))

    assert document["address"] == ADDRESS and document["topics_off"] == [SECRET]
    assert [proof["source"] for proof in document["consents"]] == ["the author"]
    assert {request["kind"] for request in document["requests"]} == {"sign_up", "address"}
    assert document["suppressions"][0]["reason"] == SECRET
    assert document["deliveries"] == [1]
    with pytest.raises(Unknown):
        everything(people, 99)


def test_erasing_leaves_nothing_in_any_table(people: Subscribers) -> None:
    id = _rich(people)

    assert erase(people, id, NOW) == ADDRESS

    for table in metadata.sorted_tables:
        for row in people.conn.execute(select(table)):
            assert SECRET not in repr(tuple(row)), table.name
    assert people.get(id).state is SubscriberState.ERASED
    assert people.by_address(ADDRESS) is None and people.list() == []


def test_who_was_erased_is_never_imported_again(people: Subscribers) -> None:
    id = _rich(people)
    erase(people, id, NOW)

    report = imports.run(people, f"email\n{ADDRESS}\n".encode(), source="old.csv", now=NOW)

    assert report.counts == {imports.Outcome.REFUSED: 1}
    assert people.add(ADDRESS, source="the author", now=NOW).refused == "erased"
    assert people.claimable([id], NOW).refused == {id: "erased"}


def test_who_was_erased_comes_back_only_by_confirming(people: Subscribers) -> None:
    erase(people, joined(people, ADDRESS).id, NOW)

    ask = SignUps(people).sign_up(ADDRESS, FORM, NOW).ask
    assert ask is not None
    back = SignUps(people).confirm(ask.request_id, NOW).subscriber

    assert back.state is SubscriberState.ACTIVE
    assert people.claimable([back.id], NOW).recipients


def test_erasing_twice_is_told_and_old_acts_do_nothing(people: Subscribers) -> None:
    id = joined(people, ADDRESS).id
    erase(people, id, NOW)

    with pytest.raises(Unknown):
        erase(people, id, NOW)
    assert not people.unsubscribe(id, NOW) and not people.mark_complained(id, NOW)
    assert json.loads(everything(people, id))["address"] == ""


def test_after_a_restore_the_erased_are_erased_again(people: Subscribers) -> None:
    kept = [joined(people, f"p{n}@example.com").id for n in range(3)]
    gone = joined(people, ADDRESS).id
    people.suppressions.add([ADDRESS], SuppressionCause.ERASED, NOW)

    assert erased_again(people, NOW, limit=2) == (0, kept[1])
    assert erased_again(people, NOW, limit=2, after=kept[1]) == (1, gone)
    assert erased_again(people, NOW, limit=2, after=gone) == (0, 0)
    assert people.get(gone).state is SubscriberState.ERASED


def test_nothing_is_left_in_a_sqlite_file_either(tmp_path: Path) -> None:
    path = tmp_path / "list.db"
    database = Database(f"sqlite:///{path}")
    with database.write() as conn:
        metadata.create_all(conn)
    with database.write() as conn:
        id = _rich(Subscribers(conn, keys=[KEY]))
    with database.write() as conn:
        erase(Subscribers(conn, keys=[KEY]), id, NOW)
    database.close()  # which checkpoints: the write-ahead log is gone

    for file in tmp_path.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file.name
