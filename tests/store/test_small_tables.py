"""Leases, sessions, settings and the audit, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from newsletter.model.picture import Picture
from newsletter.store.audit import Audit
from newsletter.store.database import Database
from newsletter.store.doors import Doors
from newsletter.store.leases import Leases
from newsletter.store.pictures import Pictures
from newsletter.store.settings import StoredSettings

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_a_lease_has_one_holder_until_it_ends(migrated: Database) -> None:
    with migrated.write() as conn:
        leases = Leases(conn)
        assert leases.take("poll", "a", now=NOW, length=HOUR)
        assert not leases.take("poll", "b", now=NOW, length=HOUR)
        assert leases.take("poll", "a", now=NOW + HOUR / 2, length=HOUR), "its holder renews it"
        assert not leases.take("poll", "b", now=NOW + HOUR, length=HOUR)
        assert leases.take("poll", "b", now=NOW + 2 * HOUR, length=HOUR), "a dead holder loses it"
        leases.drop("poll", "a")
        assert not leases.take("poll", "a", now=NOW + 2 * HOUR, length=HOUR), "only its holder drops it"


def test_what_is_known_of_a_picture_is_remembered_and_its_copy_never_changes(migrated: Database) -> None:
    long = "https://blog.example/" + "x" * 5_000
    found = Picture(source=long, width=40, height=30, copy="a.jpg", looked_at=NOW)
    with migrated.write() as conn:
        pictures = Pictures(conn)
        pictures.save(replace(found, copy="", problem="does not answer"))
        assert pictures.known([long, "https://blog.example/y"])[long].problem == "does not answer"
        pictures.save(found, b"the copy")
        pictures.save(found, b"another")
        assert pictures.known([long]) == {long: found}
        assert pictures.copy("a.jpg") == b"the copy"
        assert pictures.copy("b.jpg") is None


def test_a_one_time_link_works_once_and_not_for_long(migrated: Database) -> None:
    with migrated.write() as conn:
        doors = Doors(conn)
        doors.add_login("one", now=NOW, expires_at=NOW + HOUR)
        doors.add_login("old", now=NOW, expires_at=NOW + HOUR)
        assert doors.use_login("one", NOW)
        assert not doors.use_login("one", NOW)
        assert not doors.use_login("old", NOW + HOUR)
        assert not doors.use_login("none", NOW)


def test_a_session_ends_by_time_by_idleness_and_by_the_author(migrated: Database) -> None:
    with migrated.write() as conn:
        doors = Doors(conn)
        for name in ("a", "b", "c"):
            doors.open(name, agent="Browser", now=NOW, expires_at=NOW + 24 * HOUR)
        assert doors.session("a", NOW + HOUR, idle=2 * HOUR)
        assert doors.session("a", NOW + 3 * HOUR, idle=2 * HOUR) is None
        doors.seen("a", NOW + 2 * HOUR)
        assert doors.session("a", NOW + 3 * HOUR, idle=2 * HOUR)
        assert doors.session("a", NOW + 25 * HOUR, idle=99 * HOUR) is None
        assert doors.close("b")
        assert doors.session("b", NOW, idle=HOUR) is None
        doors.close_all(but="c")
        assert [session.token_sha for session in doors.sessions(NOW)] == ["c"]
        doors.clean(NOW + 25 * HOUR)
        assert doors.sessions(NOW) == []


def test_a_setting_is_stored_replaced_and_removed(migrated: Database) -> None:
    with migrated.write() as conn:
        settings = StoredSettings(conn)
        settings.set("title", "One", NOW)
        settings.set("title", "Two", NOW)
        assert settings.all() == {"title": "Two"}
        settings.remove("title")
        assert settings.all() == {}


def test_the_audit_tells_the_newest_first_and_forgets_after_its_time(migrated: Database) -> None:
    with migrated.write() as conn:
        audit = Audit(conn)
        audit.add(who="author", action="edit", subject="issue 1", now=NOW)
        audit.add(who="author", action="approve", subject="issue 1", now=NOW + HOUR)
        assert [act.action for act in audit.of("issue 1")] == ["approve", "edit"]
        audit.clean(NOW + HOUR)
        assert [act.action for act in audit.of("issue 1")] == ["approve"]
