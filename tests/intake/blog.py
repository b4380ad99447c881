"""A blog whose feed tests can bend: posts as values, rendered into feed documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import escape
from random import Random

EPOCH = datetime(2026, 5, 10, 6, 20, 17, tzinfo=UTC)
_WORDS = (
    "river stone lantern winter garden signal copper meadow thread harbour candle orchard pepper anvil "
    "market violin saddle thunder basket ribbon glacier pillow cellar walnut compass ladder feather mirror"
).split()


@dataclass(frozen=True, kw_only=True)
class Article:
    """One post of the blog. ``number`` decides everything that is not given."""

    number: int
    guid: str
    link: str
    title: str
    html: str
    published: datetime | None

    def edited(self, more: str = "One more word.") -> Article:
        return replace(self, html=f"{self.html}<p>{more}</p>")


def article(number: int, *, words: int = 60) -> Article:
    """Different numbers give different posts; the same number always the same one."""
    choose = Random(number)
    text = " ".join(f"{choose.choice(_WORDS)}{choose.randrange(1000)}" for _ in range(words))
    return Article(
        number=number,
        guid=f"tag:blog.example,2026:post-{number}",
        link=f"http://blog.example/2026/05/post-{number}.html",
        title=f"Post {number} about {choose.choice(_WORDS)}",
        html=f"<p>{text}</p>",
        published=EPOCH + timedelta(minutes=20 * number),
    )


def articles(*numbers: int) -> list[Article]:
    """In feed order: the newest, which has the highest number, first."""
    return [article(number) for number in sorted(numbers, reverse=True)]


def atom(entries: Sequence[Article], *, title: str = "The blog", extra: str = "") -> bytes:
    """An Atom document with the entries in the order given."""
    body = "".join(_entry(entry) for entry in entries)
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f"<title>{escape(title)}</title><link rel='alternate' href='http://blog.example/'/>{extra}{body}</feed>"
    ).encode()


def _entry(entry: Article) -> str:
    parts = [f"<title>{escape(entry.title)}</title>"]
    if entry.guid:
        parts.append(f"<id>{escape(entry.guid)}</id>")
    if entry.link:
        parts.append(f'<link rel="alternate" type="text/html" href="{escape(entry.link)}"/>')
    if entry.published:
        parts.append(f"<published>{entry.published.isoformat()}</published>")
    parts.append(f'<content type="html">{escape(entry.html)}</content>')
    return f"<entry>{''.join(parts)}</entry>"
