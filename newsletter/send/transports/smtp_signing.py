"""DKIM signatures on the way to the wire, made by another process where there are many.

An RSA signature takes longer than all else about a message, and ``cryptography`` (50.0) keeps the
interpreter's lock meanwhile: two threads sign no more than one, and the connections wait too.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from newsletter.send import signing_child
from newsletter.send.dkim import Signer
from newsletter.send.signing_child import KEY_LENGTH, READY
from newsletter.send.transports.smtp_session import Job

_MANY: Final = 100  #: signatures after which it pays to start a process
_PATIENCE_MS: Final = 10_000  # a signature takes less than one
_MOST: Final = 64 * 1024
_VARIABLES: Final = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
"""What the process needs of the environment: secrets it does not."""


class Signing:
    """Completes drafted jobs and gives them on, from the thread that calls or from one of its own.

    What the process does not do (there are few, it has only begun, it died), is done here.
    """

    def __init__(self, signer: Signer, give: Callable[[Job], None]) -> None:
        self._signer = signer
        self._give = give
        self._count = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None  # runs once the process is ready
        self._asked: SimpleQueue[Job | None] = SimpleQueue()
        self._gone = False

    def put(self, job: Job) -> None:
        """Signs a job that was drafted, now or soon."""
        self._count += 1
        if self._count == _MANY and self._signer.slow:
            self._start()
        assert job.unsigned is not None
        if self._asks(job.unsigned.digest):
            self._asked.put(job)
        else:
            self._sign(job)

    def end(self) -> None:
        """Waits until every job was given on."""
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join()
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    def _start(self) -> None:
        pem = self._signer.pem
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", signing_child.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _VARIABLES if name in os.environ},
                bufsize=0,
            )
            os.write(self._to, len(pem).to_bytes(KEY_LENGTH, "big") + pem)
        except OSError:
            self._gone = True

    def _asks(self, digest: bytes) -> bool:
        """Whether the process was asked."""
        if self.process is None or self._gone:
            return False
        if self._thread is None:
            if not _heard(self._from, 0):
                return False
            if os.read(self._from, len(READY)) != READY:
                self._gone = True
                return False
            self._thread = threading.Thread(target=self._collect, name="signatures", daemon=True)
            self._thread.start()
        try:
            os.write(self._to, digest)
        except OSError:
            self._gone = True
        return not self._gone

    def _collect(self) -> None:
        size = self._signer.size
        heard = b""
        while (job := self._asked.get()) is not None:
            while len(heard) < size and not self._gone:
                more = os.read(self._from, _MOST) if _heard(self._from, _PATIENCE_MS) else b""
                heard += more
                self._gone = not more
            if len(heard) < size:
                self._sign(job)
            else:
                self._complete(job, heard[:size])
                heard = heard[size:]

    def _sign(self, job: Job) -> None:
        assert job.unsigned is not None
        self._complete(job, self._signer.sign(job.unsigned.digest))

    def _complete(self, job: Job, signature: bytes) -> None:
        assert job.unsigned is not None
        job.message[0] = job.unsigned.signed(signature)
        job.size += len(job.message[0])
        job.unsigned = None
        self._give(job)

    @property
    def _to(self) -> int:
        assert self.process is not None and self.process.stdin is not None
        return self.process.stdin.fileno()

    @property
    def _from(self) -> int:
        assert self.process is not None and self.process.stdout is not None
        return self.process.stdout.fileno()


def _heard(pipe: int, patience_ms: int) -> bool:
    """Whether something can be read, the end included."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(patience_ms))
