"""How often a form may be sent, from one network address and altogether. In memory: a restart forgets it.

What is asked of one address is limited durably, in subscribers.requests. Neither depends on whether the
address is known, so neither tells.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from limits import RateLimitItem, RateLimitItemPerHour
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from subscribers.errors import TooMany

FROM_ONE = 5  #: an hour
ALTOGETHER = 100  #: an hour


class FormLimits:
    """Thread-safe. ``from_one`` and ``altogether`` are per hour."""

    def __init__(self, *, from_one: int = FROM_ONE, altogether: int = ALTOGETHER) -> None:
        self._one: RateLimitItem = RateLimitItemPerHour(from_one)
        self._all: RateLimitItem = RateLimitItemPerHour(altogether)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def take(self, network_address: str) -> None:
        """Counts one sending. Raises TooMany where there were too many within the hour."""
        if not self._limiter.hit(self._one, "one", neighbourhood(network_address)):
            raise TooMany("Too many sign-ups came from here.", hint="Try again in an hour.")
        if not self._limiter.hit(self._all, "all"):
            raise TooMany("Too many people are signing up at this moment.", hint="Try again in an hour.")


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
