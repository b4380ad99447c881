"""When sending stops by itself and waits for the author. Pure decisions."""

from __future__ import annotations

import math
import re
from typing import Final

MOST_REFUSALS: Final = 10
"""So many in a row, without anybody accepted between them, are about us and not about them."""

CANCELLED: Final = "The author cancelled the rest."
UNWRITABLE: Final = "invalid"  #: the code of a message that could not even be written
_POLICY: Final = re.compile(r"5\d\d 5\.7\.\d{1,3}")


def is_about_us(code: str) -> bool:
    """Whether a refusal's code names policy or reputation (RFC 3463 section 3.8), or says that our message
    is none."""
    return code == UNWRITABLE or _POLICY.fullmatch(code) is not None


def refused_for_us(code: str, words: str) -> str:
    """What the author is told when such refusals stop an issue."""
    what = (
        f"Its messages cannot be written: {words}"
        if code == UNWRITABLE
        else f"The mail server refuses message after message for its policy: {code} {words}"
    )
    return what.strip()[:300] + " Nobody was given up: those refused wait with the others."


def canary_size(share: float, audience: int) -> int:
    """How many go first; 0 where nobody needs to."""
    return math.ceil(share * audience) if share > 0 else 0


def canary_told(size: int) -> str:
    people = "1 recipient" if size == 1 else f"{size} recipients"
    return f"It went to {people} first. Look at what came back, then go on sending."
