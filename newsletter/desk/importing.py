"""Imports of the studio: a file is looked at, decided on, and brought in, all in the background."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from typing import BinaryIO

from newsletter.desk.base import Verbs
from newsletter.errors import Conflict, Invalid, StoreProblem
from newsletter.model.importing import Import, ImportState
from newsletter.steps import importing


class ImportVerbs(Verbs):
    def look_at_import(self, file: BinaryIO, source: str, seconds: float) -> Import:
        """Keeps the file, and finds out what would happen: for ``seconds`` before it returns, what takes
        longer in the background. Nothing is changed on the list. Raises Invalid for an empty file."""
        folder, name = importing.folder(self.tools), f"{secrets.token_hex(12)}.upload"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(folder / name, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as kept:
                shutil.copyfileobj(file, kept, 1 << 20)
                kept.flush()
                os.fsync(kept.fileno())
                size = kept.tell()
        except OSError as error:
            (folder / name).unlink(missing_ok=True)
            raise StoreProblem(
                f"The file cannot be kept in the data folder: {error.strerror}.",
                hint="Check its permissions and the room on the disk.",
            ) from error
        if not size:
            (folder / name).unlink()
            raise Invalid("No file was chosen, or it is empty.", hint="Choose a CSV file.")
        with self.tools.begin() as unit:
            id = unit.imports.add(source=source, file=name, now=self._now())
        importing.work_on(self.tools, id, seconds)
        return self.import_of(id)

    def import_of(self, id: int) -> Import:
        """Raises NotFound."""
        with self.tools.read() as unit:
            return unit.imports.get(id)

    def open_imports(self) -> Sequence[Import]:
        """Those that go on, or wait for a decision; newest first."""
        with self.tools.read() as unit:
            return unit.imports.waiting()

    def begin_import(self, id: int, *, ask_per_day: int | None, seconds: float) -> Import:
        """Brings it in: for ``seconds`` before it returns, the rest in the background. Raises Conflict where
        it was begun or cancelled before."""
        importing.begin(self.tools, id, ask_per_day)
        importing.work_on(self.tools, id, seconds)
        return self.import_of(id)

    def cancel_import(self, id: int) -> Import:
        """No further row is brought in; those that were stay until they are taken back. Raises Conflict where
        it is over."""
        with self.tools.begin() as unit:
            one = unit.imports.get(id)
            unit.imports.move(id, ImportState.CANCELLED)
            self._audit(unit, "cancel import", f"import {id}")
        (importing.folder(self.tools) / one.file).unlink(missing_ok=True)
        return self.import_of(id)


def still_running() -> Conflict:
    return Conflict("This import is still going on.", hint="Cancel it first, then take it back.")
