"""Tracking: whether opens of issues and followed links are counted, and what was counted."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Tracking(StrEnum):
    OFF = "off"
    AGGREGATE = "aggregate"  #: how often, by the same addresses for everybody
    INDIVIDUAL = "individual"  #: and by whom, of those who agreed to that


@dataclass(frozen=True, slots=True)
class Link:
    """A counted address of an issue: in mail, ``token`` stands for it. ``url`` is where it leads, plain
    ASCII; empty: the picture whose loading counts as an open."""

    token: str
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Counted:
    """A link that mail may carry. ``started_at`` is when its issue began to be sent; None: it is a draft."""

    link: Link
    issue_id: int
    started_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkLine:
    """How often people followed one of an issue's links, and how often programs did."""

    url: str
    people: int = 0
    machines: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What one person did with one link of an issue (``url`` empty: they loaded the picture)."""

    subscriber_id: int
    issue_id: int
    url: str
    first_at: datetime
    last_at: datetime
    times: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Readers:
    """Of an issue's recipients: how many agreed to be counted by themselves, and what these did."""

    agreed: int
    opened: int
    clicked: int


@dataclass(frozen=True, kw_only=True)
class Readings:
    """What was counted of an issue: pictures loaded and links followed, not people. ``readers`` are the
    people who agreed; None where none was counted by themselves."""

    opens: LinkLine
    links: tuple[LinkLine, ...]
    readers: Readers | None = None

    @property
    def clicks(self) -> LinkLine:
        return LinkLine(
            url="",
            people=sum(line.people for line in self.links),
            machines=sum(line.machines for line in self.links),
        )


def seal(key: bytes, issue_id: int, url: str) -> str:
    """The token of an issue's link: 128 bits that nobody can guess, the same whenever it is made."""
    digest = hmac.digest(key, b"link of an issue\0%d\0%s" % (issue_id, url.encode()), "sha256")
    return urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


def is_sealed(keys: Iterable[bytes], issue_id: int, link: Link) -> bool:
    """Whether one of the keys made the token for this address of this issue."""
    return any([hmac.compare_digest(seal(key, issue_id, link.url), link.token) for key in keys])
