"""What the public pages need, taken from the house."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from newsletter.config import Settings
from newsletter.desk.held import held
from newsletter.errors import NewsletterError
from newsletter.model.notice import NewNotice, NoticeKind
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
        held=held,
        forget=partial(_forget, house),
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


def _forget(house: House, unit: PublicUnit, subscriber_id: int, address: str) -> None:
    """Tells the author too, who alone can reach what is elsewhere; never whom it was."""
    unit.forget(subscriber_id, address)
    unit.deliveries.unclaim(subscriber_id)
    settings = house.settings()
    if settings.author_address and settings.author_address != address:
        provider = _PROVIDERS.get(settings.transport, "Your mail server")
        unit.notices.queue(
            NewNotice(
                key=f"erased:{subscriber_id}",
                kind=NoticeKind.PROBLEM,
                to=settings.author_address,
                data={
                    "text": f"Subscriber {subscriber_id} asked to be forgotten. Everything that was kept "
                    "about them here is erased, and no import brings them back.",
                    "hint": f"{provider} may still hold the address in its logs, its activity and its "
                    "suppression lists, and so may older backups, exported files and an uploaded one that "
                    "waits to be brought in: delete what is older than you need there, too.",
                },
            ),
            house.tools.clock(),
        )
