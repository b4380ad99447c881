"""What is done to many subscribers at once, and how it and an import are taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, true

from newsletter.desk.base import Verbs
from newsletter.desk.importing import still_running
from subscribers import batches, bulk, taking_back
from subscribers.batches import Done
from subscribers.bulk import Doing, What
from subscribers.model import SubscriberState
from subscribers.segments import Filter, condition
from subscribers.tables import subscribers


@dataclass(frozen=True, kw_only=True)
class Whom:
    """Those of ``ids``, or, where that is empty, whom a search and every filter of ``among`` find."""

    ids: tuple[int, ...] = ()
    state: SubscriberState | None = None
    text: str = ""
    among: tuple[Filter, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Counted:
    """``found`` are all of them, ``changing`` those whom it would change."""

    found: int
    changing: int


@dataclass(frozen=True, kw_only=True)
class Undone:
    """``gone``: whom an import had brought; ``left``: of these, those who did something since and stay;
    ``returned``: who was there before, and is again as they were."""

    gone: int
    left: int
    returned: int


class ManyVerbs(Verbs):
    def count_many(self, whom: Whom, wanted: Doing) -> Counted:
        """What would happen; changes nothing."""
        with self.tools.read() as unit:
            people = unit.subscribers
            return Counted(
                found=people.count(whom.state, whom.text, self._among(whom)),
                changing=people.count(whom.state, whom.text, and_(self._among(whom), bulk.touched(wanted))),
            )

    def do_to_many(
        self, whom: Whom, wanted: Doing, progress: Callable[[int], None] = lambda done: None
    ) -> Done:
        """Does it, a transaction for every thousand people; whoever joins meanwhile is left alone.
        ``progress`` is called with how many are done. Interrupted, it is resumed by doing it again."""
        now = self._now()
        with self.tools.begin() as unit:
            batch_id, bound = bulk.begin(unit.conn, wanted, now), unit.subscribers.highest_id()
            self._audit(unit, f"{wanted.what.value} many", f"batch {batch_id}")
        here = and_(self._among(whom), bulk.touched(wanted), subscribers.c.id <= bound)
        after = changed = 0
        while True:
            with self.tools.begin() as unit:
                ids = unit.subscribers.ids(bulk.STEP, after, whom.state, whom.text, here)
                those = bulk.step(unit.subscribers, batch_id, wanted, ids, now)
                if wanted.what is What.UNSUBSCRIBE:
                    unit.deliveries.unclaim(*those)
            changed += len(those)
            if len(ids) < bulk.STEP:
                return Done(id=batch_id, at=now, doing=wanted, changed=changed, undone_at=None)
            after = ids[-1]
            progress(changed)

    def done_to_many(self, limit: int = 20) -> Sequence[Done]:
        """Newest first; what is older than a month is forgotten and cannot be taken back."""
        with self.tools.read() as unit:
            return batches.done(unit.subscribers, limit)

    def undo(self, batch_id: int) -> Undone:
        """Takes an import back or what was done to many, a transaction for every thousand people, and with
        it what was about to be sent to whom it brought. Whoever did something since stays as they are.

        Raises subscribers.errors.Unknown, Refused for one that was taken back already, and Conflict while
        its rows are still being brought in.
        """
        gone = returned = 0
        while True:
            with self.tools.begin() as unit:
                if unit.imports.running(batch_id):
                    raise still_running()
                step = taking_back.step(unit.subscribers, batch_id, self._now())
                unit.notices.forget_all(step.gone)
                if step.done:
                    self._audit(unit, "undo", f"batch {batch_id}")
                    return Undone(gone=gone, left=step.left, returned=returned)
            gone += len(step.gone)
            returned += step.returned

    def _among(self, whom: Whom) -> ColumnElement[bool]:
        default = self.tools.newsletter(self.tools.settings()).cadence
        parts = [condition(one, default_cadence=default) for one in whom.among]
        if whom.ids:
            parts.append(subscribers.c.id.in_(whom.ids))
        return and_(true(), *parts)
