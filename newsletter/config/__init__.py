"""Environment, ``.env`` and the settings row -> frozen Settings.

A value in the environment (or ``.env``) wins over the database, which wins over the default. Only what
must exist before the database (``BOOT``) has to be in the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from newsletter.config import typed
from newsletter.errors import ConfigError, Invalid
from newsletter.guard.addresses import is_private_host
from newsletter.model.publication import Newsletter, Sender
from newsletter.model.tracking import Tracking
from subscribers.model import Cadence

PREFIX: Final = "NEWSLETTER_"
ALONE: Final = "SENDGRID_API_KEY"  #: the one name without our prefix: every SendGrid guide uses it
BOOT: Final = (
    "database_url", "secret_key", "host", "port", "data_dir", "trusted_proxies", "log",
)  # fmt: skip
"""What must be known before the database is open; never stored in it."""


class Settings(BaseModel):
    """Every setting, parsed. Build it with :func:`load`; the descriptions are the settings' documentation."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
        validate_by_name=True,
        validate_by_alias=True,
    )

    database_url: str = Field("sqlite:///newsletter.db", repr=False, description="Where everything is kept.")
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="At least 32 characters; a comma list when changed: the first signs, all verify.",
    )
    host: str = Field("127.0.0.1", description="The address that the web server listens on.")
    port: int = Field(8000, ge=0, le=65535, description="The port that the web server listens on.")
    data_dir: Path = Field(Path("."), description="The folder for the outbox.")
    trusted_proxies: str = Field(
        "", description="Comma list of proxy addresses whose X-Forwarded-For is believed."
    )
    log: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="How much is logged; newsletter run begins at info."
    )

    base_url: Annotated[str, BeforeValidator(typed.base_url)] = Field(
        "", description="The public address of this installation, for the links in mail."
    )
    author_email: Annotated[str, BeforeValidator(typed.sender)] = Field(
        "", description="Where the author is told of drafts and problems; From where empty."
    )
    title: typed.Line = Field("", description="The newsletter's name.")
    sender: Annotated[str, BeforeValidator(typed.sender)] = Field(
        "", alias="from", description="Who the mail comes from: Name <address@example.org>."
    )
    reply_to: Annotated[str, BeforeValidator(typed.sender)] = Field(
        "", description="Where replies go; From where empty."
    )
    postal_address: str = Field("", description="In the footer of every mail, as the law asks.")
    disclaimer: str = Field("", description="A standing sentence in the footer, such as a disclaimer.")
    language: Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = Field(
        "en", description="The newsletter's language (BCP 47)."
    )
    timezone: Annotated[str, BeforeValidator(typed.zone)] = Field(
        "UTC", description="The author's time zone."
    )
    theme: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,40}$")] = Field(
        "letter", description="How the email looks: the name of a theme."
    )
    theme_folder: str = Field("", description="A folder with your own theme files, laid over the theme's.")
    subject: Annotated[str, BeforeValidator(typed.template)] = Field(
        "",
        description="What subjects are made of, such as {{ newsletter.title }}: {{ post.title }}; the post's "
        "title where empty.",
    )
    preheader: Annotated[str, BeforeValidator(typed.template)] = Field(
        "",
        description="What preview lines are made of, such as {{ post.begins }}; the post's first words where "
        "empty.",
    )
    images: Literal["linked", "copied"] = Field(
        "linked",
        description="copied: of pictures that some mail programs cannot show (WebP, AVIF, SVG) or that weigh "
        "more than 1 MB, a copy is kept and shown from this installation's own address; linked: every "
        "picture is shown from the blog.",
    )
    spamd: Annotated[str, BeforeValidator(typed.host_and_port)] = Field(
        "localhost:783",
        description="Where SpamAssassin's spamd listens, if it does: its score then stands on the checklist.",
    )
    feed_url: str = Field("", description="A feed that is added by itself when there is none.")
    poll_interval: Annotated[timedelta, BeforeValidator(typed.interval)] = Field(
        timedelta(hours=1),
        description="How often a feed is looked at. A quiet blog is looked at less often, every 4 hours "
        "at the least; one that asks for longer pauses gets them, up to a day.",
    )
    first_poll: Literal["baseline", "newest"] = Field(
        "baseline", description="What the first look mails: nothing, or the newest post as a draft."
    )
    settle: typed.Duration = Field(
        timedelta(minutes=10), description="How long a new post waits for the author's corrections."
    )
    flood: int = Field(3, ge=1, le=1000, description="More new posts than this at once are held.")
    max_age: typed.Duration = Field(
        timedelta(days=30), description="A new post dated longer ago than this is held."
    )
    cadence: Cadence = Field(Cadence.EACH, description="How often, for subscribers who chose nothing.")
    digest_at: Annotated[str, BeforeValidator(typed.hour)] = Field(
        "07:00",
        description="When digests are made, in the author's time zone: every day, on Mondays, or on the "
        "first of the month.",
    )
    digest_approval: Literal["once", "again"] = Field(
        "once",
        description="once: a digest of posts that you approved one by one, as they are, goes without a "
        "second approval; again: it waits for you.",
    )
    double_opt_in: bool = Field(
        True, description="Ask the address itself before somebody who used the form is mailed."
    )
    welcome_subject: Annotated[str, BeforeValidator(typed.line)] = Field(
        "", max_length=200, description="The subject of the message that welcomes; our own where empty."
    )
    welcome: str = Field(
        "",
        max_length=5000,
        description="What the message that welcomes says, in plain text with empty lines between paragraphs; "
        "our own words where empty. The latest issue and the link to leave follow by themselves.",
    )
    approval: Literal["manual", "auto"] = Field(
        "manual", description="auto: a draft goes at the next send window unless it is stopped."
    )
    send_window: Annotated[str, BeforeValidator(typed.window)] = Field(
        "", description="When sending may start, such as 08:00-20:00 in the author's time zone."
    )
    transport: Literal["outbox", "smtp", "sendgrid"] = Field(
        "outbox", description="How mail is sent: into a folder, by SMTP, or by SendGrid."
    )
    outbox_dir: str = Field("outbox", description="The Maildir of the outbox, inside the data folder.")
    smtp_url: Annotated[SecretStr, BeforeValidator(typed.smtp_url)] = Field(
        SecretStr(""),
        description="smtp://user:password@host:587, smtps://…, or smtp+plain:// on this machine only.",
    )
    smtp_connections: int = Field(2, ge=1, le=256, description="SMTP connections at the same time.")
    rate: Annotated[str, BeforeValidator(typed.rate)] = Field(
        "",
        description="The most mail: 60/minute, 100/day, 10/second, several with commas between, unlimited. "
        "Empty: 60/minute by SMTP, as fast as it goes otherwise.",
    )
    domain_rates: Annotated[str, BeforeValidator(typed.domain_rates)] = Field(
        "",
        description="The most mail to single recipients' domains: gmail.com=100/hour, outlook.com=20/minute.",
    )
    domains_at_once: Annotated[str, BeforeValidator(typed.domains_at_once)] = Field(
        "",
        description="How many messages to single recipients' domains may be on their way at the same moment: "
        "gmail.com=20, outlook.com=5. Each process that sends counts its own.",
    )
    warm_up: Annotated[str, BeforeValidator(typed.plan)] = Field(
        "",
        description="The most mail while From's domain is new: 50, 100, 500 on the first three days on which "
        "anything is sent, and no limit of this kind afterwards.",
    )
    tracking: Tracking = Field(
        Tracking.OFF,
        description="Whether opens and clicks are counted. off: no link is changed and nothing is counted; "
        "aggregate: how often, by links and a picture that are the same for everybody; individual: also who, "
        "of subscribers who agreed to that on their preferences page or when they signed up. Needs a public "
        "BASE_URL.",
    )
    canary: Annotated[str, BeforeValidator(typed.share)] = Field(
        "0",
        description="The share of an issue's recipients, such as 1%, that it goes to before it waits for "
        "you to look and resume it; 0: it never waits.",
    )
    dkim_key: Annotated[SecretStr, BeforeValidator(typed.pem)] = Field(
        SecretStr(""),
        description="A private key (PEM; RSA or Ed25519, \\n for line ends) that signs mail by SMTP; most "
        "relays sign by themselves.",
    )
    dkim_selector: Annotated[str, Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9.-]{0,60}[A-Za-z0-9])?)?$")] = (
        Field("", description="The selector under which the DKIM key's public half stands in DNS.")
    )
    sendgrid_api_key: SecretStr = Field(
        SecretStr(""),
        description="SendGrid's API key with the right to send mail.",
    )
    sendgrid_url: Annotated[str, BeforeValidator(typed.base_url)] = Field(
        "", description="Another address of SendGrid's API, for tests."
    )
    sendgrid_region: Literal["global", "eu"] = Field("global", description="SendGrid's region.")
    sendgrid_suppressions: Literal["import", "waive"] = Field(
        "import",
        description="Before the first issue, import whom SendGrid already never mails; waive: do without.",
    )
    sendgrid_webhook_key: typed.Line = Field(
        "", description="The key with which SendGrid's events are verified, as SendGrid shows it."
    )
    bounce_url: SecretStr = Field(
        SecretStr(""),
        description="Where bounces come back: imaps://user:password@host/INBOX?address=bounces@your.domain, "
        "or maildir:///path?address=….",
    )
    allow_private_addresses: bool = Field(
        False,
        description="Let feeds and pictures be fetched from private addresses, and mail carry links "
        "to them (intranets, tests).",
    )

    @property
    def newsletter(self) -> Newsletter:
        name, address = parseaddr(self.sender)
        return Newsletter(
            title=self.title or name or "Newsletter",
            sender=Sender(name=name or self.title, address=address) if address else None,
            reply_to=parseaddr(self.reply_to)[1],
            postal_address=self.postal_address,
            disclaimer=self.disclaimer,
            language=self.language,
            timezone=self.timezone,
            theme=self.theme,
            base_url=self.public_url,
            cadence=self.cadence,
            theme_folder=self.theme_folder,
            subject=self.subject,
            preheader=self.preheader,
            tracking=self.tracking,
        )

    @property
    def public_url(self) -> str:
        """The base of every link; this machine's own address where none was set."""
        return self.base_url or f"http://localhost:{self.port}"

    @property
    def untrackable(self) -> str:
        """Why opens and clicks cannot be counted, in one sentence; empty where they can, or need not be."""
        if self.tracking is Tracking.OFF or (self.base_url and self.allow_private_addresses):
            return ""
        if not self.base_url:
            return (
                "Opens and clicks are counted at this installation's public address, and BASE_URL is not set."
            )
        if is_private_host(self.base_url):
            return f"Opens and clicks cannot be counted at {self.base_url}: nobody's mail program reaches it."
        return ""

    @property
    def author_address(self) -> str:
        return parseaddr(self.author_email)[1] or parseaddr(self.sender)[1]

    @property
    def sending_rate(self) -> str:
        return self.rate or ("60/minute" if self.transport == "smtp" else "unlimited")

    @property
    def canary_share(self) -> float:
        return float(self.canary.rstrip("%")) / 100

    @property
    def digest_time(self) -> time:
        return time.fromisoformat(self.digest_at)

    @property
    def window(self) -> tuple[time, time] | None:
        if not self.send_window:
            return None
        start, end = self.send_window.split("-")
        return time.fromisoformat(start), time.fromisoformat(end)


def public_name(field: str) -> str:
    """The setting's name as people write it: ``BASE_URL``, ``FROM``, ``SENDGRID_API_KEY``."""
    alias = Settings.model_fields[field].alias
    return (alias or field).upper()


FIELDS: Final[Mapping[str, str]] = {public_name(field): field for field in Settings.model_fields}
"""Public name -> field name, in the order of their documentation."""


def is_secret(name: str) -> bool:
    return Settings.model_fields[FIELDS[name]].annotation is SecretStr


@dataclass(frozen=True, kw_only=True)
class SettingShown:
    """One setting as pages and ``settings list`` show it; a secret's value is never in it."""

    name: str
    value: str
    source: Literal["environment", "database", "default"]
    secret: bool
    fixed: bool  #: comes from the environment and cannot be changed here
    help: str


def environment(environ: Mapping[str, str], dotenv: Mapping[str, str | None]) -> dict[str, str]:
    """Field values present in the environment, else in ``.env``; empty ones count as absent."""
    found: dict[str, str] = {}
    for name, field in FIELDS.items():
        keys = [PREFIX + name] + ([ALONE] if name == ALONE else [])
        for source in (dotenv, environ):
            for key in keys:
                if source.get(key):
                    found[field] = str(source[key])
    return found


def load(fixed: Mapping[str, str], stored: Mapping[str, str]) -> Settings:
    """Fixed (environment) over stored (database) over defaults. Raises ConfigError naming the setting.

    Both map field names to text; stored secrets are already decrypted.
    """
    values: dict[str, Any] = {**{k: v for k, v in stored.items() if k not in BOOT}, **fixed}
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise _sentence(error, fixed) from error


def parse_one(name: str, value: str) -> str:
    """The value as it would be stored. Raises Invalid for an unknown name or a value it cannot have."""
    field = FIELDS.get(name.upper().removeprefix(PREFIX))
    if field is None:
        raise Invalid(f"There is no setting called {name}.", hint="See: newsletter settings list")
    if field in BOOT:
        raise Invalid(
            f"{name.upper()} must be known before the database is open.",
            hint=f"Set {PREFIX}{public_name(field)} in .env or the environment.",
        )
    try:
        settings = Settings.model_validate({field: value})
    except ValidationError as error:
        raise Invalid(_sentence(error, {}).message) from error
    return text_of(getattr(settings, field))


def shown(settings: Settings, fixed: Mapping[str, str], stored: Mapping[str, str]) -> list[SettingShown]:
    return [
        SettingShown(
            name=name,
            value=_shown_value(name, text_of(getattr(settings, field))),
            source="environment" if field in fixed else "database" if field in stored else "default",
            secret=is_secret(name),
            fixed=field in fixed or field in BOOT,
            help=Settings.model_fields[field].description or "",
        )
        for name, field in FIELDS.items()
    ]


def _shown_value(name: str, value: str) -> str:
    if is_secret(name):
        return "set" if value else ""
    if name == "DATABASE_URL" and "@" in value:
        return f"{value.partition('://')[0]}://•••@{value.rpartition('@')[2]}"  # it may hold a password
    return value


def text_of(value: object) -> str:
    """A setting's value as people write it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
            if seconds and seconds % size == 0:
                return f"{seconds // size} {unit}{'s' if seconds != size else ''}"
        return f"{seconds} seconds" if seconds else "0"
    return str(value)


def _sentence(error: ValidationError, fixed: Mapping[str, str]) -> ConfigError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = str(first["loc"][0]) if first["loc"] else ""
    field = next((f for f, info in Settings.model_fields.items() if where in {f, info.alias}), where)
    name = public_name(field) if field in Settings.model_fields else where.upper()
    reason = _reason(field, str(first["type"]), first.get("ctx", {}), str(first["msg"]))
    source = " (from the environment or .env)" if field in fixed else ""
    return ConfigError(f"{name}{source} cannot be used: {reason[:1].lower()}{reason[1:]}.")


_PATTERNS: Final = {  # what a setting's pattern asks for, in words
    "language": "write the language as a short code such as en, de or pt-BR",
    "theme": "write the name of a theme: small letters, digits and hyphens",
    "dkim_selector": "write the selector as it stands in DNS: letters, digits, dots and hyphens",
}


def _reason(field: str, kind: str, context: Mapping[str, Any], message: str) -> str:
    """Why a value cannot be used, without the validator's own terms. ``kind`` is pydantic's type of error."""
    if kind == "string_pattern_mismatch":
        return _PATTERNS[field]
    if kind in {"literal_error", "enum"}:
        return f"choose {str(context['expected']).replace(chr(39), '')}"
    if kind == "bool_parsing":
        return "write true or false"
    if kind.startswith("int_") or kind in {"greater_than_equal", "less_than_equal"}:
        limits = {type(one).__name__: one for one in Settings.model_fields[field].metadata}
        return f"write a whole number from {limits['Ge'].ge} to {limits['Le'].le}"
    if kind == "string_too_long":
        return f"write at most {context['max_length']} characters"
    if kind == "extra_forbidden":
        return "there is no such setting"
    return message.removeprefix("Value error, ")
