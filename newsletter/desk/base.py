"""What every group of verbs shares."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from newsletter.steps.tools import Tools

if TYPE_CHECKING:
    from newsletter.store.unit import Unit


class Verbs:
    tools: Tools

    def _now(self) -> datetime:
        return self.tools.clock()

    def _audit(self, unit: Unit, action: str, subject: str, detail: str = "") -> None:
        unit.audit.add(who="author", action=action, subject=subject, detail=detail, now=self._now())
