"""The checklist, and draft to approved: nothing goes out that the author has not seen as it will be sent.

Read :mod:`checks` (what is looked at) and :mod:`approval` (what approving means).
"""

from newsletter.approve.approval import approve
from newsletter.approve.checks import checklist
from newsletter.approve.measure import GMAIL_CLIPS_AT, measure
from newsletter.approve.network import check_images, check_links
from newsletter.approve.ports import ApproveUnit
from newsletter.approve.spam import check_spam

__all__ = [
    "GMAIL_CLIPS_AT",
    "ApproveUnit",
    "approve",
    "check_images",
    "check_links",
    "check_spam",
    "checklist",
    "measure",
]
