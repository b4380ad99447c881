"""Pause, resume, cancel, retry and settle, told to real processes while they send.

How quickly they take hold is counted at the mail server, which takes a second over every message: whoever
stops within two seconds hands it only a few more, not the dozens that were ready.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

import httpx
import pytest

from newsletter import wiring
from newsletter.desk.doors import Doors
from newsletter.model.delivery import DeliveryState
from newsletter.model.issue import IssueState
from newsletter.model.receipt import Receipt
from newsletter.store.unit import Store
from tests.crash.place import PATIENCE_S, Place, kill, place, prepare, stop, until
from tests.crash.sink import DROP_STORED, FaultySink, Step

READERS = 240
SLOW_S = 1.0  #: what the mail server takes over a message
FEW = 12  #: two connections, two seconds, what both had announced, and as much again for a busy machine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    folder = tmp_path_factory.mktemp("template")
    return folder, prepare(folder, READERS)


class Slow:
    """Takes its time over each message until it is told to hurry; refuses and breaks where a test wants."""

    def __init__(self) -> None:
        self.hurry = threading.Event()
        self.refused: set[str] = set()
        self.broken: set[str] = set()

    def __call__(self, step: Step) -> str | None:
        if step.verb == "RCPT" and step.recipient in self.refused:
            return "552 5.2.2 mailbox full"
        if step.verb == "DOT" and step.recipient.startswith("reader"):
            self.hurry.wait(SLOW_S)
            if step.recipient in self.broken:
                return DROP_STORED
        return None


class Watched:
    """A place whose ledger the test reads beside the running process."""

    def __init__(self, place: Place, sink: FaultySink) -> None:
        self.place, self.sink = place, sink
        self.store: Store = place.store()

    @property
    def taken(self) -> int:
        return sum(address.startswith("reader") for address in self.sink.recipients)

    @property
    def state(self) -> IssueState:
        with self.store.read() as unit:
            return unit.issues.get(self.place.issue_id).state

    @property
    def receipt(self) -> Receipt:
        with self.store.read() as unit:
            receipt = unit.deliveries.receipt(self.place.issue_id)
        assert receipt.balances
        return receipt

    def say(self, *words: str) -> None:
        command = self.place.command("issues", words[0], str(self.place.issue_id), *words[1:])
        assert command.wait(PATIENCE_S) == 0

    def settles(self) -> None:
        """Until nothing is in flight any more, which must not take dozens of messages."""
        before = self.taken
        until(lambda: self._in_flight() == 0, "what was in flight ended")
        assert self.taken - before <= FEW
        assert self.receipt.unknown == 0

    def _in_flight(self) -> int:
        with self.store.read() as unit:
            return len(unit.deliveries.list(self.place.issue_id, states=[DeliveryState.SUBMITTING]))

    def copies(self) -> Counter[str]:
        return Counter(address for address in self.sink.recipients if address.startswith("reader"))


@contextmanager
def watched(template: tuple[Path, int], folder: Path, slow: Slow) -> Iterator[Watched]:
    with FaultySink(fault=slow) as sink:
        here = Watched(place(template[0], folder, template[1], sink), sink)
        try:
            yield here
        finally:
            slow.hurry.set()
            here.store.close()


def test_from_the_command_line(template: tuple[Path, int], tmp_path: Path) -> None:
    slow = Slow()
    with watched(template, tmp_path / "here", slow) as here:
        sender = here.place.send()
        until(lambda: here.taken >= 3, "mail was sent")
        here.say("pause")
        here.settles()
        assert sender.wait(PATIENCE_S) == 1, "who was sending says that it is paused"
        assert here.state is IssueState.PAUSED
        assert here.receipt.remaining > 0
        here.say("resume")
        going = here.taken
        sender = here.place.send()
        until(lambda: here.taken >= going + 3, "it went on")
        here.say("cancel")
        here.settles()
        sender.wait(PATIENCE_S)
        receipt = here.receipt
        assert here.state.value == "cancelled"
        assert receipt.remaining == 0
        assert receipt.skipped == READERS - receipt.accepted > 0
        assert set(here.copies().values()) == {1}
        assert here.taken == receipt.accepted


def test_from_the_studio(template: tuple[Path, int], tmp_path: Path) -> None:
    slow = Slow()
    with watched(template, tmp_path / "here", slow) as here, running(here) as (server, visitor):
        until(lambda: here.taken >= 3, "mail was sent")
        press(visitor, here, "pause")
        here.settles()
        assert here.state is IssueState.PAUSED
        page = visitor.get(f"/studio/issues/{here.place.issue_id}").text
        assert "Go on sending" in page and "Still to go" in page
        going = here.taken
        press(visitor, here, "resume")
        until(lambda: here.taken >= going + 3, "it went on")
        press(visitor, here, "cancel")
        here.settles()
        assert here.state.value == "cancelled"
        receipt = here.receipt
        assert receipt.remaining == 0
        assert receipt.skipped == READERS - receipt.accepted > 0
        assert set(here.copies().values()) == {1}
        assert stop(server) == 0
        assert here.taken == receipt.accepted


@pytest.mark.parametrize("way", ["command line", "studio"])
def test_a_second_try_is_a_choice_that_can_be_made_while_it_sends(
    template: tuple[Path, int], tmp_path: Path, way: str
) -> None:
    slow = Slow()
    slow.refused = {"reader1@example.org", "reader2@example.org"}
    slow.broken = {"reader0@example.org"}
    with watched(template, tmp_path / "here", slow) as here, ExitStack() as opened:
        if way == "studio":
            _, visitor = opened.enter_context(running(here))
        else:
            sender = here.place.send()
        until(lambda: here.receipt.failed == 2 and here.receipt.unknown == 1, "some failed")
        slow.refused, slow.broken = set(), set()
        if way == "studio":
            press(visitor, here, "retry")
            press(visitor, here, "settle", choice="resend")
        else:
            here.say("retry")
            here.say("settle", "--unknown", "resend")
        slow.hurry.set()
        if way == "studio":
            until(lambda: here.state is IssueState.FINISHED, "it was finished")
        else:
            assert sender.wait(PATIENCE_S) == 0
        assert here.receipt.accepted == READERS
        copies = here.copies()
        assert copies.pop("reader0@example.org") == 2, "sent once more, since somebody chose it"
        assert set(copies.values()) == {1}


def test_asked_to_stop_it_drains_and_a_second_start_goes_on(
    template: tuple[Path, int], tmp_path: Path
) -> None:
    slow = Slow()
    with watched(template, tmp_path / "here", slow) as here:
        first = here.place.run()
        until(lambda: here.taken >= 3, "mail was sent")
        first.terminate()
        before = here.taken
        assert first.wait(PATIENCE_S) == 0
        assert here.taken - before <= FEW
        assert here.state is IssueState.SENDING
        assert here.receipt.unknown == 0
        slow.hurry.set()
        second = here.place.send()
        assert second.wait(PATIENCE_S) == 0
        assert here.receipt.accepted == READERS
        assert set(here.copies().values()) == {1}


@contextmanager
def running(here: Watched) -> Iterator[tuple[Popen[bytes], httpx.Client]]:
    """``newsletter run``, and somebody signed in at its studio."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    server = here.place.command("run", "--port", str(port))
    try:
        with browser(here, port) as visitor:
            yield server, visitor
    finally:
        kill(server)


@contextmanager
def browser(here: Watched, port: int) -> Iterator[httpx.Client]:
    """Signed in at the server that runs."""
    doors = Doors(begin=here.store.begin, read=here.store.read, clock=wiring.now)
    cookies = {"session": doors.open_session(doors.new_login())}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", cookies=cookies, timeout=60) as visitor:
        until(lambda: _answers(visitor), "the server answers")
        yield visitor


def _answers(visitor: httpx.Client) -> bool:
    try:
        return visitor.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def press(visitor: httpx.Client, here: Watched, button: str, **fields: str) -> None:
    answer = visitor.post(f"/studio/issues/{here.place.issue_id}/{button}", data=fields)
    assert answer.status_code == 303, answer.text
