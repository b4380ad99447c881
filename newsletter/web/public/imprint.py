"""Who sends, how to reach them, and what somebody agrees to: what every form has to say. Pure."""

from __future__ import annotations

from newsletter.model.publication import Newsletter
from newsletter.web.public.pages import saying


def wording(newsletter: Newsletter) -> str:
    """What somebody agrees to by sending the form; kept as proof."""
    return saying(newsletter)("join.wording", sender=sender(newsletter))


def agreement(newsletter: Newsletter) -> str:
    """What somebody agrees to who lets their own opens and clicks be kept; kept as proof."""
    return f"{saying(newsletter)('track.agree')} {saying(newsletter)('track.choice_text')}"


def sender(newsletter: Newsletter) -> str:
    return (newsletter.sender.name or newsletter.sender.address) if newsletter.sender else newsletter.title


def contact(newsletter: Newsletter) -> str:
    """The address for questions; empty where none is set."""
    return newsletter.reply_to or (newsletter.sender.address if newsletter.sender else "")


def postal(newsletter: Newsletter) -> str:
    """The postal address on one line."""
    return ", ".join(line.strip() for line in newsletter.postal_address.split("\n") if line.strip())
