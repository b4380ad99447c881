"""When a recipient's server wants less mail from us, and for how long its domain then rests. Pure.

Sources: Google's list of SMTP errors (4.7.28), Microsoft's limits for unknown senders (4.7.650), and what
SendGrid's page on SMTP errors tells of deferrals.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

RESTS: Final = tuple(timedelta(minutes=minutes) for minutes in (2, 5, 15, 30, 60, 120, 240))
"""The rest after the first such answer, the second, and so on."""
FORGIVEN_AFTER: Final = timedelta(days=1)  #: without another one, the next rest is a short one again

_STATUS: Final = frozenset({"4.7.28", "4.7.650"})
_WORDS: Final = re.compile(
    r"unusual rate of unsolicited|temporarily deferred|too (?:many|frequent) connect\w* from|"
    r"rate limited due to|too much mail (?:from|to)",
    re.IGNORECASE,
)


def wants_less(status: str, words: str) -> bool:
    """Whether a passing refusal says so: ``status`` is the enhanced one, or empty."""
    return status in _STATUS or bool(_WORDS.search(words))


def rest_of(step: int) -> timedelta:
    """``step`` counts the answers before this one."""
    return RESTS[min(step, len(RESTS) - 1)]
