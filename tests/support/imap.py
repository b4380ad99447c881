"""A small IMAP server (RFC 3501) over TLS on loopback: one user, one folder, and only what it is asked for.

It is strict: a command in the wrong state, an argument that is no valid one or an unknown command is BAD.
"""

from __future__ import annotations

import re
import socketserver
import ssl
import threading
from dataclasses import dataclass, field
from typing import Final

from tests.support.certificates import Certificate

USER: Final = "reader@news.example"
PASSWORD: Final = "pass word"
_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'


@dataclass
class Message:
    raw: bytes
    flags: set[str] = field(default_factory=set)


class ImapServer:
    """``keywords``: clients may make flags of their own. ``uidplus``: one message can be removed by itself.
    ``breaks``: the connection breaks when a message is asked for."""

    def __init__(
        self, certificate: Certificate, *, keywords: bool = True, uidplus: bool = True, breaks: bool = False
    ) -> None:
        self.messages: dict[int, Message] = {}
        self.folder = "INBOX"
        self.keywords = keywords
        self.uidplus = uidplus
        self.breaks = breaks
        self._next = 1
        outer, context = self, certificate.server_context()

        class Handler(socketserver.StreamRequestHandler):
            def setup(self) -> None:
                self.request.settimeout(30)
                self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def handle(self) -> None:
                _Talk(outer, self).run()

            def finish(self) -> None:
                super().finish()
                self.request.close()

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that does not trust us breaks off."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def add(self, raw: bytes, *, flags: set[str] | None = None) -> int:
        """A new message; its UID."""
        uid = self._next
        self._next += 1
        self.messages[uid] = Message(raw, set(flags or ()))
        return uid

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class _Talk:
    def __init__(self, server: ImapServer, handler: socketserver.StreamRequestHandler) -> None:
        self._server = server
        self._in, self._out = handler.rfile, handler.wfile
        self._state = "greeted"

    def run(self) -> None:
        self._say("* OK ready")
        try:
            while line := self._in.readline():
                tag, _, command = line.decode("utf-8").rstrip("\r\n").partition(" ")
                self._say(f"{tag} {self._answer(command)}")
                if self._state == "gone":
                    return
        except (OSError, ssl.SSLError, ConnectionAbortedError):
            return

    def _answer(self, command: str) -> str:
        word, _, rest = command.partition(" ")
        if word == "CAPABILITY":
            # As real ones do, more is told of once somebody is logged in.
            plus = " UIDPLUS" if self._server.uidplus and self._state != "greeted" else ""
            self._say(f"* CAPABILITY IMAP4rev1{plus}")
            return "OK done"
        if word == "LOGOUT":
            self._say("* BYE")
            self._state = "gone"
            return "OK done"
        if word == "LOGIN" and self._state == "greeted":
            given = re.fullmatch(rf"(\S+) {_QUOTED}", rest)
            if given is None or (given[1].strip('"'), given[2]) != (USER, PASSWORD):
                return "NO wrong"
            self._state = "in"
            return "OK welcome"
        if word == "SELECT" and self._state in ("in", "selected"):
            return self._select(rest)
        if word == "UID" and self._state == "selected":
            return self._uid(rest)
        if word == "CLOSE" and self._state == "selected":
            raise AssertionError("this would remove what people marked as deleted")
        return "BAD not here"

    def _select(self, rest: str) -> str:
        given = re.fullmatch(_QUOTED, rest)
        if given is None or re.sub(r"\\(.)", r"\1", given[1]) != self._server.folder:
            return "NO no such folder"
        self._say(f"* {len(self._server.messages)} EXISTS")
        own = r" \*" if self._server.keywords else ""
        self._say(rf"* OK [PERMANENTFLAGS (\Answered \Deleted \Seen{own})] kept")
        self._state = "selected"
        return "OK [READ-WRITE] done"

    def _uid(self, rest: str) -> str:
        word, _, rest = rest.partition(" ")
        if word == "SEARCH":
            return self._search(rest.split())
        match = re.fullmatch(r"(\d+)(?: (.*))?", rest)
        if match is None:
            return "BAD one message is named"
        uid, how = int(match[1]), match[2] or ""
        message = self._server.messages.get(uid)
        if word == "FETCH":
            part = re.fullmatch(r"\(BODY\.PEEK\[\]<0\.(\d+)>\)", how)
            if part is None:
                return "BAD that is not asked for here"
            if self._server.breaks:
                raise ConnectionAbortedError
            if message is not None:
                raw = message.raw[: int(part[1])]
                self._say(f"* 1 FETCH (UID {uid} BODY[]<0> {{{len(raw)}}}")
                self._out.write(raw + b")\r\n")
            return "OK done"
        if word == "STORE":
            flags = re.fullmatch(r"\+FLAGS\.SILENT \(([^()]+)\)", how)
            if flags is None or not (self._server.keywords or flags[1].startswith("\\")):
                return "BAD such a flag cannot be set"
            if message is not None:
                message.flags.add(flags[1])
            return "OK done"
        if word == "EXPUNGE" and self._server.uidplus and not how:
            if message is not None and r"\Deleted" in message.flags:
                del self._server.messages[uid]
            return "OK done"
        return "BAD unknown"

    def _search(self, words: list[str]) -> str:
        found = self._server.messages
        wanted = list(found)
        while words:
            word = words.pop(0)
            if word == "UNDELETED":
                wanted = [uid for uid in wanted if r"\Deleted" not in found[uid].flags]
            elif word == "UNSEEN":
                wanted = [uid for uid in wanted if r"\Seen" not in found[uid].flags]
            elif word == "UNKEYWORD" and words:
                keyword = words.pop(0)
                wanted = [uid for uid in wanted if keyword not in found[uid].flags]
            else:
                return "BAD unknown search"
        self._say("* SEARCH" + "".join(f" {uid}" for uid in reversed(wanted)))
        return "OK done"

    def _say(self, line: str) -> None:
        self._out.write(line.encode() + b"\r\n")
        self._out.flush()
