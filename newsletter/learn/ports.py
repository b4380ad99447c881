"""What learning needs from outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from newsletter.model.delivery import Delivery, DeliveryFlag, DeliveryState
from newsletter.model.event import Event, EventKind
from newsletter.model.issue import Issue
from newsletter.model.notice import Notice
from subscribers.model import Subscriber, SuppressionCause

Clock = Callable[[], datetime]


class EventStore(Protocol):
    def add(self, news: Sequence[tuple[Event, str]], now: datetime) -> int: ...
    def open(self, limit: int) -> Sequence[tuple[int, Event]]: ...
    def applied(self, row_ids: Sequence[int], now: datetime) -> None: ...
    def subscribers_with(self, issue_id: int, kind: EventKind) -> int: ...


class DeliveryStore(Protocol):
    def find(self, issue_id: int, subscriber_id: int) -> Delivery | None: ...
    def learned(
        self,
        before: Delivery,
        now: datetime,
        *,
        state: DeliveryState,
        flags: DeliveryFlag,
        code: str = "",
        reason: str = "",
    ) -> None: ...

    def unclaim(self, subscriber_id: int) -> None: ...
    def attempted_at(self, attempt_id: int) -> datetime | None: ...
    def begun(self, issue_id: int) -> tuple[int, int]: ...


class LeaseStore(Protocol):
    def take(self, name: str, token: str, *, now: datetime, length: timedelta) -> bool: ...
    def held(self, name: str, now: datetime) -> bool: ...


class NoticeStore(Protocol):
    def get(self, notice_id: int) -> Notice: ...
    def accepted(self, notice_id: int, now: datetime, code: str) -> None: ...
    def failed(self, notice_id: int, now: datetime, code: str, reason: str) -> None: ...


class IssueStore(Protocol):
    def get(self, issue_id: int) -> Issue: ...
    def pause(self, issue_id: int, problem: str, now: datetime) -> Issue: ...


class DomainStore(Protocol):
    def slow(self, name: str, now: datetime) -> datetime: ...


class SubscriberStore(Protocol):
    def find(self, id: int) -> Subscriber | None: ...
    def mark_bounced(
        self,
        id: int,
        now: datetime,
        *,
        hard: bool = True,
        reason: str = "",
        mailed_at: datetime | None = None,
    ) -> bool: ...
    def mark_delivered(self, id: int, *, mailed_at: datetime | None = None) -> None: ...
    def mark_complained(
        self, id: int, now: datetime, *, reason: str = "", mailed_at: datetime | None = None
    ) -> bool: ...
    def unsubscribe(self, id: int, now: datetime, reason: str = "") -> bool: ...
    def suppress(self, address: str, cause: SuppressionCause, now: datetime, reason: str = "") -> bool: ...


class LearnUnit(Protocol):
    @property
    def events(self) -> EventStore: ...
    @property
    def deliveries(self) -> DeliveryStore: ...
    @property
    def notices(self) -> NoticeStore: ...
    @property
    def issues(self) -> IssueStore: ...
    @property
    def domains(self) -> DomainStore: ...
    @property
    def leases(self) -> LeaseStore: ...
    @property
    def subscribers(self) -> SubscriberStore: ...


Work = Callable[[], AbstractContextManager[LearnUnit]]
