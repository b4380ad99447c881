"""Whom a provider already never mails becomes whom we never mail, before the first issue goes through it.

Otherwise people who left, complained or bounced at the provider would be mailed as if they had not, and the
provider would silently drop them: https://www.twilio.com/docs/sendgrid/ui/sending-email/index-suppressions.
"""

from __future__ import annotations

from typing import Final

import structlog

from newsletter.model.times import ONCE
from newsletter.send.ports import Clock, KnowsSuppressions, Work
from subscribers.errors import SubscribersError

_TAKEN: Final = "suppressions:{}"

log = structlog.get_logger(__name__)


def take_suppressions(source: KnowsSuppressions, name: str, *, work: Work, clock: Clock) -> int:
    """Imports what ``source`` knows, once per ``name``; returns how many addresses were new to us.

    Raises TransportProblem where the provider does not tell, TransportBusy where it cannot be reached. What
    is no address for us cannot be mailed by us either, and is passed over.
    """
    with work() as unit:
        if unit.leases.held(_TAKEN.format(name), clock()):
            return 0
    new = seen = 0
    for page in source.suppressions():
        with work() as unit:
            for address, cause in page:
                seen += 1
                try:
                    if cause is not None:
                        new += unit.subscribers.suppress(address, cause, clock(), reason=name)
                    elif (known := unit.subscribers.by_address(address)) is not None:
                        unit.subscribers.mark_bounced(known.id, clock(), hard=False, reason=name)
                except SubscribersError:
                    continue
    with work() as unit:
        unit.leases.take(_TAKEN.format(name), "taken", now=clock(), length=ONCE)
    log.info("suppressions imported", provider=name, seen=seen, new=new)
    return new
