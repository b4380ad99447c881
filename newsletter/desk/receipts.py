"""The account of an issue, as people look at it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from newsletter.desk.base import Verbs
from newsletter.desk.shown import Details, Named, ReceiptShown
from newsletter.learn.progress import seconds_left, timeline
from newsletter.model.delivery import DeliveryState
from newsletter.model.issue import IssueState
from newsletter.steps.dispatch import sending_rate

NAMED: Final = (
    DeliveryState.UNKNOWN,
    DeliveryState.FAILED,
    DeliveryState.RETRY_WAIT,
    DeliveryState.SKIPPED,
)
"""Who is named one by one: all but those who were accepted or whose turn is still to come."""


class ReceiptVerbs(Verbs):
    def receipt(self, issue_id: int) -> ReceiptShown:
        """The account as it stands, how sending went over time, and how long it will still take."""
        rate = sending_rate(self.tools.settings())
        now = self._now()
        with self.tools.read() as unit:
            issue = unit.issues.get(issue_id)
            receipt = unit.deliveries.receipt(issue_id)
            stretches = unit.account.stretches(issue_id)
            readings = unit.links.readings(issue_id)
            next_try_at = unit.deliveries.next_retry_at(issue_id) if receipt.waiting else None
            sending = issue.state is IssueState.SENDING
            left = seconds_left(receipt, stretches, lambda count: unit.rates.lasts_s(rate, count, now))
            full_s = unit.rates.wait_s(rate, now) if sending and receipt.remaining else 0.0
        return ReceiptShown(
            receipt=receipt,
            issue=issue,
            timeline=timeline(stretches, until=now if sending else None),
            seconds_left=left if sending else None,
            full_until=now + timedelta(seconds=full_s) if full_s else None,
            rate=str(rate),
            next_try_at=next_try_at,
            readings=readings,
        )

    def receipt_details(self, issue_id: int) -> Details:
        """The account by recipient domain and by reason. Walks through every row: a second for a million."""
        with self.tools.read() as unit:
            return Details(
                domains=unit.account.by_domain(unit.deliveries.receipt(issue_id)),
                troubles=unit.account.troubles(issue_id),
            )

    def named(
        self, issue_id: int, states: Iterable[DeliveryState] = NAMED, *, limit: int = 50, after: int = 0
    ) -> Sequence[Named]:
        """Those to whom something other than a hand-over happened, each with its reason.

        In order of subscriber id; ``after`` is the last id of the page before. Raises NotFound.
        """
        with self.tools.read() as unit:
            unit.issues.get(issue_id)
            found = unit.account.named(issue_id, states, limit=limit, after=after)
        return [Named(delivery=delivery, address=address) for delivery, address in found]
