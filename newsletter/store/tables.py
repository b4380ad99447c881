"""Every table of the newsletter. Times are epoch milliseconds, ids 64-bit integers.

No foreign key leaves this metadata: subscribers live in a context of their own.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)

Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite's rowid alias must be spelt INTEGER
Ms = BigInteger()


def _text(name: str) -> Column[Any]:
    return Column(name, Text, nullable=False, server_default="")


def _count(name: str) -> Column[Any]:
    return Column(name, Integer, nullable=False, server_default="0")


def _flag(name: str) -> Column[Any]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


settings = Table(
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),  # secrets are encrypted with a key from the secret key
    Column("changed_at", Ms, nullable=False),
)

feeds = Table(
    "feeds",
    metadata,
    Column("id", Id, primary_key=True),
    Column("url", Text, nullable=False, unique=True),
    _text("title"),
    _text("subtitle"),
    _text("site_url"),
    _text("language"),
    Column("state", Text, nullable=False),
    _flag("full_text"),
    _text("etag"),
    _text("last_modified"),
    _text("body_sha"),
    _count("interval_s"),
    Column("ttl_s", Integer),  # how long the feed asks us to wait between polls
    Column("added_at", Ms, nullable=False),
    Column("polled_at", Ms),
    Column("next_poll_at", Ms),
    _text("next_poll_reason"),
    Column("baseline_at", Ms),
    Column("full_fetch_at", Ms),
    _count("failures"),
    _text("problem"),
    _text("redirect_url"),
    Column("redirect_since", Ms),
    _text("hub_url"),
    _text("self_url"),
    _text("hub_secret"),
    Column("hub_lease_until", Ms),
    Column("lease_until", Ms),
    _text("lease_token"),
    Index("ix_feeds_due", "next_poll_at", sqlite_where=text("state = 'active'"),
          postgresql_where=text("state = 'active'")),
)  # fmt: skip

polls = Table(
    "polls",
    metadata,
    Column("id", Id, primary_key=True),
    Column("feed_id", Id, ForeignKey("feeds.id"), nullable=False),
    Column("at", Ms, nullable=False),
    Column("result", Text, nullable=False),
    _count("status"),
    _count("size"),
    _count("entries"),
    _count("new"),
    _count("edited"),
    _count("held"),
    _count("elapsed_ms"),
    _text("problem"),
    Column("next_poll_at", Ms),
    _text("next_poll_reason"),
    Index("ix_polls_feed_at", "feed_id", "at"),
    Index("ix_polls_at", "at"),
)

posts = Table(
    "posts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("feed_id", Id, ForeignKey("feeds.id"), nullable=False),
    Column("state", Text, nullable=False),
    _text("reason"),
    Column("title", Text, nullable=False),
    _text("url"),
    _text("author"),
    _text("html"),
    _text("summary"),
    _text("base_url"),
    Column("published_at", Ms),
    Column("first_seen_at", Ms, nullable=False),
    Column("last_seen_at", Ms, nullable=False),
    Column("changed_at", Ms),
    Column("settle_until", Ms),
    _count("position"),
    _text("topics"),  # JSON list of strings
    _text("comments_url"),
    _text("image_url"),
    _text("language"),
    _text("content_sha"),
    _text("raw_sha"),
    Column("revision", Integer, nullable=False, server_default="1"),
    _flag("truncated"),
    Column("ready_at", Ms),  # when it became ready to be mailed
    Index("ix_posts_state", "state"),
    Index("ix_posts_feed_raw", "feed_id", "raw_sha"),
)

revisions = Table(
    "revisions",
    metadata,
    Column("post_id", Id, ForeignKey("posts.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("at", Ms, nullable=False),
    Column("title", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("content_sha", Text, nullable=False),
)

aliases = Table(
    "aliases",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("feed_id", Id, primary_key=True),  # 0: holds for the whole newsletter
    Column("value", Text, primary_key=True),
    Column("post_id", Id, ForeignKey("posts.id"), nullable=False),
    Index("ix_aliases_post", "post_id"),
    sqlite_with_rowid=False,
)

issues = Table(
    "issues",
    metadata,
    Column("id", Id, primary_key=True),
    Column("state", Text, nullable=False),
    Column("cadence", Text, nullable=False),
    _text("period"),
    Column("subject", Text, nullable=False),
    _flag("subject_edited"),
    _text("preheader"),
    _flag("preheader_edited"),
    _count("edition"),  # grows with every change of what is in it
    _text("note"),
    Column("excerpts", Boolean),  # NULL: as the theme has it
    _text("alts"),  # JSON list of [picture's address, description]
    _text("segment"),  # the name of the part of the list that it is for; empty: everybody of its rhythm
    _text("segment_filter"),  # whom that held when it was approved
    _text("content_hash"),
    _text("approved_hash"),
    Column("created_at", Ms, nullable=False),
    Column("changed_at", Ms, nullable=False),
    Column("send_at", Ms),
    Column("approved_at", Ms),
    Column("started_at", Ms),
    Column("finished_at", Ms),
    Column("audience_bound", Id, nullable=False, server_default="0"),
    Column("audience_cursor", Id, nullable=False, server_default="0"),
    _flag("audience_drawn"),
    _text("problem"),
    Index("ix_issues_state", "state", "send_at"),
    Index("uq_issues_period", "cadence", "period", unique=True,
          sqlite_where=text("period <> ''"), postgresql_where=text("period <> ''")),
)  # fmt: skip

issue_posts = Table(
    "issue_posts",
    metadata,
    Column("issue_id", Id, ForeignKey("issues.id"), primary_key=True),
    Column("post_id", Id, ForeignKey("posts.id"), primary_key=True),
    Column("cadence", Text, nullable=False),
    Column("block", SmallInteger, nullable=False),
    Column("included", Boolean, nullable=False, server_default=text("true")),
    _flag("withdrawn"),  # left out because the post left the feed or was skipped, not by editing the issue
    Column("revision", Integer, nullable=False, server_default="1"),
    UniqueConstraint("cadence", "post_id"),  # a post is composed once for each cadence
)

artefacts = Table(
    "artefacts",
    metadata,
    Column("issue_id", Id, ForeignKey("issues.id"), primary_key=True),
    Column("content_hash", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),  # zlib of the canonical JSON
    Column("checklist", Text, nullable=False, server_default="[]"),
    Column("composed_at", Ms, nullable=False),
    _count("size"),  # of the HTML part, bytes
    _count("edition"),  # of the issue that was composed
    _text("fingerprint"),  # of the newsletter and theme that it was composed with
)

links = Table(
    "links",  # of issues whose links are counted
    metadata,
    Column("token", Text, primary_key=True),
    Column("issue_id", Id, ForeignKey("issues.id"), nullable=False),
    Column("position", Integer, nullable=False),  # 0: the picture whose loading counts as an open
    _text("url"),
    _count("people"),
    _count("machines"),
    Index("ix_links_issue", "issue_id", "position"),
)

readings = Table(
    "readings",  # of single people who agreed; whoever does not agree any more has none
    metadata,
    Column("subscriber_id", Id, primary_key=True),
    Column("token", Text, primary_key=True),  # of the link that they followed, or of the picture
    Column("issue_id", Id, nullable=False),
    Column("first_at", Ms, nullable=False),
    Column("last_at", Ms, nullable=False),
    _count("times"),
    _flag("fresh"),  # the list has not heard of it yet
    Index("ix_readings_issue", "issue_id", "token"),
    Index("ix_readings_fresh", "last_at", sqlite_where=text("fresh"), postgresql_where=text("fresh")),
    sqlite_with_rowid=False,
)

pictures = Table(
    "pictures",  # images of posts that were looked at
    metadata,
    Column("source_sha", Text, primary_key=True),  # addresses may be longer than an index takes
    Column("source", Text, nullable=False),
    _count("width"),
    _count("height"),
    _text("copy"),  # our copy's name; empty where none is needed or possible
    _text("problem"),
    Column("looked_at", Ms, nullable=False),
)

copies = Table(
    "copies",  # of pictures, as the public gets them; named by their content, so that none ever changes
    metadata,
    Column("name", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("made_at", Ms, nullable=False),
)

rhythms = Table(
    "rhythms",
    metadata,
    Column("cadence", Text, primary_key=True),
    Column("since", Ms, nullable=False),  # posts ready before this are no news to it
    Column("used_at", Ms, nullable=False),  # when somebody last wanted it
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Id, primary_key=True),  # the fencing token
    Column("issue_id", Id, ForeignKey("issues.id"), nullable=False),
    Column("transport", Text, nullable=False),
    Column("opened_at", Ms, nullable=False),
    Column("lease_until", Ms, nullable=False),
    Column("closed_at", Ms),
    _count("accepted"),  # what became of its deliveries while it was open: the receipt's timeline
    _count("failed"),
    _count("unknown"),
    Index("ix_attempts_open", "issue_id",
          sqlite_where=text("closed_at IS NULL"), postgresql_where=text("closed_at IS NULL")),
    Index("ix_attempts_issue", "issue_id", "id"),
    sqlite_autoincrement=True,  # a fencing token must never be given out twice
)  # fmt: skip

deliveries = Table(
    "deliveries",
    metadata,
    Column("issue_id", Id, ForeignKey("issues.id"), primary_key=True),
    Column("subscriber_id", Id, primary_key=True),
    Column("state", SmallInteger, nullable=False),
    Column("flags", SmallInteger, nullable=False, server_default="0"),
    Column("attempt_id", Id, nullable=False, server_default="0"),
    Column("blocks", BigInteger, nullable=False),
    CheckConstraint("(state = 0) = (attempt_id = 0)", name="pending_is_nobodys"),
    # No index names the state: on PostgreSQL, most of its changes then touch none (a "heap-only" update, for
    # which the page needs room).
    Index("ix_deliveries_pending", "issue_id", "attempt_id", "subscriber_id",
          sqlite_where=text("attempt_id = 0"), postgresql_where=text("attempt_id = 0")),
    Index("ix_deliveries_subscriber", "subscriber_id"),
    sqlite_with_rowid=False,
    postgresql_with={"fillfactor": 70},
)  # fmt: skip

remarks = Table(
    "remarks",  # of failed, unknown, skipped and waiting deliveries only: most have none
    metadata,
    Column("issue_id", Id, primary_key=True),
    Column("subscriber_id", Id, primary_key=True),
    _count("tries"),
    Column("retry_at", Ms),
    _text("code"),
    _text("reason"),
    _text("provider_id"),
    Column("at", Ms, nullable=False),
    Index("ix_remarks_retry", "issue_id", "retry_at",
          sqlite_where=text("retry_at IS NOT NULL"), postgresql_where=text("retry_at IS NOT NULL")),
    sqlite_with_rowid=False,
)  # fmt: skip

notices = Table(
    "notices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("to", Text, nullable=False),
    Column("subscriber_id", Id),
    Column("issue_id", Id),
    Column("data", Text, nullable=False, server_default="{}"),
    Column("state", Text, nullable=False),
    Column("created_at", Ms, nullable=False),
    Column("due_at", Ms, nullable=False),
    _count("tries"),
    Column("lease_until", Ms),
    Column("sent_at", Ms),
    _text("code"),
    _text("reason"),
    Index("ix_notices_subscriber", "subscriber_id", sqlite_where=text("subscriber_id IS NOT NULL"),
          postgresql_where=text("subscriber_id IS NOT NULL")),
    Index("ix_notices_open", "due_at", sqlite_where=text("state IN ('pending', 'submitting')"),
          postgresql_where=text("state IN ('pending', 'submitting')")),
)  # fmt: skip

events = Table(
    "events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", Ms, nullable=False),
    Column("received_at", Ms, nullable=False),
    Column("issue_id", Id, nullable=False, server_default="0"),
    Column("subscriber_id", Id, nullable=False, server_default="0"),
    Column("notice_id", Id, nullable=False, server_default="0"),
    Column("attempt_id", Id, nullable=False, server_default="0"),
    _text("code"),
    _text("reason"),
    _text("raw"),  # the provider's own words, without addresses
    Column("applied_at", Ms),
    UniqueConstraint("provider", "key"),
    Index("ix_events_open", "id",
          sqlite_where=text("applied_at IS NULL"), postgresql_where=text("applied_at IS NULL")),
    Index("ix_events_issue", "issue_id", "at"),
    Index("ix_events_subscriber", "subscriber_id", "at",
          sqlite_where=text("subscriber_id <> 0"), postgresql_where=text("subscriber_id <> 0")),
)  # fmt: skip

imports = Table(
    "imports",  # of the studio; their files lie in the data folder until they are over
    metadata,
    Column("id", Id, primary_key=True),
    Column("source", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("ask_per_day", Integer),
    Column("batch_id", Id, nullable=False, server_default="0"),
    Column("at", Ms, nullable=False),
    Column("began_at", Ms),
    _count("done"),
    _count("total"),
    Column("report", Text, nullable=False, server_default="{}"),
    _text("problem"),
    sqlite_autoincrement=True,
)

domains = Table(
    "domains",  # whose servers wanted less mail from us
    metadata,
    Column("name", Text, primary_key=True),
    Column("until", Ms, nullable=False),  # nothing goes to it before
    _count("step"),  # how often it rested without a day's peace between
)

rates = Table(
    "rates",
    metadata,
    Column("name", Text, primary_key=True),
    Column("started_at", Ms, nullable=False),  # of the current window
    _count("used"),
)

logins = Table(
    "logins",  # one-time links to the studio
    metadata,
    Column("token_sha", Text, primary_key=True),
    Column("created_at", Ms, nullable=False),
    Column("expires_at", Ms, nullable=False),
    Column("used_at", Ms),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha", Text, primary_key=True),
    Column("created_at", Ms, nullable=False),
    Column("seen_at", Ms, nullable=False),
    Column("expires_at", Ms, nullable=False),
    _text("agent"),
)

audit = Table(
    "audit",  # append-only; no addresses
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Ms, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    _text("detail"),
    Index("ix_audit_at", "at"),
)

form_hits = Table(
    "form_hits",  # sign-ups of the last hour, for their limits; ``whence`` is a keyed seal
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Ms, nullable=False),
    Column("whence", Text, nullable=False),
    Column("proven", Integer, nullable=False),
    Index("ix_form_hits_at", "at"),
)

leases = Table(
    "leases",  # who runs a step right now
    metadata,
    Column("name", Text, primary_key=True),
    Column("token", Text, nullable=False),
    Column("until", Ms, nullable=False),
)
