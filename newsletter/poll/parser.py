"""Parser: feed documents are read in children that can be killed, never in this process.

A decompressed document can still be a bomb: nested entities, markup nested 100,000 deep, a text on which a
regular expression runs for hours. A child has 10 s of CPU, 512 MB of address space and 20 s of wall clock
for each document; past any of them it is killed, and the feed gets a problem that says so.
"""

from __future__ import annotations

import json
import os
import queue
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from newsletter.errors import FeedUnparsable
from newsletter.model.entry import Entry, FeedDocument
from newsletter.poll import wire
from newsletter.poll.limits import child_environment

WALL_S = 20.0
CHILDREN = 2  #: so that one hostile document does not keep the other feeds waiting


class Parser:
    """Owns its children; starts them when first needed. Thread-safe. Use as a context manager."""

    def __init__(self, *, wall_s: float = WALL_S) -> None:
        self._wall_s = wall_s
        self._idle: queue.LifoQueue[_Child] = queue.LifoQueue()
        for _ in range(CHILDREN):
            self._idle.put(_Child())
        self._closed = False

    def parse(self, body: bytes, *, url: str, content_type: str = "") -> FeedDocument:
        """What a feed document says. ``url`` is where it came from: relative links start there.

        Raises FeedUnparsable, whose sentence names the reason. Never touches the network or a file.
        """
        if self._closed:
            raise RuntimeError("the parser is closed")
        child = self._idle.get()
        try:
            return child.parse(body, url=url, content_type=content_type, wall_s=self._wall_s)
        finally:
            self._idle.put(child)

    def close(self) -> None:
        """Ends the children; waits for documents being read."""
        self._closed = True
        for child in [self._idle.get() for _ in range(CHILDREN)]:
            child.stop()
            self._idle.put(child)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Child:
    """One child process, used by one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def parse(self, body: bytes, *, url: str, content_type: str, wall_s: float) -> FeedDocument:
        request = {"url": url, "content_type": content_type}
        meta: dict[str, Any] | None = None
        entries: list[Entry] = []
        done = False
        try:
            for message in self._ask(json.dumps(request).encode(), body, time.monotonic() + wall_s):
                if "refused" in message:
                    done = True
                    raise _unparsable(url, message["refused"])
                if "document" in message:
                    meta = message["document"]
                entries.extend(wire.entry_in(entry) for entry in message.get("entries", ()))
                done = "end" in message
        except TimeoutError:
            raise _unparsable(url, f"reading it took longer than {wall_s:g} seconds") from None
        except (EOFError, BrokenPipeError):
            raise _unparsable(url, self._cause_of_death()) from None
        finally:
            if not done:
                self.stop()
        if meta is None:
            raise _unparsable(url, "it says nothing")
        return wire.document_in(meta, tuple(entries))

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _ask(self, request: bytes, body: bytes, deadline: float) -> Iterator[dict[str, Any]]:
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        feeder = _Feeder(process.stdin, (wire.frame(request), len(body).to_bytes(wire.LENGTH, "big"), body))
        feeder.start()
        try:
            reader = _Reader(process.stdout.fileno(), deadline)
            while True:
                message: dict[str, Any] = json.loads(reader.frame())
                yield message
                if "end" in message or "refused" in message:
                    return
        finally:
            if feeder.is_alive():
                feeder.join(0.2)
                if feeder.is_alive():
                    process.kill()  # it answered without reading: it must not see the rest as a new request
                    feeder.join()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.stop()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "newsletter.poll.parse_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=child_environment(),
            start_new_session=True,  # Ctrl-C in the terminal is ours to handle
        )
        return self._process

    def _cause_of_death(self) -> str:
        if self._process is None:
            return "reading it failed"
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(timeout=1)
            if code in (-signal.SIGXCPU, -signal.SIGKILL):
                return "reading it takes too much computing time"
            if code == -signal.SIGSEGV:
                return "reading it takes too much memory"
        return "reading it failed"


class _Feeder(threading.Thread):
    """Writes to the child while its answers are read: neither side may wait for the other's full pipe."""

    def __init__(self, pipe: Any, parts: tuple[bytes, ...]) -> None:
        super().__init__(daemon=True, name="feed-parser-feeder")
        self._pipe, self._parts = pipe, parts

    def run(self) -> None:
        with suppress(OSError, ValueError):
            for part in self._parts:
                view = memoryview(part)
                while view:
                    view = view[self._pipe.write(view) :]


class _Reader:
    """Whole frames from a pipe, until a deadline of the monotonic clock."""

    def __init__(self, descriptor: int, deadline: float) -> None:
        self._descriptor, self._deadline = descriptor, deadline

    def frame(self) -> bytes:
        """Raises TimeoutError, or EOFError where the child died or speaks nonsense."""
        size = int.from_bytes(self._exactly(wire.LENGTH), "big")
        if size > wire.FRAME_LIMIT:
            raise EOFError
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        got = bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(self._descriptor, selectors.EVENT_READ)
            while len(got) < size:
                left = self._deadline - time.monotonic()
                if left <= 0 or not ready.select(left):
                    raise TimeoutError
                part = os.read(self._descriptor, min(size - len(got), 1 << 20))
                if not part:
                    raise EOFError
                got += part
        return bytes(got)


def _unparsable(url: str, reason: str) -> FeedUnparsable:
    return FeedUnparsable(
        f"The feed {url} cannot be read: {reason}.",
        url=url,
        hint="Open the address in a browser; `newsletter feeds check` shows what we see.",
    )
