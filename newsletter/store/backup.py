"""A copy of a SQLite database while it is in use, and back again.

Restoring brings back the past: who was erased or left since then must not come back with it, and what was
sent since then must not be sent again. So erasures and suppressions are carried over, and sending waits until
the author has looked (:mod:`newsletter.send.highwater`).
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from newsletter.errors import Conflict, Invalid, StoreProblem
from newsletter.store.database import Database
from newsletter.store.migrate import upgrade
from newsletter.store.unit import Store
from subscribers.personal import erased_again
from subscribers.suppressions import Carried

_HEADER: Final = b"SQLite format 3\0"
_PAGES: Final = 2_000  # between which others may write


@dataclass(frozen=True, kw_only=True)
class Restored:
    """``kept`` is the database that was here before, None where there was none; ``lost`` says that it was
    damaged, so that not everybody who left since the backup is known."""

    subscribers: int
    erased_again: int
    carried_over: int
    newest_attempt: int
    kept: Path | None = None
    lost: bool = False


def backup(database: Database, target: Path) -> int:
    """Writes a checked copy; returns its size in bytes. Nobody has to wait for it.

    Raises Conflict for PostgreSQL and for a target that is the database itself, StoreProblem where the copy
    cannot be written or is damaged.
    """
    path = _file_of(database)
    draft = target.with_name(target.name + ".new")
    own = {file.resolve() for file in files_of(path)}
    if not own.isdisjoint({target.resolve(), draft.resolve()}):
        raise Conflict(f"{target} is the database itself.", hint="Give another file for its copy.")
    try:
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _copy(path, draft)
        _check(draft)
        draft.replace(target)
    except OSError as error:
        raise _unwritable(target, error) from error
    finally:
        draft.unlink(missing_ok=True)
    return target.stat().st_size


def drill(source: Path, *, subscriber_keys: Sequence[bytes], now: datetime) -> Restored:
    """Proves in a throw-away folder that a backup can be restored; changes nothing."""
    with tempfile.TemporaryDirectory(prefix="newsletter-drill-") as folder:
        place = Path(folder) / "newsletter.db"
        return restore(
            source, Database(f"sqlite:///{place}"), subscriber_keys=subscriber_keys, erased=(), now=now
        )


def restore(
    source: Path,
    database: Database,
    *,
    subscriber_keys: Sequence[bytes],
    erased: Iterable[str],
    now: datetime,
    accept: Callable[[int], None] = lambda newest: None,
    accept_loss: bool = False,
) -> Restored:
    """Puts a backup in the place of the database, which is kept beside it.

    ``erased`` are hashes of addresses erased since; ``accept`` is told the newest attempt of the copy before
    anybody can send from it. Nothing else may be running. Raises Invalid for a file that is no backup,
    StoreProblem for a damaged one or one of a newer version, and, unless ``accept_loss``, Conflict where the
    database that is here is damaged and does not say any more who left since; then nothing was changed.
    """
    path = _file_of(database)
    _check(source)
    draft = path.with_name(path.name + ".restoring")
    kept = _kept_as(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _copy(source, draft)
    except OSError as error:
        raise _unwritable(path, error) from error
    made = Database(f"sqlite:///{draft}")
    try:
        upgrade(made)
        carried, whole = _carry_over(path)
        if not whole and not accept_loss:
            raise Conflict(
                "The database that is here is damaged: it does not say any more who left since the backup, "
                "and they would be mailed again.",
                hint="Put it back as newsletter restore FILE --accept-loss, and tell your subscribers why.",
            )
        if whole and path.with_name(path.name + "-wal").exists() and path.exists():
            # Whoever closes a database last removes its log, if it is sound: somebody else has it open.
            raise Conflict(
                "The database is in use.",
                hint="Stop newsletter run and the workers first; nothing was changed.",
            )
        store = Store(made, subscriber_keys=subscriber_keys)
        with store.begin() as unit:
            taken = unit.subscribers.suppressions.carry_over(carried)
            unit.subscribers.suppressions.carry_over(
                [(one, "erased", int(now.timestamp() * 1000), "") for one in erased]
            )
            after, gone = 0, 0
            while True:
                count, after = erased_again(unit.subscribers, now, after=after, forget=unit.forget)
                gone += count
                if not after:
                    break
            people = sum(
                count for state, count in unit.subscribers.counts().items() if state.value != "erased"
            )
            newest = unit.deliveries.newest_attempt()
        made.scrub()
    except Exception:
        made.close()
        _unlink(draft)
        raise
    made.close()
    accept(newest)
    had = path.exists()
    database.close()
    if had:
        path.replace(kept)
        for ending in ("-wal", "-shm"):
            side = path.with_name(path.name + ending)
            if side.exists():
                side.replace(kept.with_name(kept.name + ending))
    draft.replace(path)
    _unlink(draft)
    return Restored(
        subscribers=people,
        erased_again=gone,
        carried_over=taken,
        newest_attempt=newest,
        kept=kept if had else None,
        lost=not whole,
    )


def _kept_as(path: Path) -> Path:
    """A name that no database has that was kept before: each may be the only one to know who had an issue."""
    endings = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    names = (path.with_name(f"{path.name}.before-restore{ending}") for ending in endings)
    return next(kept for kept in names if not kept.exists())


def _carry_over(path: Path) -> tuple[list[Carried], bool]:
    """The suppressions of the database that is here now, as far as they can be read, and whether that is
    all of them."""
    found: list[Carried] = []
    if not path.exists():
        return found, True
    try:
        with closing(sqlite3.connect(path)) as here:
            for row in here.execute("SELECT address_hash, cause, at, reason FROM suppressions"):
                found.append(row)
    except sqlite3.Error:
        return found, False
    return found, True


def _check(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            header = opened.read(len(_HEADER))
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}.") from error
    if header != _HEADER:
        raise Invalid(f"{file} is not a backup.", hint="Give a file that newsletter backup wrote.")
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as opened_db:
            found = opened_db.execute("PRAGMA integrity_check").fetchone()[0]
            lost = opened_db.execute("PRAGMA foreign_key_check").fetchone()
            known = opened_db.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    except sqlite3.Error as error:
        raise StoreProblem(f"{file} is damaged: {error}.", hint="Take another backup.") from error
    if found != "ok" or lost is not None:
        raise StoreProblem(f"{file} is damaged.", hint="Take another backup.")
    if known is None:
        raise Invalid(f"{file} is not a newsletter's database.")


def _copy(source: Path, target: Path) -> None:
    try:
        with (
            closing(sqlite3.connect(source, timeout=30)) as reader,
            closing(sqlite3.connect(target)) as writer,
        ):
            reader.backup(writer, pages=_PAGES)
            writer.execute("PRAGMA journal_mode=DELETE")  # one file, which can be carried away by itself
    except sqlite3.Error as error:
        raise StoreProblem(
            f"{source} cannot be copied: {error}.", hint="Check the room on the disk."
        ) from error


def _file_of(database: Database) -> Path:
    if database.path is None:
        raise Conflict(
            "This is for SQLite; PostgreSQL has its own backup.",
            hint="Use pg_dump and pg_restore; afterwards check with: newsletter doctor",
        )
    return database.path


def files_of(path: Path) -> tuple[Path, ...]:
    """A database's file with those that stand beside it while it is in use."""
    return (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", ".lock", ".upgrade")))


def _unlink(path: Path) -> None:
    for file in files_of(path):
        file.unlink(missing_ok=True)


def _unwritable(target: Path, error: OSError) -> StoreProblem:
    return StoreProblem(
        f"{target} cannot be written: {error.strerror}.", hint="Check the folder and the room on the disk."
    )
