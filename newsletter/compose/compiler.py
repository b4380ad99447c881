"""MJML to HTML, in a child process that lives as long as the compiler and may be killed at any time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import selectors
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from types import TracebackType
from typing import Final

from newsletter.compose import mjml_child
from newsletter.compose.mjml_child import HEADER, MAX_FRAME, frame
from newsletter.errors import TemplateProblem

_TIMEOUT_S: Final = 20.0
_CACHED: Final = 64
_VARIABLES: Final = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
"""What the child needs of the environment: secrets it does not."""


class Compiler:
    """A context manager; thread-safe. The child starts with the first compilation and again after a
    crash or a time-out."""

    def __init__(self, *, timeout_s: float = _TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._cache: OrderedDict[str, str] = OrderedDict()

    def __enter__(self) -> Compiler:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child. The compiler may be used again afterwards."""
        with self._lock:
            self._end()

    def compile(self, mjml: str, *, file: str = "layout.mjml.j2") -> str:
        """HTML of an MJML document of ASCII characters.

        Raises TemplateProblem naming ``file`` where the compiler rejects it, crashes, or takes longer
        than the time-out. Never raises anything else for any text.
        """
        key = hashlib.sha256(mjml.encode()).hexdigest()
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
            answer = self._ask(mjml.encode(), file)
            if answer[:1] != b"+":
                reason = answer[1:].decode(errors="replace").strip().rstrip(".")
                raise TemplateProblem(f"The theme's markup cannot be compiled: {reason}.", file=file)
            html = answer[1:].decode()
            self._cache[key] = html
            if len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
            return html

    def _ask(self, request: bytes, file: str) -> bytes:
        deadline = time.monotonic() + self._timeout_s
        child = self._living()
        try:
            answer = _exchange(child, frame(request), deadline)
        except BaseException:
            self._end()  # an interrupted child would give the next question this answer
            raise
        if answer is not None:
            return answer
        late = time.monotonic() >= deadline
        self._end()
        what = "takes too long" if late else "makes the compiler stop"
        raise TemplateProblem(
            f"The theme's markup {what}.", file=file, hint="Look for tags that are nested very deeply."
        )

    def _living(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self._end()
        self._child = subprocess.Popen(
            [sys.executable, "-P", mjml_child.__file__],  # by path: the package around it is not needed
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _VARIABLES if name in os.environ},
            close_fds=True,
        )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _exchange(child: subprocess.Popen[bytes], request: bytes, deadline: float) -> bytes | None:
    """Send a frame and read one; None where the child ends, answers nonsense, or the deadline passes.

    Both directions at once: a long request must not wait for an answer that waits for the request.
    """
    assert child.stdin is not None and child.stdout is not None
    writing, reading = child.stdin.fileno(), child.stdout.fileno()
    os.set_blocking(writing, False)
    received = bytearray()
    unsent = memoryview(request)
    # Not select(): a server with a thousand connections open has descriptors beyond its reach.
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        selector.register(writing, selectors.EVENT_WRITE)
        while (left := deadline - time.monotonic()) > 0:
            ready = {key.fd for key, _ in selector.select(left)}
            if writing in ready:
                try:
                    unsent = unsent[os.write(writing, unsent) :]
                except BlockingIOError:
                    pass
                except OSError:
                    return None
                if not unsent:
                    selector.unregister(writing)
            if reading in ready:
                chunk = os.read(reading, 1 << 16)
                if not chunk:
                    return None
                received += chunk
                if len(received) < HEADER:
                    continue
                end = HEADER + int.from_bytes(received[:HEADER], "big")
                if end > HEADER + MAX_FRAME:
                    return None
                if len(received) >= end:
                    return bytes(received[HEADER:end])
    return None
