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
UNPROVEN_FROM_ONE = 2  #: of these, without a solved challenge
UNPROVEN_ALTOGETHER = 20


class Unproven(TooMany):
    """More came without a solved challenge than may: with one, this form is taken."""


class FormLimits:
    """Thread-safe. All of them are per hour; ``unproven`` are of forms without a solved challenge, as from
    a browser without script or a form on somebody's blog."""

    def __init__(
        self,
        *,
        from_one: int = FROM_ONE,
        altogether: int = ALTOGETHER,
        unproven_from_one: int = UNPROVEN_FROM_ONE,
        unproven_altogether: int = UNPROVEN_ALTOGETHER,
    ) -> None:
        self._one: RateLimitItem = RateLimitItemPerHour(from_one)
        self._all: RateLimitItem = RateLimitItemPerHour(altogether)
        self._unproven_one: RateLimitItem = RateLimitItemPerHour(unproven_from_one)
        self._unproven_all: RateLimitItem = RateLimitItemPerHour(unproven_altogether)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def take(self, network_address: str, *, proven: bool = False) -> None:
        """Counts one sending. Raises TooMany where there were too many within the hour, and Unproven where
        a solved challenge would have let it pass."""
        where = neighbourhood(network_address)
        if not self._limiter.hit(self._one, "one", where):
            raise TooMany("Too many sign-ups came from here.", hint="Try again in an hour.")
        if not proven and not (
            self._limiter.hit(self._unproven_one, "unproven", where)
            and self._limiter.hit(self._unproven_all, "unproven")
        ):
            raise Unproven(
                "Too many sign-ups came without a solved challenge.",
                hint="Send the solution of one from /subscribe/challenge.json as “altcha”, or try again in "
                "an hour.",
            )
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
