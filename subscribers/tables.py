"""Every table of the managed list. Times are epoch milliseconds, ids 64-bit integers."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
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
    Column("joined_at", Ms, nullable=False),
    Column("changed_at", Ms, nullable=False),
    Index("ix_subscribers_state_id", "state", "id"),
    sqlite_autoincrement=True,  # an id in an old link must never mean somebody else
)

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

suppressions = Table(
    "suppressions",
    metadata,
    Column("address_hash", Text, primary_key=True),  # HMAC-SHA256 of the normalised address
    Column("cause", Text, primary_key=True),
    Column("at", Ms, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
)
