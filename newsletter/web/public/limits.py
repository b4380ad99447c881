"""How often a form may be sent, from one network address and altogether.

Counted in the database, so that neither a restart nor a second web process lets more through; a refusal
writes nothing, so that a flood costs one look. Where a form came from is kept as a keyed seal for an hour.
What is asked of one address is limited in subscribers.requests. Neither depends on whether the address is
known, so neither tells.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Final

from newsletter.web.public.front import Counts, Front
from subscribers.errors import TooMany

FROM_ONE = 5  #: an hour
ALTOGETHER = 100  #: an hour
UNPROVEN_FROM_ONE = 2  #: of these, without a solved challenge
UNPROVEN_ALTOGETHER = 20
COUNTED: Final = timedelta(hours=1)
_DOMAIN: Final = b"newsletter form\0"


class Unproven(TooMany):
    """More came without a solved challenge than may: with one, this form is taken."""


@dataclass(kw_only=True)
class FormLimits:
    """All of them are per hour; ``unproven`` are of forms without a solved challenge, as from a browser
    without script or a form on somebody's blog."""

    from_one: int = FROM_ONE
    altogether: int = ALTOGETHER
    unproven_from_one: int = UNPROVEN_FROM_ONE
    unproven_altogether: int = UNPROVEN_ALTOGETHER

    def check(self, sent: Counts, *, proven: bool) -> None:
        """Whether one more may be taken. Raises TooMany where there were too many within the hour, and
        Unproven where a solved challenge would have let it pass."""
        if sent.from_one >= self.from_one:
            raise TooMany("Too many sign-ups came from here.", hint="Try again in an hour.")
        if sent.altogether >= self.altogether:
            raise TooMany("Too many people are signing up at this moment.", hint="Try again in an hour.")
        bare = sent.unproven_from_one >= self.unproven_from_one or sent.unproven >= self.unproven_altogether
        if bare and not proven:
            raise Unproven(
                "Too many sign-ups came without a solved challenge.",
                hint="Send the solution of one from /subscribe/challenge.json as “altcha”, or try again in "
                "an hour.",
            )

    def take(self, front: Front, network_address: str, now: datetime, *, proven: bool = False) -> None:
        """Counts one sending. Raises as ``check`` does, and then writes nothing."""
        whence, since = seal(front.challenge_keys[0], neighbourhood(network_address)), now - COUNTED
        with front.read() as unit:
            self.check(unit.forms.sent(whence, since), proven=proven)
        with front.begin() as unit:
            unit.forms.alone()
            unit.forms.clean(since)
            self.check(unit.forms.sent(whence, since), proven=proven)
            unit.forms.add(whence, now, proven=proven)


def seal(key: bytes, where: str) -> str:
    return hmac.digest(key, _DOMAIN + where.encode(), "sha256")[:16].hex()


def neighbourhood(network_address: str) -> str:
    """What counts as one: an IPv4 address, or the /64 that an IPv6 customer has to herself."""
    try:
        address = ip_address(network_address)
    except ValueError:
        return "unknown"
    return str(address) if address.version == 4 else str(ip_network((address, 64), strict=False))


def truncated(network_address: str) -> str:
    """For the proof of consent: /24 of IPv4, /48 of IPv6; empty where there is none."""
    try:
        address = ip_address(network_address)
    except ValueError:
        return ""
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False))
