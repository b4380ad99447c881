"""What the public pages need, taken from the house."""

from __future__ import annotations

from collections.abc import Sequence

from newsletter.config import Settings
from newsletter.errors import NewsletterError
from newsletter.model.times import maybe_rfc3339
from newsletter.web.public.front import Front, Practice, PublicUnit
from newsletter.web.public.look import Look
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
        practice=lambda: _practice(house.settings()),
        look=lambda: _look(house),
        challenge_keys=house.challenge_keys,
        link_keys=house.link_keys,
        held=_held,
        forget=_forget,
    )


def _practice(settings: Settings) -> Practice:
    return Practice(
        double_opt_in=settings.double_opt_in,
        provider=_PROVIDERS.get(settings.transport, ""),
        in_europe=settings.transport == "sendgrid" and settings.sendgrid_region == "eu",
        tracking=settings.tracking,
    )


def _look(house: House) -> Look:
    """The theme's; a broken folder of the author's own leaves the pages as they are."""
    settings = house.settings()
    try:
        theme = house.tools.themes.get(settings.theme, settings.theme_folder)
    except NewsletterError:
        return Look()
    words = {name: str(value) for name, value in theme.type.items()}
    return Look(
        light={name: str(value) for name, value in theme.light.items()},
        dark={name: str(value) for name, value in theme.dark.items()},
        heading=words["heading"],
        heading_weight=words["title_weight"],
        body=words["interface"],
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
    unit.deliveries.unclaim(subscriber_id)
