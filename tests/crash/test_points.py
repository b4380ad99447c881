"""The command that a user starts, killed at every named point, with its clock jumping, and with seeded bugs.

What is done to it stands in ``inject/sitecustomize.py``; the command itself is the real one.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.crash.harness import Counted, check, counted, recorded
from tests.crash.inject.sitecustomize import NOT_SYNCED
from tests.crash.place import (
    PATIENCE_S,
    Place,
    Placed,
    Template,
    kill,
    on_postgres,
    on_sqlite,
    place,
    prepare,
    until,
)
from tests.crash.sink import DROP, DROP_STORED, FaultySink, Step
from tests.support.sendgrid import Fault, SendGridStandIn, hang, server_error

RECIPIENTS: Final = 260  # more than are claimed at once
IN_HAND: Final = 32
PAST_LEASES: Final = {"ahead_s": 25}
"""The second start's clock: the leases of the first have run out, without waiting for them."""
AT_ONCE: Final = 4
_DAYS: Final = 3 * 86_400

POINTS: Final = (
    ("before start", 1),
    ("after start", 1),
    ("before draw", 1),
    ("after draw", 1),
    ("before claim", 1),
    ("after claim", 1),
    ("before claim", 2),
    ("after claim", 2),
    ("before mark", 1),
    ("after mark", 1),
    ("before mark", 3),
    ("after mark", 3),
    ("before record", 2),
    ("after record", 2),
    ("before reply", 1),
    ("before reply", 40),
    ("after reply", 40),
    ("after reply", RECIPIENTS),
    ("before close", 1),
    ("after close", 1),
    ("before finish", 1),
    ("after finish", 1),
)
AT_THE_SERVER: Final = (
    ("MAIL", 1, DROP),
    ("RCPT", 50, DROP),
    ("DATA", 50, DROP),
    ("DOT", 50, DROP),
    ("DOT", 50, DROP_STORED),
    ("DOT", RECIPIENTS - 1, None),
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder = tmp_path_factory.mktemp("template")
    return folder, prepare(folder, RECIPIENTS)


def ended(here: Place, record: Path) -> Counted:
    store = here.store()
    try:
        taken = Counter({who: n for who, n in recorded(record).items() if who.startswith("reader")})
        return counted(store, here.issue_id, taken)
    finally:
        store.close()


def forget_where_drawing_stood(here: Place) -> None:
    """Drawing the audience once more must change nothing."""
    store = here.store()
    try:
        with store.begin() as unit:
            unit.issues.advance_audience(here.issue_id, 0, False)
    finally:
        store.close()


def finish(here: Place, *, mutation: str = "") -> None:
    again = here.send(plan={**PAST_LEASES, "mutation": mutation})
    assert again.wait(PATIENCE_S) == 0, (here.folder / "out.log").read_text()[-2000:]


def killed_at(point: tuple[str, int], placed: Placed, folder: Path) -> tuple[bool, Counted]:
    record = folder.with_suffix(".jsonl")
    with FaultySink(record=record, keep=False) as sink:
        here = placed(folder, sink, 2)
        first = here.send(plan={"die": point})
        died = first.wait(PATIENCE_S) == -signal.SIGKILL
        if not here.finished():
            forget_where_drawing_stood(here)
            finish(here)
    return died, ended(here, record)


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_killed_at_every_named_point(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if database == "sqlite":
        placed = on_sqlite(request.getfixturevalue("template"))
    else:
        placed = on_postgres(RECIPIENTS, request)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        every = list(
            pool.map(
                lambda number: killed_at(POINTS[number], placed, tmp_path / f"point{number}"),
                range(len(POINTS)),
            )
        )
    for point, (died, told) in zip(POINTS, every, strict=True):
        assert died, f"{point} was never reached"
        check(told, subscribers=RECIPIENTS, most_unknown=IN_HAND)


class Executioner:
    """A fault that kills the sender when a conversation reaches a point, once."""

    def __init__(self, verb: str, message: int, what: str | None) -> None:
        self.verb, self.message, self.what = verb, message, what
        self.sender: subprocess.Popen[bytes] | None = None
        self.done = False

    def __call__(self, step: Step) -> str | None:
        if step.verb == self.verb and step.message >= self.message and not self.done:
            assert self.sender is not None
            self.done = True
            kill(self.sender)
            return self.what
        return None


def killed_with(at: tuple[str, int, str | None], template: Template, folder: Path) -> Counted:
    record = folder.with_suffix(".jsonl")
    fault = Executioner(*at)
    with FaultySink(fault=fault, record=record, keep=False) as sink:
        here = place(template[0], folder, template[1], sink)
        fault.sender = here.send()
        assert fault.sender.wait(PATIENCE_S) == -signal.SIGKILL
        finish(here)
    return ended(here, record)


def test_killed_while_a_mail_server_was_at(template: Template, tmp_path: Path) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        every = list(
            pool.map(
                lambda number: killed_with(AT_THE_SERVER[number], template, tmp_path / f"server{number}"),
                range(len(AT_THE_SERVER)),
            )
        )
    for told in every:
        check(told, subscribers=RECIPIENTS, most_unknown=IN_HAND)


@pytest.mark.parametrize(
    "fault", [None, server_error(stored=True), hang(stored=True)], ids=["plain", "500", "hanging"]
)
def test_killed_while_sendgrid_was_at_it(template: Template, tmp_path: Path, fault: Fault | None) -> None:
    record = tmp_path / "taken.jsonl"
    with SendGridStandIn(record=record) as standin:
        standin.plan(fault)
        here = place(template[0], tmp_path / "here", template[1], standin)
        first = here.send()
        until(lambda: first.poll() is not None or len(standin.requests) >= 1, "a request came")
        kill(first)
        if not here.finished():
            finish(here)
    check(ended(here, record), subscribers=RECIPIENTS, most_unknown=1000)


@pytest.mark.parametrize("jump_s", [-_DAYS, _DAYS], ids=["back", "forth"])
@pytest.mark.parametrize("dies", [False, True], ids=["lives", "dies"])
def test_a_clock_that_jumps_by_days(template: Template, tmp_path: Path, jump_s: int, dies: bool) -> None:
    record = tmp_path / "taken.jsonl"
    plan: dict[str, object] = {"jump": ["after mark", 2, jump_s]}
    if dies:
        plan["die"] = ["before reply", 60]
    with FaultySink(record=record, keep=False) as sink:
        here = place(template[0], tmp_path / "here", template[1], sink)
        first = here.send(plan=plan)
        assert first.wait(PATIENCE_S) == (-signal.SIGKILL if dies else 0)
        if dies:
            finish(here)
    check(ended(here, record), subscribers=RECIPIENTS, most_unknown=IN_HAND if dies else 0)


def test_a_command_that_slept_past_its_lease_sends_nothing_twice(template: Template, tmp_path: Path) -> None:
    record = tmp_path / "taken.jsonl"
    with FaultySink(record=record, keep=False, fault=_slowly) as sink:
        here = place(template[0], tmp_path / "here", template[1], sink)
        sleeper = here.send()
        until(lambda: sum(recorded(record).values()) >= 10, "mail was sent")
        until(lambda: _fell_asleep(sleeper, here), "it slept outside a transaction")
        finish(here)
        sleeper.send_signal(signal.SIGCONT)
        assert sleeper.wait(PATIENCE_S) == 0
    check(ended(here, record), subscribers=RECIPIENTS, most_unknown=IN_HAND)


def _slowly(step: Step) -> None:
    if step.verb == "DOT":
        time.sleep(0.05)


def _fell_asleep(sleeper: subprocess.Popen[bytes], here: Place) -> bool:
    """Stops the process, unless that was in the middle of a transaction: whoever sleeps there keeps the
    database's own lock, and everybody waits, which is the database's promise and not ours to test."""
    sleeper.send_signal(signal.SIGSTOP)
    time.sleep(0.05)
    with (here.folder / "newsletter.db.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sleeper.send_signal(signal.SIGCONT)
            return False
        return True


@pytest.mark.parametrize(
    ("mutation", "point"),
    [
        ("record before send", ("after mark", 2)),  # nothing of that window has left yet
        ("requeue submitting", ("before reply", 40)),
        ("non-unique expansion", ("before reply", 40)),
    ],
)
def test_the_harness_catches(
    template: Template, tmp_path: Path, mutation: str, point: tuple[str, int]
) -> None:
    record = tmp_path / "taken.jsonl"
    with FaultySink(record=record, keep=False) as sink:
        here = place(template[0], tmp_path / "here", template[1], sink)
        first = here.send(plan={"die": point, "mutation": mutation})
        assert first.wait(PATIENCE_S) == -signal.SIGKILL
        forget_where_drawing_stood(here)
        finish(here, mutation=mutation)
    with pytest.raises(AssertionError):
        check(ended(here, record), subscribers=RECIPIENTS, most_unknown=IN_HAND)


def test_the_harness_catches_a_commit_that_does_not_reach_the_disk(
    template: Template, tmp_path: Path
) -> None:
    with FaultySink(keep=False) as sink:
        here = place(template[0], tmp_path / "here", template[1], sink)
        first = here.send(plan={"mutation": "no fsync"})
        assert first.wait(PATIENCE_S) == NOT_SYNCED


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_message_leaves_before_the_ledger_is_on_disk(template: Template, tmp_path: Path) -> None:
    """Counted by the kernel's own account: how many messages were taken since the last fdatasync."""
    assert 0 < _most_since_sync(template, tmp_path / "synced", "") <= IN_HAND
    assert _most_since_sync(template, tmp_path / "unsynced", "no fsync") > IN_HAND


def _most_since_sync(template: Template, folder: Path, mutation: str) -> int:
    trace = folder.with_suffix(".strace")
    watch = ("strace", "-f", "-y", "-s", "2000", "-e", "trace=fdatasync,fsync,recvfrom", "-o", str(trace))
    with FaultySink(keep=False) as sink:
        here = place(template[0], folder, template[1], sink)
        sender = here.send(plan={"mutation": mutation, "unwatched": True}, under=watch)
        assert sender.wait(PATIENCE_S) == 0
    most = since = 0
    for line in trace.read_text(errors="replace").splitlines():
        if re.search(r"f(?:data)?sync\(.*newsletter\.db", line):
            since = 0
        since += line.count("queued as")
        most = max(most, since)
    return most
