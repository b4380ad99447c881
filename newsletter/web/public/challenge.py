"""Proof of work for sign-ups: ALTCHA's protocol, version 2, without asking anybody else.

The page's own small script solves it while somebody types; ALTCHA's widget on a page of one's own can too.
A solution is worth a wider limit and nothing more: without script the form works, within a tighter one. Its
widget is not carried along: it is 80 KB, brings styles of its own and a link to its makers, and would need
a content security policy that allows them.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import altcha

ALGORITHM: Final = "PBKDF2/SHA-256"  # what every browser's Web Crypto does natively
PREFIX: Final = "00"  # one key in 256 begins so
COST: Final = 2_000
"""Iterations of one try: half a second on a laptop and two on a phone until one fits; 2 ms to verify."""

LASTS: Final = timedelta(minutes=20)
MOST_CHARACTERS: Final = 4_000


class Challenges:
    """Makes and verifies challenges; remembers none. The first key signs, all verify. Thread-safe."""

    def __init__(
        self, keys: Sequence[bytes], *, cost: int = COST, clock: Callable[[], float] = time.time
    ) -> None:
        """``clock`` gives epoch seconds; the library verifies by the system's own."""
        self._keys = tuple(keys)
        self._cost = cost
        self._clock = clock

    def new(self) -> dict[str, Any]:
        """What a browser is asked to solve, as JSON has it."""
        challenge = altcha.create_challenge(
            ALGORITHM,
            self._cost,
            key_prefix=PREFIX,
            expires_at=int(self._clock() + LASTS.total_seconds()),
            hmac_secret=self._keys[0],
        )
        return challenge.to_dict()

    def solved(self, payload: str) -> str:
        """The nonce of a challenge of ours that was solved in time, empty for anything else. That it is
        used once is for the caller to see to."""
        if not 0 < len(payload) <= MOST_CHARACTERS:
            return ""
        if not any(altcha.verify_solution(payload, key).verified for key in self._keys):
            return ""
        return str(json.loads(base64.b64decode(payload))["challenge"]["parameters"]["nonce"])
