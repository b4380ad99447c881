"""What may be kept of other people's words."""

from __future__ import annotations

import re
from typing import Final

_ADDRESS: Final = re.compile(r"<?[^\s<>@]+@[^\s<>@]+>?")


def without_addresses(text: str, most: int = 200) -> str:
    """A provider's words for the ledger: no address in them, and not longer than ``most``."""
    return _ADDRESS.sub("(address)", text)[:most]
