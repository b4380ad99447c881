"""When what comes back from an issue stops it. Pure."""

from __future__ import annotations

from typing import Final

MOST_BOUNCED: Final = 0.03
MOST_COMPLAINED: Final = 0.001
_FEW_BOUNCED: Final = 3
_FEW_COMPLAINED: Final = 2


def alarm(handed: int, bounced: int, complained: int) -> str:
    """What the author is told where too many of those handed over bounced for good or complained; empty
    where that is not so. One or two alone are no share of anything.

    Google's sender guidelines ask for a spam rate below 0.1 %.
    """
    if bounced >= max(_FEW_BOUNCED, MOST_BOUNCED * handed):
        what = f"{bounced} of {handed} addresses do not exist"
    elif complained >= max(_FEW_COMPLAINED, MOST_COMPLAINED * handed):
        what = f"{complained} of {handed} recipients call it spam"
    else:
        return ""
    return f"Sending stopped by itself: {what}. Look where these addresses came from before you go on."


def done_once(issue_id: int) -> str:
    """The name of the lease that says that an issue was stopped so already."""
    return f"alarm:{issue_id}"
