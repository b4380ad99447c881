"""Parts of the list that the author named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.desk.base import Verbs
from newsletter.errors import Conflict
from newsletter.model.issue import IssueState
from newsletter.model.publication import Newsletter
from subscribers import segments
from subscribers.model import Subscriber
from subscribers.segments import Filter, Segment, Segments


@dataclass(frozen=True, kw_only=True)
class SegmentShown:
    """``count`` are those of it who may be mailed now."""

    segment: Segment
    count: int


class SegmentVerbs(Verbs):
    def segments(self) -> Sequence[SegmentShown]:
        """By name, each counted."""
        default = self._publication().cadence
        with self.tools.read() as unit:
            return [
                SegmentShown(
                    segment=one,
                    count=segments.count(unit.conn, one.filter, self._now(), default_cadence=default),
                )
                for one in Segments(unit.conn).all()
            ]

    def saved_segments(self) -> Sequence[Segment]:
        """By name, not counted."""
        with self.tools.read() as unit:
            return Segments(unit.conn).all()

    def segment(self, segment_id: int) -> Segment:
        """Raises subscribers.errors.Unknown."""
        with self.tools.read() as unit:
            return Segments(unit.conn).get(segment_id)

    def count_segment(self, wanted: Filter) -> int:
        """How many of these may be mailed now."""
        default = self._publication().cadence
        with self.tools.read() as unit:
            return segments.count(unit.conn, wanted, self._now(), default_cadence=default)

    def save_segment(self, name: str, wanted: Filter) -> SegmentShown:
        """Keeps a filter under a name, in place of another of that name; approved issues that were for that
        one are drafts again. Raises Invalid for no name."""
        default, now = self._publication().cadence, self._now()
        with self.tools.begin() as unit:
            saved = Segments(unit.conn).save(name, wanted, now)
            for issue in unit.issues.unsent_for(saved.name):
                if issue.state is IssueState.APPROVED and issue.segment_filter != wanted.to_json():
                    reason = f"The segment “{saved.name}”, for which it is, has changed. Approve it again."
                    unit.issues.back_to_draft(issue.id, reason=reason, now=now)
            self._audit(unit, "save segment", f"segment {saved.id}")
            count = segments.count(unit.conn, wanted, now, default_cadence=default)
        return SegmentShown(segment=saved, count=count)

    def remove_segment(self, segment_id: int) -> None:
        """Nobody in it changes. Raises subscribers.errors.Unknown, Conflict where an issue that is not sent
        yet is for it."""
        with self.tools.begin() as unit:
            kept = Segments(unit.conn)
            if waiting := unit.issues.unsent_for(kept.get(segment_id).name):
                raise Conflict(
                    f"Issue {waiting[0].id} is for this segment and not sent yet.",
                    hint="Choose somebody else for it first.",
                )
            kept.remove(segment_id)
            self._audit(unit, "remove segment", f"segment {segment_id}")

    def segment_members(self, segment_id: int, limit: int = 50, after: int = 0) -> Sequence[Subscriber]:
        """Those in it in any state, by id. Raises subscribers.errors.Unknown."""
        default = self._publication().cadence
        with self.tools.read() as unit:
            wanted = Segments(unit.conn).get(segment_id).filter
            here = segments.condition(wanted, default_cadence=default)
            return unit.subscribers.list(limit=limit, after=after, among=here)

    def _publication(self) -> Newsletter:
        return self.tools.newsletter(self.tools.settings())
