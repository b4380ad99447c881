"""Every table of the managed list. Times are epoch milliseconds, ids 64-bit integers."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite's rowid alias must be spelt INTEGER
Ms = BigInteger()

TRIGRAMS: Final = "ix_subscribers_trigrams"


def has_trigrams(
    ddl: object,
    target: object,
    bind: Connection | None = None,
    tables: Any = None,
    state: Any = None,
    **_: Any,
) -> bool:
    """Whether the index of that name can be made: PostgreSQL needs its extension for it."""
    return (
        bind is not None
        and bind.scalar(text("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")) is not None
    )


subscribers = Table(
    "subscribers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("address", Text, nullable=False),
    Column("address_key", Text, nullable=False, unique=True),  # normalised: one person, one row
    Column("name", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),
    Column("cadence", Text),
    Column("topics_off", Text, nullable=False, server_default="[]"),
    Column("paused_until", Ms),
    Column("language", Text, nullable=False, server_default=""),
    Column("strikes", SmallInteger, nullable=False, server_default="0"),
    Column("domain", Text, nullable=False, server_default=""),  # of address_key
    Column("tags", Text, nullable=False, server_default="[]"),  # the author's own; a JSON list, sorted
    Column("consent_until", Ms),  # when the last valid consent ends; NULL: never
    Column("engaged_at", Ms),  # when they last confirmed, chose, or (who agreed) opened or clicked
    Column("tracked_at", Ms),  # since when their own opens and clicks may be kept; NULL: they may not
    Column("batch_id", Id),  # the import that brought them
    Column("joined_at", Ms, nullable=False),
    Column("left_at", Ms),  # since when they are not mailed; as joined_at where they never were
    Column("changed_at", Ms, nullable=False),
    Column("sought", Text, nullable=False, server_default=""),  # what a search reads: rows.sought
    Index("ix_subscribers_cadence", "state", "cadence"),
    Index("ix_subscribers_domain", "domain", "id"),
    # What a search and a count of a segment read on SQLite, in place of the table: half as wide, and in
    # id order within a state, so that new rows go to its end. PostgreSQL's index entries must be shorter than
    # a list of tags may be: it counts by reading the table with several workers, and searches by trigrams.
    Index("ix_subscribers_search", "state", "id", "sought").ddl_if("sqlite"),
    Index("ix_subscribers_segment", "state", "id", "cadence", "paused_until", "consent_until", "joined_at",
          "engaged_at", "domain", "topics_off", "tags").ddl_if("sqlite"),
    # What the growth of the list is counted by, period by period.
    Index("ix_subscribers_joined", "joined_at", "left_at",
          sqlite_where=text("state <> 'unconfirmed'"), postgresql_where=text("state <> 'unconfirmed'")),
    Index("ix_subscribers_left", "left_at", "joined_at",
          sqlite_where=text("left_at IS NOT NULL"), postgresql_where=text("left_at IS NOT NULL")),
    Index("ix_subscribers_state_id", "state", "id").ddl_if("postgresql"),
    Index("ix_subscribers_tagged", "id", postgresql_where=text("tags <> '[]'")).ddl_if("postgresql"),
    Index(TRIGRAMS, "sought", postgresql_using="gin", postgresql_ops={"sought": "gin_trgm_ops"})
    .ddl_if("postgresql", has_trigrams),
    Index("ix_subscribers_batch", "batch_id",
          sqlite_where=text("batch_id IS NOT NULL"), postgresql_where=text("batch_id IS NOT NULL")),
    Index("ix_subscribers_tracked", "id",
          sqlite_where=text("tracked_at IS NOT NULL"), postgresql_where=text("tracked_at IS NOT NULL")),
    sqlite_autoincrement=True,  # an id in an old link must never mean somebody else
)  # fmt: skip

consents = Table(
    "consents",
    metadata,
    Column("id", Id, primary_key=True),
    Column("subscriber_id", Id, ForeignKey("subscribers.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", Ms, nullable=False),
    Column("source", Text, nullable=False),
    Column("origin", Text, nullable=False, server_default=""),
    Column("wording", Text, nullable=False, server_default=""),
    Column("expires_at", Ms),
    Index("ix_consents_subscriber", "subscriber_id", "at"),
)

tracking_consents = Table(
    "tracking_consents",
    metadata,
    Column("id", Id, primary_key=True),
    Column("subscriber_id", Id, nullable=False),
    Column("at", Ms, nullable=False),
    Column("source", Text, nullable=False),
    Column("origin", Text, nullable=False, server_default=""),
    Column("wording", Text, nullable=False),
    Column("withdrawn_at", Ms),
    Index("ix_tracking_consents_subscriber", "subscriber_id"),
)

happenings = Table(
    "happenings",  # what somebody chose and did, for their page
    metadata,
    Column("id", Id, primary_key=True),
    Column("subscriber_id", Id, nullable=False),
    Column("at", Ms, nullable=False),
    Column("what", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Index("ix_happenings_subscriber", "subscriber_id", "at"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("address_hash", Text, primary_key=True),  # HMAC-SHA256 of the normalised address
    Column("cause", Text, primary_key=True),
    Column("at", Ms, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("batch_id", Id),  # the import or bulk action that brought it
)

former_addresses = Table(
    "former_addresses",  # so that what comes back late meets the address it was sent to
    metadata,
    Column("subscriber_id", Id, primary_key=True),
    Column("until", Ms, primary_key=True),  # when their mail began to go elsewhere
    Column("address_hash", Text, nullable=False),  # as in suppressions
)

former_rhythms = Table(
    "former_rhythms",  # so that whoever changes how often they hear misses nothing
    metadata,
    Column("cadence", Text, primary_key=True),  # empty: the newsletter's own
    Column("subscriber_id", Id, primary_key=True),
    Column("left_at", Ms, nullable=False),
    Index("ix_former_rhythms_subscriber", "subscriber_id"),
)

requests = Table(
    "requests",  # what an address was asked to confirm; a row is a link that works once
    metadata,
    Column("id", Id, primary_key=True),
    Column("subscriber_id", Id, ForeignKey("subscribers.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", Ms, nullable=False),
    Column("expires_at", Ms, nullable=False),
    Column("source", Text, nullable=False),
    Column("origin", Text, nullable=False, server_default=""),
    Column("wording", Text, nullable=False, server_default=""),
    Column("tracking", Text, nullable=False, server_default=""),  # to what they agreed of opens and clicks
    Column("address", Text, nullable=False, server_default=""),  # the new one, of an address change
    Column("mailbox", Text, nullable=False, server_default=""),  # where all spellings of the address end
    Column("reminded_at", Ms),
    Column("used_at", Ms),
    Index("ix_requests_subscriber", "subscriber_id", "at"),
    Index("ix_requests_at", "at"),
    Index("ix_requests_mailbox", "mailbox", "at"),
    sqlite_autoincrement=True,
)

batches = Table(
    "batches",  # one import or bulk action each
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Ms, nullable=False),
    Column("kind", Text, nullable=False, server_default="import"),
    Column("dialect", Text, nullable=False),
    Column("source", Text, nullable=False),  # the file's name, or the tag
    Column("created", Integer, nullable=False, server_default="0"),
    Column("changed", Integer, nullable=False, server_default="0"),
    Column("suppressed", Integer, nullable=False, server_default="0"),
    Column("undone_at", Ms),
    Column("ask_per_day", Integer),  # how many of its people are asked to confirm; NULL: nobody is
    Column("ask_stopped", Text, nullable=False, server_default=""),  # why no more are asked
    sqlite_autoincrement=True,
)

asks = Table(
    "asks",  # the imported people who are to confirm before they are mailed
    metadata,
    Column("batch_id", Id, primary_key=True),
    Column("subscriber_id", Id, primary_key=True),
    Column("asked_at", Ms),
    sqlite_with_rowid=False,
)

batch_changes = Table(
    "batch_changes",  # what a batch changed of those who were there before, to take it back
    metadata,
    Column("batch_id", Id, primary_key=True),
    Column("subscriber_id", Id, primary_key=True),
    Column("before", Text, nullable=False),  # JSON of the columns it changed
    Column("after", Text, nullable=False),
)

segments = Table(
    "segments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("filter", Text, nullable=False),  # JSON of subscribers.segments.Filter
    Column("created_at", Ms, nullable=False),
)
