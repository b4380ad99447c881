"""An advisory lock on a file, between processes and threads alike."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from newsletter.errors import StoreProblem


class FileLock:
    """Held by at most one holder at a time; the kernel lets go of it when a holder dies."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Waits for the lock. Each call opens the file anew, since flock belongs to the open file.

        Raises StoreProblem where the file's folder is not there or cannot be written to.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreProblem(
                f"The database's folder {self._path.parent} cannot be used: {error.strerror}.",
                hint="Check that it is there, that you may write to it, and NEWSLETTER_DATABASE_URL.",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
