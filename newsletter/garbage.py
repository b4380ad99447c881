"""How often Python looks for reference cycles that nobody can reach any more."""

from __future__ import annotations

import gc
from typing import Final

_MANY: Final = 10_000


def look_seldom() -> None:
    """For the whole process: hardly anything here leaves cycles behind, while each message in hand is a few
    new objects. Looked at after every 700 of them, as Python does by itself, they cost a recipient of
    SendGrid a fifth of the CPU time, for nothing."""
    gc.set_threshold(_MANY, 10, 10)
