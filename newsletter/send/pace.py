"""How fast mail goes to each recipient's domain: what the author set, and what its server asked for.

We feed a relay, which keeps its own pace towards each domain. What it tells us of that (a refusal passed on,
a deferral that comes back as an event) makes the domain rest; the author may also set a rate for a domain,
and how many messages to it may be on their way at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from newsletter.model.delivery import Claimed, Envelope, MessageKey, Outcome
from newsletter.model.rate import Rate
from newsletter.send.ports import SendUnit, Transport
from subscribers.model import Recipient

_STEP: Final = timedelta(seconds=1)


def domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()


class AtOnce:
    """How many messages to each of some domains are on their way, and how many may be. Of one process, as its
    connections are; another one that sends counts its own. One thread has it at a time.
    """

    def __init__(self, most: Mapping[str, int] = MappingProxyType({})) -> None:
        self._most = most
        self._flying: dict[MessageKey, str] = {}
        self._count: Counter[str] = Counter()
        self._taken_until: dict[str, datetime] = {}

    @property
    def limited(self) -> bool:
        """Whether any domain is."""
        return bool(self._most)

    def handed_over(self, transport: Transport, envelopes: Iterable[Envelope]) -> Iterator[Outcome]:
        """Hands them over, and counts those that are pulled until each is answered."""
        if not self._most:
            yield from transport.hand_over(envelopes)
            return
        for outcome in transport.hand_over(map(self._leaves, envelopes)):
            if domain := self._flying.pop(outcome.key, ""):
                self._count[domain] -= 1
            yield outcome

    def _leaves(self, envelope: Envelope) -> Envelope:
        domain = domain_of(envelope.to)
        if domain in self._most:
            self._flying[envelope.key] = domain
            self._count[domain] += 1
        return envelope

    def room(self, domain: str, wanted: int) -> int:
        """How many of so many may be on their way together with those that are. Whoever was claimed before
        has left, or never will."""
        most = self._most.get(domain)
        return wanted if most is None else max(0, min(wanted, most - self._count[domain]))

    def waits(self, domain: str, ids: list[int], now: datetime) -> dict[int, datetime]:
        """Until when these wait: so many a second as may be on their way at once, behind those who wait
        already, so that each is looked at about once more."""
        each = _STEP / self._most[domain]
        first = max(now + _STEP, self._taken_until.get(domain, now))
        self._taken_until[domain] = first + each * len(ids)
        return {who: first + each * place for place, who in enumerate(ids)}


def held_back(
    unit: SendUnit,
    rows: Iterable[tuple[Claimed, Recipient]],
    rates: Mapping[str, Rate],
    at_once: AtOnce,
    now: datetime,
) -> dict[int, datetime]:
    """Which of these wait for their domain, each until when; the others count in its rate from now on.

    Those who wait are spread over the time to come at the domain's rate, so that each is looked at about once
    more and not with every batch.
    """
    by_domain: defaultdict[str, list[int]] = defaultdict(list)
    for claimed, recipient in rows:
        by_domain[domain_of(recipient.address)].append(claimed.subscriber_id)
    resting = unit.domains.resting(by_domain, now)
    waits: dict[int, datetime] = {}
    for domain, ids in by_domain.items():
        rate = rates.get(domain)
        if domain in resting:
            waits |= dict.fromkeys(ids, resting[domain])
            continue
        room = at_once.room(domain, len(ids))
        if room < len(ids):
            waits |= at_once.waits(domain, ids[room:], now)
            del ids[room:]  # they take nothing of the domain's rate
        if rate is not None and ids:
            granted = unit.rates.take(rate, len(ids), now)
            if granted < len(ids):
                first = now + max(_STEP, timedelta(seconds=unit.rates.wait_s(rate, now)))
                each = timedelta(seconds=rate.seconds / rate.count)
                waits |= {who: first + each * place for place, who in enumerate(ids[granted:])}
    return waits


def let_others(unit: SendUnit, recipients: Iterable[Recipient], rates: Mapping[str, Rate]) -> None:
    """These counted in the rates of their domains (see :func:`held_back`) and were not mailed after all."""
    for domain, count in Counter(domain_of(one.address) for one in recipients).items():
        if domain in rates:
            unit.rates.give_back(rates[domain], count)
