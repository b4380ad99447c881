"""What the public pages need of the house; ``wiring`` supplies it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from newsletter.model.delivery import Delivery, DeliveryFlag
from newsletter.model.event import Event
from newsletter.model.notice import NewNotice, Notice
from newsletter.model.publication import Newsletter
from newsletter.model.tracking import Counted, Reading, Tracking
from newsletter.web.public.look import Look
from subscribers.store import Subscribers
from subscribers.tokens import Tokens


class NoticeQueue(Protocol):
    def queue(self, notice: NewNotice, now: datetime) -> bool:
        """False where its key was used before; then nothing changes."""
        ...

    def of_subscriber(self, subscriber_id: int, *, limit: int) -> Sequence[Notice]: ...

    def forget(self, subscriber_id: int, address: str) -> None:
        """Removes every notice to somebody who is erased."""
        ...


class Ledger(Protocol):
    def flag(self, issue_id: int, subscriber_id: int, flag: DeliveryFlag) -> None:
        """Counts the flag on that delivery, where there is one."""
        ...

    def unclaim(self, subscriber_id: int) -> None:
        """What was about to be sent to them is looked at anew."""
        ...

    def of_subscriber(self, subscriber_id: int, *, limit: int = 50) -> Sequence[Delivery]:
        """Newest first."""
        ...

    def carried(self, subscriber_id: int) -> Mapping[int, Sequence[CarriedPost]]:
        """By issue, the posts that each of their deliveries carries."""
        ...


class CarriedPost(Protocol):
    @property
    def title(self) -> str: ...
    @property
    def url(self) -> str: ...


class Reports(Protocol):
    def of_subscriber(self, subscriber_id: int, *, limit: int = 100) -> Sequence[tuple[Event, str]]: ...


class Spent(Protocol):
    def take(self, name: str, token: str, *, now: datetime, length: timedelta) -> bool:
        """False where somebody took the name within its length."""
        ...


class LinkBook(Protocol):
    def find(self, token: str) -> Counted | None: ...
    def count(self, token: str, *, people: int, machines: int) -> None:
        """Adds to what was counted; either may be negative."""
        ...

    def read(self, subscriber_id: int, token: str, *, times: int, at: datetime) -> None:
        """What one who agreed did more; negative: what they seemed to have done and had not."""
        ...

    def handed_at(self, issue_id: int, subscriber_id: int) -> datetime | None: ...
    def of_subscriber(self, subscriber_id: int) -> Sequence[Reading]: ...
    def forget(self, subscriber_id: int) -> None: ...


class Counts(Protocol):
    """How many forms were taken: all of them, those from one place, and of each those without proof."""

    @property
    def altogether(self) -> int: ...
    @property
    def from_one(self) -> int: ...
    @property
    def unproven(self) -> int: ...
    @property
    def unproven_from_one(self) -> int: ...


class Forms(Protocol):
    def sent(self, whence: str, since: datetime) -> Counts: ...

    def add(self, whence: str, now: datetime, *, proven: bool) -> None: ...

    def alone(self) -> None:
        """Until the transaction ends nobody else counts."""
        ...

    def clean(self, before: datetime) -> None: ...


class PublicUnit(Protocol):
    """One transaction, as the public pages see it."""

    def forget(self, subscriber_id: int, address: str) -> None: ...

    @property
    def subscribers(self) -> Subscribers: ...
    @property
    def notices(self) -> NoticeQueue: ...
    @property
    def deliveries(self) -> Ledger: ...
    @property
    def events(self) -> Reports: ...
    @property
    def leases(self) -> Spent: ...
    @property
    def forms(self) -> Forms: ...
    @property
    def links(self) -> LinkBook: ...


Work = Callable[[], AbstractContextManager[PublicUnit]]


@dataclass(frozen=True, kw_only=True)
class Practice:
    """What the privacy notice tells of the settings. ``provider`` names who hands mail over ("SendGrid"),
    empty for an own server; ``in_europe`` says that it does so there. ``tracking`` is whether opens and
    clicks are counted."""

    double_opt_in: bool = True
    provider: str = ""
    in_europe: bool = False
    tracking: Tracking = Tracking.OFF


@dataclass(frozen=True, kw_only=True)
class Front:
    """``begin`` opens a transaction that may write, ``read`` one that only reads. ``topics`` are what the
    feeds' posts are about. ``challenge_keys`` sign what a form's script solves, ``link_keys`` the counted
    links of issues. ``held`` gives what the house holds about a subscriber beside the list, and ``forget``
    removes it."""

    begin: Work
    read: Work
    newsletter: Callable[[], Newsletter]
    tokens: Tokens
    clock: Callable[[], datetime]
    topics: Callable[[], Sequence[str]]
    practice: Callable[[], Practice]
    look: Callable[[], Look]
    challenge_keys: Sequence[bytes]
    link_keys: Sequence[bytes]
    held: Callable[[PublicUnit, int], dict[str, object]]
    forget: Callable[[PublicUnit, int, str], None]
