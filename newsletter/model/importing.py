"""An import that the author began in the studio, from its file to its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ImportState(StrEnum):
    LOOKING = "looking"  #: what would happen is being found out
    LOOKED = "looked"  #: the author decides
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  #: the file cannot be read; rows before that may be on the list
    CANCELLED = "cancelled"


OPEN = (ImportState.LOOKING, ImportState.RUNNING)  # a process works on it
_S = ImportState
_MOVES: dict[ImportState, frozenset[ImportState]] = {
    _S.LOOKING: frozenset({_S.LOOKED, _S.FAILED, _S.CANCELLED}),
    _S.LOOKED: frozenset({_S.RUNNING, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.DONE, _S.FAILED, _S.CANCELLED}),
    _S.DONE: frozenset(),
    _S.FAILED: frozenset(),
    _S.CANCELLED: frozenset(),
}


def import_states_before(to: ImportState) -> tuple[ImportState, ...]:
    """The states from which an import may become ``to``: the one place that says so."""
    return tuple(state for state, targets in _MOVES.items() if to in targets)


@dataclass(frozen=True, kw_only=True)
class Import:
    """``file`` is its name in the data folder's ``imports``, ``source`` as its author called it. ``done`` of
    about ``total`` rows are looked at or written; ``report`` is JSON of what was found so far."""

    id: int
    source: str
    file: str
    state: ImportState
    ask_per_day: int | None
    batch_id: int
    at: datetime
    began_at: datetime | None
    done: int
    total: int
    report: str
    problem: str
