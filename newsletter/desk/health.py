"""What ``doctor`` looks at: database, disk, clock, settings, the mail server, DNS."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from newsletter.config import Settings, is_secret, public_name
from newsletter.errors import NewsletterError
from newsletter.guard.http import is_private_host
from newsletter.model.checklist import CheckLine, Level
from newsletter.send.ports import Proves
from newsletter.steps.composing import private_links
from newsletter.steps.tools import Tools

FREE_BYTES: Final = 200 * 1024 * 1024
CLOCK_SLACK: Final = timedelta(minutes=5)
LookUp = Callable[[str], Sequence[str]]
"""The TXT records of a name; empty where there are none. Raises RequestProblem where DNS does not answer."""


def examine(tools: Tools) -> list[CheckLine]:
    """Every check, in the order in which an author would mend them. Changes nothing; sends nothing."""
    settings = tools.settings()
    return [
        *database(tools),
        *secrets(tools),
        *disk(settings.data_dir),
        *clock(tools),
        *set_up(settings),
        *sending(settings),
        *mail_server(tools, settings),
        *public_address(settings),
        *domain(settings, tools.look_up),
    ]


def database(tools: Tools) -> Iterator[CheckLine]:
    settings = tools.settings()
    try:
        with tools.read() as unit:
            feeds, searchable = unit.feeds.list(), unit.subscribers.searchable()
    except NewsletterError as error:
        yield _bad("database", error.message, error.hint)
        return
    if settings.database_url.startswith("sqlite"):
        yield _good("database", f"SQLite {sqlite3.sqlite_version} answers.")
    else:
        yield _good("database", "PostgreSQL answers.")
    if not searchable:
        yield _note(
            "search",
            "Searching a long list takes its time: the database lacks the extension pg_trgm.",
            "Let its administrator run CREATE EXTENSION pg_trgm in it, then run: newsletter init",
        )
    try:
        with tools.read() as unit:
            tools.high_water.check(unit.deliveries.newest_attempt())
    except NewsletterError as error:
        yield _bad("restored", error.message, error.hint)
    if not feeds:
        yield _note("feeds", "No feed is watched.", "Add your blog: newsletter feeds add URL")
    for feed in feeds:
        if feed.problem:
            yield _note("feeds", f"Feed {feed.id}: {feed.problem}", f"See: newsletter feeds show {feed.id}")


def secrets(tools: Tools) -> Iterator[CheckLine]:
    """Stored passwords and keys that the secret key does not open; they count as not set."""
    with tools.read() as unit:
        stored = unit.settings.all()
    for field, value in stored.items():
        if field not in Settings.model_fields:
            continue
        name = public_name(field)
        if is_secret(name) and tools.keys.decrypt(value) is None:
            yield _bad(
                "secret key",
                f"{name} was stored with another NEWSLETTER_SECRET_KEY and cannot be read.",
                "Put the former secret key behind the new one and a comma, or set it again: "
                f"newsletter settings set {name} …",
            )


def disk(folder: Path) -> Iterator[CheckLine]:
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / 1024**3:.1f} GB are free in {folder.absolute()}."
    if not os.access(existing, os.W_OK):
        yield _bad("disk", f"{folder.absolute()} cannot be written.", "Set NEWSLETTER_DATA_DIR.")
    elif existing != folder.absolute():
        yield _bad("disk", f"{folder.absolute()} does not exist.", "Make it, or set NEWSLETTER_DATA_DIR.")
    elif free < FREE_BYTES:
        yield _bad("disk", text, "Make room: a full disk stops sending.")
    else:
        yield _good("disk", text)


def clock(tools: Tools) -> Iterator[CheckLine]:
    """This machine's clock against what the database remembers: a jump back would send late or twice."""
    now = tools.clock()
    with tools.read() as unit:
        latest = max((feed.polled_at for feed in unit.feeds.list() if feed.polled_at), default=now)
    if latest > now + CLOCK_SLACK:
        yield _bad(
            "clock",
            f"The clock says {now:%Y-%m-%d %H:%M} UTC, but a feed was looked at on {latest:%Y-%m-%d %H:%M}.",
            "Set the clock of this machine; most systems do it by NTP.",
        )
    else:
        yield _good("clock", f"The clock says {now:%Y-%m-%d %H:%M} UTC.")


def set_up(settings: Settings) -> Iterator[CheckLine]:
    newsletter = settings.newsletter
    if newsletter.sender is None:
        yield _bad("from", "From is not set.", "newsletter settings set FROM 'Name <you@example.org>'")
    else:
        yield _good("from", f"Mail comes from {newsletter.sender}.")
    if not newsletter.postal_address:
        yield _bad(
            "postal address",
            "The postal address is not set; mail without one is against the law in many places.",
            "newsletter settings set POSTAL_ADDRESS '…' (a post-office box will do)",
        )
    else:
        yield _good("postal address", "The postal address is set.")


def sending(settings: Settings) -> Iterator[CheckLine]:
    if settings.transport == "outbox":
        yield _note(
            "sending",
            f"Mail is written into the folder {settings.data_dir / settings.outbox_dir} and goes nowhere.",
            "Choose smtp or sendgrid: newsletter settings set TRANSPORT smtp",
        )
    elif settings.transport == "smtp":
        url = settings.smtp_url.get_secret_value()
        if not url:
            yield _bad("sending", "SMTP is chosen, but SMTP_URL is not set.",
                       "newsletter settings set SMTP_URL smtp://user:password@host:587")  # fmt: skip
        else:
            yield _good(
                "sending",
                f"Mail goes by SMTP through {urlsplit(url).hostname}, at most {settings.sending_rate}.",
            )
    elif not settings.sendgrid_api_key.get_secret_value():
        yield _bad("sending", "SendGrid is chosen, but its API key is not set.",
                   "newsletter settings set SENDGRID_API_KEY SG.…")  # fmt: skip
    else:
        yield _good("sending", "Mail goes through SendGrid.")
        yield from _sendgrid(settings)


def mail_server(tools: Tools, settings: Settings) -> Iterator[CheckLine]:
    """Whether it lets us in; nothing is sent."""
    if settings.transport != "smtp" or not settings.smtp_url.get_secret_value():
        return
    try:
        transport = tools.transport(settings)
        if isinstance(transport, Proves):
            transport.prove()
            yield _good("mail server", "The mail server lets us in.")
    except NewsletterError as error:
        yield _bad("mail server", error.message, error.hint)


def _sendgrid(settings: Settings) -> Iterator[CheckLine]:
    sender = settings.newsletter.sender
    if sender is not None and not sender.name.isascii():
        yield _bad(
            "sender",
            "SendGrid takes no letters beyond ASCII, such as é, in the sender's name.",
            "Write FROM without them, or send through SendGrid's SMTP server, which takes every name.",
        )
    if not settings.sendgrid_webhook_key:
        yield _note(
            "events",
            "SendGrid's events are not taken in: nobody learns of bounces, and what is unclear stays so.",
            "Point its Event Webhook at /hooks/sendgrid, with signature, and set SENDGRID_WEBHOOK_KEY.",
        )


def public_address(settings: Settings) -> Iterator[CheckLine]:
    if is_private_host(settings.public_url):
        tell = _note if private_links(settings) else _bad  # then nothing is sent
        yield tell(
            "address",
            f"Links in mail point to {settings.public_url}, which only this machine or network reaches.",
            "newsletter settings set BASE_URL https://… (the address that subscribers reach)",
        )
    elif not settings.public_url.startswith("https://"):
        yield _note(
            "address",
            f"{settings.public_url} is not https; Gmail and Yahoo want one-click links to be.",
            "Put a web server with a certificate in front and set BASE_URL to its https address.",
        )
    else:
        yield _good("address", f"Links in mail point to {settings.public_url}.")


def domain(settings: Settings, look_up: LookUp) -> Iterator[CheckLine]:
    """SPF (RFC 7208) and DMARC (RFC 7489) of From's domain, where mail really goes out."""
    sender = settings.newsletter.sender
    if sender is None or settings.transport == "outbox":
        return
    name = sender.address.rpartition("@")[2]
    for label, query, mark, mend in (
        ("spf", name, "v=spf1", "Publish the SPF record that your mail provider gives you."),
        ("dmarc", f"_dmarc.{name}", "v=DMARC1", f'Publish _dmarc.{name} TXT "v=DMARC1; p=none".'),
    ):
        try:
            found = [record for record in look_up(query) if record.lower().startswith(mark.lower())]
        except NewsletterError as error:
            yield _note(label, error.message, "Run doctor again later.")
            continue
        if len(found) == 1:
            yield _good(label, f"{name} publishes {label.upper()}.")
        elif found:
            yield _bad(label, f"{name} publishes {len(found)} {label.upper()} records; one is allowed.",
                       "Join them into one.")  # fmt: skip
        else:
            yield _note(
                label, f"{name} publishes no {label.upper()} record; Gmail and Yahoo ask for it.", mend
            )


def _good(code: str, text: str) -> CheckLine:
    return CheckLine(level=Level.GOOD, code=code, text=text)


def _note(code: str, text: str, mend: str) -> CheckLine:
    return CheckLine(level=Level.ADVICE, code=code, text=text, mend=mend)


def _bad(code: str, text: str, mend: str) -> CheckLine:
    return CheckLine(level=Level.BLOCKING, code=code, text=text, mend=mend)
