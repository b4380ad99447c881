"""The filters of the list as the pages ask for them, and said in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from newsletter.errors import Invalid
from newsletter.web.words import CADENCES
from subscribers.model import Cadence
from subscribers.segments import Filter

_DAYS: Final = ("joined_from", "joined_before", "engaged_since", "quiet_since")
FIELDS: Final = ("cadence", "topic", "tags", "without_tags", "domains", *_DAYS)


def typed(values: Mapping[str, str]) -> dict[str, str]:
    """What stands in the fields, every one of them."""
    return {name: values.get(name, "").strip() for name in FIELDS}


def read(values: Mapping[str, str]) -> Filter:
    """Raises Invalid for what no filter is. Words are parted by commas; days begin at midnight, UTC."""
    said = typed(values)
    if said["cadence"] and said["cadence"] not in set(Cadence):
        raise Invalid("Nobody hears in that rhythm.", hint="Choose how often from the list.")
    days = {name: _day(said[name]) for name in _DAYS}
    return Filter(
        cadence=Cadence(said["cadence"]) if said["cadence"] else None,
        topic=said["topic"],
        tags=_words(said["tags"]),
        without_tags=_words(said["without_tags"]),
        domains=tuple(word.removeprefix("@") for word in _words(said["domains"])),
        **days,
    )


def told(wanted: Filter) -> str:
    """Whom it describes, in one sentence."""
    parts = [
        f"hear {CADENCES[wanted.cadence].lower()}" if wanted.cadence else "",
        f"want posts about {wanted.topic}" if wanted.topic else "",
        f"have the tag {' or '.join(wanted.tags)}" if wanted.tags else "",
        f"do not have the tag {' or '.join(wanted.without_tags)}" if wanted.without_tags else "",
        f"have a mailbox at {' or '.join(wanted.domains)}" if wanted.domains else "",
        *(
            f"{word} {moment:%Y-%m-%d}"
            for word, moment in (
                ("joined on or after", wanted.joined_from),
                ("joined before", wanted.joined_before),
                ("read something since", wanted.engaged_since),
                ("are not known to have read since", wanted.quiet_since),
            )
            if moment
        ),
    ]
    said = [part for part in parts if part]
    return f"Those who {', '.join(said)}." if said else "Everybody."


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for part in text.split(",") if (word := part.strip())))


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise Invalid(f"“{text[:20]}” is not a day.", hint="Write it as 2026-01-31.") from error
    return day
