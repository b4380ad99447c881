"""Outside the database: who was erased, as keyed hashes, so that a restored copy forgets them again.

A copy from yesterday still has whoever was erased today. The file is append-only, a hash a line; a line that
was cut short by a crash is no hash and is ignored.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from newsletter.errors import StoreProblem

_HASH: Final = re.compile(r"[0-9a-f]{64}")


class Erasures:
    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, address_hash: str) -> None:
        """Remembers it durably. Raises StoreProblem where the file cannot be written."""
        try:
            with self._path.open("a") as file:
                file.write(f"\n{address_hash}\n")  # begins anew after a line that was cut short
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreProblem(
                f"The file that remembers who was erased cannot be written: {error.strerror}.",
                hint="They are erased; check the data folder, its permissions and the room on the disk.",
            ) from error

    def all(self) -> set[str]:
        try:
            return set(_HASH.findall(self._path.read_text(errors="replace")))
        except FileNotFoundError:
            return set()


def sweep(outbox: Path, address: str) -> int:
    """Removes the messages to somebody from the outbox folder; returns how many there were."""
    wanted = address.casefold().encode()
    gone = 0
    for file in outbox.glob("*/*.eml"):
        try:
            if wanted in file.read_bytes().lower():
                file.unlink()
                gone += 1
        except FileNotFoundError:  # a relay picked it up in this moment
            continue
    return gone
