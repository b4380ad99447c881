"""What the public pages need, taken from the house."""

from __future__ import annotations

from collections.abc import Sequence

from newsletter.model.times import maybe_rfc3339
from newsletter.web.public.front import Front, PublicUnit
from newsletter.wiring import House

_PROVIDERS = {"sendgrid": "SendGrid"}


def front_of(house: House) -> Front:
    def topics() -> Sequence[str]:
        with house.store.read() as unit:
            return unit.posts.topics()

    return Front(
        begin=house.store.begin,
        read=house.store.read,
        newsletter=house.desk.newsletter,
        tokens=house.tokens,
        clock=house.tools.clock,
        topics=topics,
        double_opt_in=lambda: house.settings().double_opt_in,
        provider=lambda: _PROVIDERS.get(house.settings().transport, ""),
        held=_held,
        forget=_forget,
    )


def _held(unit: PublicUnit, subscriber_id: int) -> dict[str, object]:
    """What was sent to a subscriber, for their personal export."""
    return {
        "deliveries": [
            {
                "issue": delivery.issue_id,
                "state": delivery.state.word,
                "at": maybe_rfc3339(delivery.changed_at),
            }
            for delivery in unit.deliveries.of_subscriber(subscriber_id, limit=10_000)
        ]
    }


def _forget(unit: PublicUnit, subscriber_id: int, address: str) -> None:
    unit.notices.forget(subscriber_id, address)
