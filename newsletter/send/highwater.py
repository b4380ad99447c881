"""A mark outside the database: how far sending had come, so that a restored older copy is recognised.

A copy of the database from yesterday believes that today's issue was never sent. Attempt ids only grow, so a
database whose newest attempt is older than the mark is such a copy.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from newsletter.errors import Conflict, StoreProblem

_MOST_LINES: Final = 10_000


class HighWater:
    """An append-only file of attempt ids, one a line; a line that was cut short by a crash is ignored."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def reached(self) -> int:
        """The highest attempt that this machine ever opened; 0 where there is no file yet."""
        try:
            lines = self._path.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise self._problem(error) from error
        return max(
            (int(line) for line in lines if line.endswith(b"\n") and line.strip().isdigit()), default=0
        )

    def check(self, newest_attempt: int) -> None:
        """Raises Conflict where the database is older than what was sent."""
        if newest_attempt < self.reached():
            raise Conflict(
                "This database is older than what was already sent from here: it looks like a restored copy.",
                hint="Look which issues your subscribers have, cancel those, then accept this database "
                "(in the studio: Settings, Check everything): newsletter doctor --accept-database",
            )

    def rise(self, attempt_id: int) -> None:
        """Remembers an attempt, durably, before anything of it is handed over."""
        try:
            with self._path.open("ab") as file:
                file.write(b"\n%d\n" % attempt_id)  # begins anew after a line that was cut short
                file.flush()
                os.fsync(file.fileno())
            if self._path.stat().st_size > _MOST_LINES * 8:
                self.accept(max(attempt_id, self.reached()))
        except OSError as error:
            raise self._problem(error) from error

    def accept(self, newest_attempt: int) -> None:
        """The author says that this database is the right one."""
        draft = self._path.with_name(self._path.name + ".new")
        with draft.open("wb") as file:
            file.write(b"%d\n" % newest_attempt)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)

    def _problem(self, error: OSError) -> StoreProblem:
        return StoreProblem(
            f"The file that remembers how far sending came cannot be used: {error.strerror}.",
            hint="Check the data folder, its permissions and the room on the disk.",
        )
