"""Segments: a part of the list, described by typed filters. Nobody writes SQL, and nothing typed becomes it.

A segment holds those to whom every one of its filters applies.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, not_, or_, select, true

from subscribers.audience import mailable
from subscribers.errors import Invalid, Unknown
from subscribers.model import Cadence
from subscribers.sql import insert, mapped
from subscribers.tables import segments, subscribers
from subscribers.times import from_ms, to_ms

_c = subscribers.c


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What somebody must be. What is not set filters nothing; several values of one are "any of them".

    ``topic``: still wants posts about it. ``quiet_since``: nothing known of them since then.
    """

    cadence: Cadence | None = None
    topic: str = ""
    tags: tuple[str, ...] = ()
    without_tags: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    joined_from: datetime | None = None
    joined_before: datetime | None = None
    engaged_since: datetime | None = None
    quiet_since: datetime | None = None

    def to_json(self) -> str:
        """Only what is set, in the order of the fields."""
        plain = {name: _plain(value) for name, value in asdict(self).items() if value}
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Filter:
        """The inverse of :meth:`to_json`. Raises Invalid for what no filter of this version is."""
        try:
            data = json.loads(text)
            unknown = data.keys() - {field.name for field in fields(cls)}
            if unknown:
                raise ValueError
            return cls(**{name: _read(name, value) for name, value in data.items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise Invalid("This segment cannot be read.", hint="Make it anew.") from error


@dataclass(frozen=True, kw_only=True)
class Segment:
    id: int
    name: str
    filter: Filter


def condition(wanted: Filter, *, default_cadence: Cadence) -> ColumnElement[bool]:
    """The filter as a condition on the table of subscribers; for ``audience.candidates`` and ``list``."""
    parts: list[ColumnElement[bool]] = [true()]
    if wanted.cadence is not None:
        chosen: ColumnElement[bool] = _c.cadence == wanted.cadence.value
        parts.append(or_(chosen, _c.cadence.is_(None)) if wanted.cadence is default_cadence else chosen)
    if wanted.topic:
        parts.append(or_(_c.topics_off == "[]", not_(_has(_c.topics_off, wanted.topic))))
    if wanted.tags:
        # Most have no tag at all, which is seen without searching in any.
        parts += [_c.tags != "[]", or_(*(has_tag(tag) for tag in wanted.tags))]
    parts += [not_(has_tag(tag)) for tag in wanted.without_tags]
    if wanted.domains:
        parts.append(_c.domain.in_([domain.casefold() for domain in wanted.domains]))
    if wanted.joined_from is not None:
        parts.append(_c.joined_at >= to_ms(wanted.joined_from))
    if wanted.joined_before is not None:
        parts.append(_c.joined_at < to_ms(wanted.joined_before))
    if wanted.engaged_since is not None:
        parts.append(_c.engaged_at >= to_ms(wanted.engaged_since))
    if wanted.quiet_since is not None:
        parts.append(func.coalesce(_c.engaged_at, _c.joined_at) < to_ms(wanted.quiet_since))
    return and_(*parts)


def count(conn: Connection, wanted: Filter, now: datetime, *, default_cadence: Cadence) -> int:
    """How many may be mailed now and are in it (suppression is asked when they are claimed)."""
    mapped(conn)
    query = select(func.count()).select_from(subscribers)
    here = condition(wanted, default_cadence=default_cadence)
    return int(conn.execute(query.where(mailable(now), here)).scalar_one())


def plain_name(name: str) -> str:
    """A segment's name as it is kept."""
    return " ".join(name.split())[:100].rstrip()


class Segments:
    """The saved ones. Takes an open connection and never commits."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def save(self, name: str, wanted: Filter, now: datetime) -> Segment:
        """Keeps it under this name, in place of another of the same name. Raises Invalid for no name."""
        plain = plain_name(name)
        if not plain:
            raise Invalid("A segment needs a name.")
        saved = insert(self._conn, segments).values(
            name=plain, filter=wanted.to_json(), created_at=to_ms(now)
        )
        replaced = saved.on_conflict_do_update(
            index_elements=[segments.c.name], set_={"filter": saved.excluded.filter}
        )
        self._conn.execute(replaced)
        row = self._conn.execute(select(segments).where(segments.c.name == plain)).one()
        return _segment(row)

    def all(self) -> Sequence[Segment]:
        """By name."""
        return [_segment(row) for row in self._conn.execute(select(segments).order_by(segments.c.name))]

    def get(self, id: int) -> Segment:
        """Raises Unknown."""
        row = self._conn.execute(select(segments).where(segments.c.id == id)).one_or_none()
        if row is None:
            raise Unknown(f"There is no segment {id}.")
        return _segment(row)

    def named(self, name: str) -> Segment | None:
        row = self._conn.execute(select(segments).where(segments.c.name == name)).one_or_none()
        return None if row is None else _segment(row)

    def remove(self, id: int) -> None:
        """Raises Unknown. Nobody in it changes."""
        if not self._conn.execute(delete(segments).where(segments.c.id == id)).rowcount:
            raise Unknown(f"There is no segment {id}.")


def _segment(row: Any) -> Segment:
    return Segment(id=row.id, name=row.name, filter=Filter.from_json(row.filter))


def has_tag(tag: str) -> ColumnElement[bool]:
    return _has(_c.tags, tag)


def _has(column: ColumnElement[str], word: str) -> ColumnElement[bool]:
    """Whether a stored JSON list has the word: as it stands there, in its quotation marks.

    By replacing, since LIKE ignores the case on SQLite and regards it on PostgreSQL.
    """
    return func.replace(column, json.dumps(word, ensure_ascii=False), "") != column


def _read(name: str, value: Any) -> Any:
    how: Callable[[Any], Any] = _READ.get(name, _words)
    return how(value)


def _plain(value: Any) -> object:
    if isinstance(value, datetime):
        return to_ms(value)
    return list(value) if isinstance(value, tuple) else value


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError("a list of words is needed")
    return tuple(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text is needed")
    return value


_READ: Final[dict[str, Callable[[Any], Any]]] = {
    "cadence": Cadence,
    "topic": _text,
    "joined_from": from_ms,
    "joined_before": from_ms,
    "engaged_since": from_ms,
    "quiet_since": from_ms,
}
