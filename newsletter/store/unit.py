"""One transaction over both packages: the Unit that stages receive, and the Store that opens it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from sqlalchemy import Connection

from newsletter.store.account import Account
from newsletter.store.artefacts import Artefacts
from newsletter.store.audit import Audit
from newsletter.store.database import Database
from newsletter.store.deliveries import Deliveries
from newsletter.store.domains import Domains
from newsletter.store.doors import Doors
from newsletter.store.events import Events
from newsletter.store.feeds import Feeds
from newsletter.store.forms import Forms
from newsletter.store.imports import Imports
from newsletter.store.issue_posts import IssuePosts
from newsletter.store.issues import Issues
from newsletter.store.leases import Leases
from newsletter.store.links import IssueLinks
from newsletter.store.notices import Notices
from newsletter.store.pictures import Pictures
from newsletter.store.posts import Posts
from newsletter.store.rates import Rates
from newsletter.store.rhythms import Rhythms
from newsletter.store.settings import StoredSettings
from subscribers.store import Subscribers


class Unit:
    """Everything that one open transaction can read and write. Never commits."""

    def __init__(self, conn: Connection, *, subscriber_keys: Sequence[bytes]) -> None:
        self.conn = conn
        self._subscriber_keys = subscriber_keys
        self.forgotten: list[str] = []  #: addresses erased in this transaction

    def forget(self, subscriber_id: int, address: str) -> None:
        """What is kept beside the list of somebody who is erased."""
        self.notices.forget(subscriber_id, address)
        self.links.forget(subscriber_id)
        self.imports.forget_person(address)

    @cached_property
    def settings(self) -> StoredSettings:
        return StoredSettings(self.conn)

    @cached_property
    def feeds(self) -> Feeds:
        return Feeds(self.conn)

    @cached_property
    def posts(self) -> Posts:
        return Posts(self.conn)

    @cached_property
    def issues(self) -> Issues:
        return Issues(self.conn)

    @cached_property
    def issue_posts(self) -> IssuePosts:
        return IssuePosts(self.conn)

    @cached_property
    def artefacts(self) -> Artefacts:
        return Artefacts(self.conn)

    @cached_property
    def rhythms(self) -> Rhythms:
        return Rhythms(self.conn)

    @cached_property
    def pictures(self) -> Pictures:
        return Pictures(self.conn)

    @cached_property
    def links(self) -> IssueLinks:
        return IssueLinks(self.conn)

    @cached_property
    def deliveries(self) -> Deliveries:
        return Deliveries(self.conn)

    @cached_property
    def account(self) -> Account:
        return Account(self.conn)

    @cached_property
    def notices(self) -> Notices:
        return Notices(self.conn, self.forgotten)

    @cached_property
    def events(self) -> Events:
        return Events(self.conn)

    @cached_property
    def imports(self) -> Imports:
        return Imports(self.conn)

    @cached_property
    def rates(self) -> Rates:
        return Rates(self.conn)

    @cached_property
    def domains(self) -> Domains:
        return Domains(self.conn)

    @cached_property
    def doors(self) -> Doors:
        return Doors(self.conn)

    @cached_property
    def audit(self) -> Audit:
        return Audit(self.conn)

    @cached_property
    def forms(self) -> Forms:
        return Forms(self.conn)

    @cached_property
    def leases(self) -> Leases:
        return Leases(self.conn)

    @cached_property
    def subscribers(self) -> Subscribers:
        return Subscribers(self.conn, keys=self._subscriber_keys)


class Store:
    """Opens transactions. Thread-safe."""

    def __init__(self, database: Database, *, subscriber_keys: Sequence[bytes]) -> None:
        self.database = database
        self.after_erasure: Callable[[str], None] = lambda address: None
        """Told the address of everybody who was erased, once that is committed."""
        self._subscriber_keys = subscriber_keys

    @contextmanager
    def begin(self) -> Iterator[Unit]:
        """A transaction that may write: committed at the end, rolled back when the block raises."""
        with self.database.write() as conn:
            unit = Unit(conn, subscriber_keys=self._subscriber_keys)
            yield unit
        if unit.forgotten:
            for address in unit.forgotten:  # first: whatever stops the scrub, they are known to be erased
                self.after_erasure(address)
            self.database.scrub()

    @contextmanager
    def read(self) -> Iterator[Unit]:
        """A transaction that only reads, and never waits for a writer."""
        with self.database.read() as conn:
            yield Unit(conn, subscriber_keys=self._subscriber_keys)

    def close(self) -> None:
        self.database.close()
