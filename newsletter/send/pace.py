"""How fast mail goes to each recipient's domain: what the author set, and what its server asked for.

We feed a relay, which keeps its own pace towards each domain. What it tells us of that (a refusal passed on,
a deferral that comes back as an event) makes the domain rest; the author may also set a rate for a domain.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from newsletter.model.delivery import Claimed
from newsletter.model.rate import Rate
from newsletter.send.ports import SendUnit
from subscribers.model import Recipient

_STEP: Final = timedelta(seconds=1)


def domain_of(address: str) -> str:
    return address.rpartition("@")[2].lower()


def held_back(
    unit: SendUnit, rows: Iterable[tuple[Claimed, Recipient]], rates: Mapping[str, Rate], now: datetime
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
        elif rate is not None:
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
