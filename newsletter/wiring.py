"""The one module that chooses adapters and puts the house together."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from newsletter import config, pipeline
from newsletter.compose import Compiler, Themes
from newsletter.config import Settings
from newsletter.desk import Desk
from newsletter.desk.doors import Doors
from newsletter.errors import ConfigError, RequestFailed
from newsletter.guard.http import HttpClient, product_name
from newsletter.keys import Keys
from newsletter.learn.mailbox import return_address
from newsletter.logs import start_logging
from newsletter.model.identity import return_path
from newsletter.model.publication import Newsletter
from newsletter.pipeline import ALL, Budget, Step, Turned
from newsletter.poll.parser import Parser
from newsletter.send.dkim import Signer
from newsletter.send.highwater import HighWater
from newsletter.send.ports import Transport
from newsletter.send.transports.outbox import Outbox
from newsletter.send.transports.smtp import Smtp
from newsletter.send.transports.smtp_url import relay_of
from newsletter.steps import intake, learning
from newsletter.steps.links import Links
from newsletter.steps.tools import Tools
from newsletter.store import backup
from newsletter.store.database import Database
from newsletter.store.erasures import Erasures, sweep
from newsletter.store.migrate import require_current, upgrade
from newsletter.store.unit import Store
from subscribers.addresses import normalise
from subscribers.suppressions import suppression_hash
from subscribers.tokens import Purpose, Tokens

SENT: Final = "sent.mark"
ERASED: Final = "erased.mark"
_SENDING = {
    "transport", "outbox_dir", "data_dir", "smtp_url", "smtp_connections", "bounce_url", "dkim_key",
    "dkim_selector", "sender", "sendgrid_api_key", "sendgrid_url", "sendgrid_region",
}  # fmt: skip
"""The settings that a transport is made of."""


class House:
    """The whole product, put together: the desk for people, ``turn`` for engines. Thread-safe."""

    def __init__(self, boot: Settings, fixed: Mapping[str, str]) -> None:
        self._boot = boot
        self._fixed = fixed
        self._keys = Keys.parse(boot.secret_key.get_secret_value())
        self.store = Store(Database(boot.database_url), subscriber_keys=self._keys.derive("suppressions"))
        self._erasures = Erasures(boot.data_dir / ERASED)
        self.store.after_erasure = self._erased
        self.tokens = Tokens(self._keys.derive("links"))
        self.link_keys = self._keys.derive("links of issues")
        self.challenge_keys = self._keys.derive("sign-up challenges")
        self._message_key = self._keys.derive("message ids")[0]
        self._http: dict[tuple[bool, str], HttpClient] = {}
        self._lock = threading.Lock()
        self._sending: tuple[dict[str, object], Transport] | None = None
        self._parser = Parser()
        self._compiler = Compiler()
        self.tools = Tools(
            begin=self.store.begin,
            read=self.store.read,
            settings=self.settings,
            clock=now,
            keys=self._keys,
            fixed=fixed,
            message_key=self._message_key,
            http=self._client,
            parser=self._parser,
            compiler=self._compiler,
            themes=Themes(),
            links=self._links,
            link_key=self.link_keys[0],
            newsletter=self._newsletter,
            transport=self._transport,
            high_water=HighWater(boot.data_dir / SENT),
            look_up=look_up,
        )
        self.desk = Desk(self.tools, doors=Doors(begin=self.store.begin, read=self.store.read, clock=now))

    def settings(self) -> Settings:
        """The settings as they are now: environment over database over defaults. A secret that the secret key
        does not open counts as not set; doctor names it."""
        known: dict[str, str] = {}
        with self.store.read() as unit:
            stored = unit.settings.all()
        for field, value in stored.items():
            if field not in Settings.model_fields:
                continue
            if not config.is_secret(config.public_name(field)):
                known[field] = value
            elif (opened := self._keys.decrypt(value)) is not None:
                known[field] = opened
        return config.load(self._fixed, known)

    def _erased(self, address: str) -> None:
        """What somebody who was erased left outside the database."""
        key = self._keys.derive("suppressions")[0]
        self._erasures.add(suppression_hash(key, normalise(address).key))
        settings = self.settings()
        sweep(settings.data_dir / settings.outbox_dir, address)

    def turn(self, steps: Collection[Step] = ALL, budget: Budget | None = None) -> Turned:
        return pipeline.turn(self.tools, steps, budget)

    def take_sendgrid(self, raw: bytes, *, signature: str, timestamp: str) -> int:
        """See :func:`newsletter.steps.learning.take_sendgrid`."""
        return learning.take_sendgrid(self.tools, raw, signature=signature, timestamp=timestamp)

    def confirm_hub(self, feed_id: int, query: Mapping[str, str]) -> str | None:
        """See :func:`newsletter.steps.intake.confirm_hub`."""
        return intake.confirm_hub(self.tools, feed_id, query)

    def take_push(self, feed_id: int, body: bytes, signature: str) -> bool:
        """See :func:`newsletter.steps.intake.take_push`."""
        return intake.take_push(self.tools, feed_id, body, signature)

    def author_issue(self, token: str) -> int:
        """The issue of an author's signed link. Raises BadToken."""
        return self.tokens.verify(Purpose.AUTHOR_ISSUE, token, now())[0]

    def author_feed(self, token: str) -> int:
        """The feed of an author's signed link. Raises BadToken."""
        return self.tokens.verify(Purpose.AUTHOR_FEED, token, now())[0]

    def close(self) -> None:
        for client in self._http.values():
            client.close()
        self._parser.close()
        self._compiler.close()
        self.store.close()

    def _client(self, settings: Settings) -> HttpClient:
        with self._lock:
            private, url = settings.allow_private_addresses, settings.base_url
            if (private, url) not in self._http:
                self._http[private, url] = HttpClient(allow_private=private, user_agent=product_name(url))
            return self._http[private, url]

    def _newsletter(self, settings: Settings) -> Newsletter:
        """What the author left open is taken from the first feed."""
        newsletter = settings.newsletter
        with self.store.read() as unit:
            feed = next(iter(unit.feeds.list()), None)
        if feed is None:
            return newsletter
        title = settings.title or feed.title or newsletter.title
        sender = newsletter.sender
        return replace(
            newsletter,
            title=title,
            sender=replace(sender, name=sender.name or title) if sender else None,
            site_url=feed.site_url,
        )

    def _links(self, settings: Settings) -> Links:
        return Links(
            base_url=settings.public_url,
            tokens=self.tokens,
            message_key=self._message_key,
            host=settings.newsletter.host,
            mailbox=read_mailbox(settings),
        )

    def _transport(self, settings: Settings) -> Transport:
        """One for each way of sending as it is set, so that its connections live on between issues."""
        wanted = settings.model_dump(include=_SENDING)
        with self._lock:
            if self._sending is None or self._sending[0] != wanted:
                self._sending = (wanted, transport(settings, message_key=self._message_key))
            return self._sending[1]


def transport(settings: Settings, *, message_key: bytes) -> Transport:
    """How mail is sent. Raises ConfigError where what it needs is not set."""
    if settings.transport == "smtp":
        url = settings.smtp_url.get_secret_value()
        if not url:
            raise ConfigError(
                "SMTP is chosen, but its address is not set.",
                hint="newsletter settings set SMTP_URL smtp://user:password@host:587",
            )
        bounces = settings.bounce_url.get_secret_value()
        return Smtp(
            relay_of(url),
            connections=settings.smtp_connections,
            return_path=partial(return_path, secret=message_key, address=return_address(bounces))
            if bounces
            else None,
            signer=signer(settings),
        )
    if settings.transport == "sendgrid":
        key = settings.sendgrid_api_key.get_secret_value()
        if not key:
            raise ConfigError(
                "SendGrid is chosen, but its API key is not set.",
                hint="newsletter settings set SENDGRID_API_KEY SG.…",
            )
        from newsletter.send.transports.sendgrid import SendGrid  # its client is slow to import

        return SendGrid(
            key,
            base_url=settings.sendgrid_url,
            region="" if settings.sendgrid_region == "global" else settings.sendgrid_region,
        )
    return Outbox(settings.data_dir / settings.outbox_dir, signer=signer(settings))


def read_mailbox(settings: Settings) -> str:
    """The address whose mail is read here; empty where none is set, or not as it should be."""
    try:
        return return_address(settings.bounce_url.get_secret_value())
    except ConfigError:
        return ""


def signer(settings: Settings) -> Signer | None:
    """Signs for From's domain where a key is set. Raises ConfigError for a key that cannot sign."""
    key, sender = settings.dkim_key.get_secret_value(), settings.newsletter.sender
    if not key or sender is None:
        return None
    if not settings.dkim_selector:
        raise ConfigError(
            "A DKIM key is set, but no selector.", hint="newsletter settings set DKIM_SELECTOR …"
        )
    domain = sender.address.rpartition("@")[2]
    return Signer(key.encode(), domain=domain, selector=settings.dkim_selector)


def now() -> datetime:
    return datetime.now(UTC)


def look_up(name: str) -> Sequence[str]:
    """The TXT records of a name. Raises RequestFailed where DNS does not answer within 5 seconds."""
    import dns.exception  # only doctor asks
    import dns.resolver

    try:
        answer = dns.resolver.resolve(name, "TXT", lifetime=5.0)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except dns.exception.DNSException as error:
        raise RequestFailed(f"DNS gives no answer about {name}.", url=f"dns:{name}") from error
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]


def environment() -> dict[str, str]:
    """The settings that the environment and ``.env`` in this folder fix."""
    return config.environment(os.environ, dotenv_values(Path(".env")))


def prepare(fixed: Mapping[str, str] | None = None) -> bool:
    """Creates or upgrades the database; returns whether anything was done."""
    boot = config.load(environment() if fixed is None else fixed, {})
    Keys.parse(boot.secret_key.get_secret_value())
    _make_folder(boot.data_dir)
    database = Database(boot.database_url)
    try:
        return upgrade(database)
    finally:
        database.close()


def own_files() -> tuple[Path, ...]:
    """What no command may overwrite: .env, the database, and what remembers beside it what was sent."""
    boot = config.load(environment(), {})
    database = Database(boot.database_url)
    try:
        here = backup.files_of(database.path) if database.path else ()
    finally:
        database.close()
    return (Path(".env"), *here, boot.data_dir / SENT, boot.data_dir / ERASED)


def take_backup(target: Path) -> int:
    """A checked copy of the database while it is in use; its size in bytes."""
    boot = config.load(environment(), {})
    database = Database(boot.database_url)
    try:
        require_current(database)
        return backup.backup(database, target)
    finally:
        database.close()


def restore_backup(source: Path, *, drill: bool, accept_loss: bool = False) -> backup.Restored:
    """Puts a backup in the database's place, or with ``drill`` only proves that it could be. Raises Conflict
    where who left since is lost, unless that is accepted."""
    boot = config.load(environment(), {})
    keys = Keys.parse(boot.secret_key.get_secret_value()).derive("suppressions")
    if drill:
        return backup.drill(source, subscriber_keys=keys, now=now())
    _make_folder(boot.data_dir)
    mark = HighWater(boot.data_dir / SENT)

    def hold(newest: int) -> None:
        # Where the mark is missing or older, nobody knows what was sent since: sending waits too.
        if mark.reached() == 0 or mark.reached() < newest:
            mark.rise(newest + 1)

    return backup.restore(
        source,
        Database(boot.database_url),
        subscriber_keys=keys,
        erased=Erasures(boot.data_dir / ERASED).all(),
        now=now(),
        accept=hold,
        accept_loss=accept_loss,
    )


@contextmanager
def build(fixed: Mapping[str, str] | None = None) -> Iterator[House]:
    """The house, open for the length of the block.

    Raises ConfigError for settings that cannot be used, StoreProblem where there is no database yet.
    """
    fixed = environment() if fixed is None else fixed
    boot = config.load(fixed, {})
    start_logging(boot.log)
    _make_folder(boot.data_dir)
    house = House(boot, fixed)
    try:
        require_current(house.store.database)
        yield house
    finally:
        house.close()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"The data folder {folder} cannot be made: {error.strerror}.", hint="Set NEWSLETTER_DATA_DIR."
        ) from error


__all__ = ["House", "build", "environment", "prepare", "transport"]
