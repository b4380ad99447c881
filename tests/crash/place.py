"""A folder as an author leaves it: readers on the list, an issue approved. Real commands run in it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import select

from newsletter import wiring
from newsletter.demo.blog_server import SampleBlog
from newsletter.model.issue import IssueState
from newsletter.store.database import Database
from newsletter.store.tables import issues
from newsletter.store.unit import Store
from tests.crash.sink import FaultySink
from tests.support.postgres import PostgresServer
from tests.support.sendgrid import SendGridStandIn

INJECT: Final = Path(__file__).parent / "inject"
PATIENCE_S: Final = 240.0
SECRET: Final = "a secret key of the tests that is long enough"


def prepare(folder: Path, readers: int, *, database_url: str = "") -> int:
    """Polls the sample blog into a database of this folder and approves what came of it; the issue's id."""
    fixed = _fixed(folder, database_url) | {"settle": "0", "first_poll": "newest", "transport": "outbox"}
    wiring.prepare(fixed)
    with SampleBlog() as blog, wiring.build(fixed | {"allow_private_addresses": "true"}) as house:
        with house.store.begin() as unit:
            for number in range(readers):
                unit.subscribers.add(f"reader{number}@example.org", source="test", now=wiring.now())
        house.desk.add_feed(blog.feed_url)
        deadline = time.monotonic() + PATIENCE_S
        while not any(shown.issue.content_hash for shown in house.desk.issues()):
            assert time.monotonic() < deadline, "the sample blog gave no draft"
            house.turn()
        [shown] = house.desk.issues()
        house.desk.approve_issue(shown.issue.id)
    # The house is closed, which empties the write-ahead log: the file alone can be copied.
    return shown.issue.id


Template = tuple[Path, int]


@dataclass(frozen=True, kw_only=True)
class Place:
    """One folder, and the way its mail takes."""

    folder: Path
    issue_id: int
    database_url: str

    def command(
        self,
        *words: str,
        most_bytes: int | None = None,
        plan: Mapping[str, object] | None = None,
        under: Sequence[str] = (),
    ) -> subprocess.Popen[bytes]:
        """``newsletter`` with these words, as a user would start it; no file may grow past ``most_bytes``.

        ``plan`` is what is to happen to it (see ``inject/sitecustomize.py``), ``under`` a program that
        watches it.
        """

        def narrow() -> None:
            if most_bytes is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

        clean = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
        if plan is not None:
            paths = [str(INJECT), *filter(None, [clean.get("PYTHONPATH", "")])]
            clean |= {"CRASH_PLAN": json.dumps(plan), "PYTHONPATH": os.pathsep.join(paths)}
        with (self.folder / "out.log").open("ab") as log:
            return subprocess.Popen(
                [*under, sys.executable, "-m", "newsletter.cli", *words],
                cwd=self.folder,
                env=clean,
                stdout=log,
                stderr=subprocess.PIPE if most_bytes is not None else subprocess.STDOUT,
                preexec_fn=narrow if most_bytes is not None else None,
            )

    def send(
        self,
        *,
        most_bytes: int | None = None,
        plan: Mapping[str, object] | None = None,
        under: Sequence[str] = (),
    ) -> subprocess.Popen[bytes]:
        words = ("issues", "send", str(self.issue_id))
        return self.command(*words, most_bytes=most_bytes, plan=plan, under=under)

    def run(self) -> subprocess.Popen[bytes]:
        return self.command("run")

    def store(self) -> Store:
        return Store(Database(self.database_url), subscriber_keys=[b"only reads addresses"])

    def finished(self) -> bool:
        store = self.store()
        try:
            with store.read() as unit:
                return unit.issues.get(self.issue_id).state is IssueState.FINISHED
        finally:
            store.close()


Placed = Callable[[Path, FaultySink, int], Place]
"""Makes a place in a folder, whose mail goes there over so many connections."""


def place(
    template: Path, folder: Path, issue_id: int, sink: FaultySink | SendGridStandIn, *, connections: int = 2
) -> Place:
    """A copy of a prepared SQLite folder whose mail goes to ``sink``."""
    folder.mkdir()
    shutil.copyfile(template / "newsletter.db", folder / "newsletter.db")
    return set_up(folder, f"sqlite:///{folder}/newsletter.db", issue_id, sink, connections=connections)


def on_sqlite(template: Template) -> Placed:
    """``template`` is a prepared folder and its issue's id."""
    return lambda folder, sink, connections: place(
        template[0], folder, template[1], sink, connections=connections
    )


def on_postgres(readers: int, request: pytest.FixtureRequest) -> Placed:
    server: PostgresServer = request.getfixturevalue("postgres")

    def fill(url: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder), readers, database_url=url)

    template = server.template(f"crash_{readers}", fill)

    def placed(folder: Path, sink: FaultySink, connections: int) -> Place:
        folder.mkdir()
        url = server.create(template=template)
        request.addfinalizer(partial(server.drop, url))
        here = set_up(folder, url, 0, sink, connections=connections)
        store = here.store()
        try:
            with store.read() as unit:
                [issue_id] = unit.conn.scalars(select(issues.c.id))
        finally:
            store.close()
        return replace(here, issue_id=issue_id)

    return placed


def set_up(
    folder: Path, url: str, issue_id: int, sink: FaultySink | SendGridStandIn, *, connections: int = 2
) -> Place:
    """Writes the ``.env`` of a folder whose database is at ``url``."""
    fixed = _fixed(folder, url)
    if isinstance(sink, FaultySink):
        fixed |= {"transport": "smtp", "smtp_url": sink.url, "smtp_connections": str(connections)}
    else:
        fixed |= {"transport": "sendgrid", "sendgrid_url": sink.url, "sendgrid_suppressions": "waive"}
    fixed["rate"] = "unlimited"
    names = {"sender": "FROM"}
    lines = [f"NEWSLETTER_{names.get(name, name.upper())}='{value}'\n" for name, value in fixed.items()]
    (folder / ".env").write_text("".join([*lines, "SENDGRID_API_KEY='SG.test'\n"]))
    return Place(folder=folder, issue_id=issue_id, database_url=url)


def _fixed(folder: Path, database_url: str) -> dict[str, str]:
    return {
        "secret_key": SECRET,
        "allow_private_addresses": "true",  # its links lead to localhost
        "database_url": database_url or f"sqlite:///{folder}/newsletter.db",
        "data_dir": str(folder),
        "port": "0",
        "sender": "Ann <ann@example.org>",
        "postal_address": "PO Box 1",
    }


def until(true: Callable[[], bool], what: str, *, every_s: float = 0.05) -> float:
    """Waits; returns after how many seconds it was true."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < PATIENCE_S, f"it did not happen: {what}"
        time.sleep(every_s)
    return time.monotonic() - began


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


def stop(process: subprocess.Popen[bytes]) -> int:
    process.terminate()
    return process.wait(PATIENCE_S)
