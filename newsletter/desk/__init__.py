"""What people ask of the house: one verb per thing an author can do.

The command line and the studio call nothing else. Every verb opens its own transaction; what it shows is
read-only. What happens by itself stands in :mod:`newsletter.pipeline`.
"""

from __future__ import annotations

from newsletter.compose import Mode, on_a_phone
from newsletter.desk.doors import Doors
from newsletter.desk.feeds import FeedVerbs
from newsletter.desk.importing import ImportVerbs
from newsletter.desk.issues import ALT_MOST, IssueVerbs
from newsletter.desk.list import ListVerbs
from newsletter.desk.many import ManyVerbs, Undone, Whom
from newsletter.desk.receipts import ReceiptVerbs
from newsletter.desk.segments import SegmentVerbs
from newsletter.desk.setup import SetupVerbs
from newsletter.desk.shown import Details, FeedShown, IssueShown, Named, Person, ReceiptShown, Today
from newsletter.steps.tools import Tools

__all__ = [
    "ALT_MOST",
    "Desk",
    "Details",
    "FeedShown",
    "IssueShown",
    "Mode",
    "Named",
    "Person",
    "ReceiptShown",
    "Today",
    "Undone",
    "Whom",
    "on_a_phone",
]


class Desk(FeedVerbs, IssueVerbs, ListVerbs, ImportVerbs, ManyVerbs, SegmentVerbs, ReceiptVerbs, SetupVerbs):
    """Thread-safe. ``who`` stands in the audit: author, or the name of another door."""

    def __init__(self, tools: Tools, *, doors: Doors) -> None:
        self.tools = tools
        self.doors = doors
