"""An SMTP server that keeps what it took on disk, and breaks wherever a test wants it to."""

from __future__ import annotations

import json
import os
import re
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

DROP = "drop"  #: close the connection without a word
DROP_STORED = "drop stored"  #: take the message, then close without a word


@dataclass(frozen=True, kw_only=True)
class Step:
    """Where a conversation is: the verb (``GREET``, ``DOT``, a known
    command, or the whole line of another), the connection and the message
    (both counted from 1 over the life of the sink), and the recipient."""

    verb: str
    connection: int
    message: int
    recipient: str = ""


Fault = Callable[[Step], str | None]
"""What to do at a step: a reply such as ``451 4.3.0 later``, :data:`DROP`, :data:`DROP_STORED`, or None."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    recipient: str
    message_id: str
    data: bytes


class FaultySink:
    """Use as a context manager. ``record``: each message is appended as a line of JSON and synced to disk
    before the reply, or the break, that follows the dot. ``verbs`` lists every command in order."""

    def __init__(
        self,
        *,
        fault: Fault = lambda step: None,
        pipelining: bool = True,
        features: tuple[str, ...] = ("8BITMIME",),
        record: Path | None = None,
        keep: bool = True,
    ) -> None:
        self.fault = fault
        self.features = (*(("PIPELINING",) if pipelining else ()), *features)
        self.record = record
        self.keep = keep
        self.lock = threading.Lock()
        self.taken: list[Taken] = []
        self.verbs: list[str] = []
        self.connections = 0
        self.messages = 0
        self._server: _Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"smtp+plain://127.0.0.1:{self.port}"

    @property
    def recipients(self) -> list[str]:
        with self.lock:
            return [one.recipient for one in self.taken]

    def store(self, recipient: str, data: bytes) -> None:
        found = re.search(rb"^Message-ID: (\S+)", data, re.MULTILINE)
        taken = Taken(recipient=recipient, message_id=found[1].decode() if found else "", data=data)
        with self.lock:
            if self.keep:
                self.taken.append(taken)
            if self.record is not None:
                with self.record.open("a") as file:
                    file.write(json.dumps({"to": recipient, "id": taken.message_id}) + "\n")
                    file.flush()
                    os.fsync(file.fileno())

    def __enter__(self) -> FaultySink:
        self._server = _Server(self)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, sink: FaultySink) -> None:
        self.sink = sink
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is what this is for."""


class _Gone(Exception):
    """The connection ends here."""


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        sink = self.server.sink
        with sink.lock:
            sink.connections += 1
            self.number = sink.connections
        self.message = 0
        try:
            self._say(self._fault("GREET") or "220 sink.example ESMTP")
            self._converse()
        except (_Gone, OSError):
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _converse(self) -> None:
        recipient = ""
        sender = False
        while line := self.rfile.readline(2000):
            verb = line.split(None, 1)[0].upper().decode() if line.strip() else ""
            with self.server.sink.lock:
                self.server.sink.verbs.append(verb)
                if verb == "MAIL":
                    self.server.sink.messages += 1
                    self.message = self.server.sink.messages
            if verb == "MAIL":
                sender, recipient = False, ""
                refusal = self._fault("MAIL")
                sender = refusal is None
                self._say(refusal or "250 2.1.0 ok")
            elif verb == "RCPT":
                address = line.decode().split("<", 1)[1].split(">", 1)[0]
                refusal = self._fault("RCPT", address) if sender else "503 5.5.1 MAIL first"
                recipient = "" if refusal else address
                self._say(refusal or "250 2.1.5 ok")
            elif verb == "DATA":
                refusal = self._fault("DATA", recipient)
                if refusal is None and not recipient:
                    refusal = "503 5.5.1 RCPT first"
                self._say(refusal or "354 go ahead")
                if refusal is None or refusal.startswith("354"):
                    self._data(recipient)
                    sender, recipient = False, ""
            elif verb in ("RSET", "NOOP"):
                sender, recipient = (False, "") if verb == "RSET" else (sender, recipient)
                self._say(self._fault(verb) or "250 2.0.0 ok")
            elif verb == "EHLO":
                lines = ["sink.example", *self.server.sink.features]
                marked = [f"250-{text}" for text in lines[:-1]] + [f"250 {lines[-1]}"]
                self._say(self._fault("EHLO") or "\r\n".join(marked))
            elif verb == "QUIT":
                self._say("221 2.0.0 bye")
                return
            else:
                self._say(self._fault(line.decode().strip()) or "500 5.5.2 what?")

    def _data(self, recipient: str) -> None:
        lines: list[bytes] = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                raise _Gone
            lines.append(line[1:] if line.startswith(b".") else line)
        what = self._fault("DOT", recipient)
        if not recipient:
            self._say(what or "554 5.5.1 no valid recipients")
            return
        if what in (None, DROP_STORED) or (what or "").startswith("2"):
            self.server.sink.store(recipient, b"".join(lines))
        if what == DROP_STORED:
            raise _Gone
        self._say(what or "250 2.0.0 queued as Q1")

    def _fault(self, verb: str, recipient: str = "") -> str | None:
        step = Step(verb=verb, connection=self.number, message=self.message, recipient=recipient)
        what = self.server.sink.fault(step)
        if what == DROP:
            raise _Gone
        return what

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")
