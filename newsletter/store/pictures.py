"""What is known of posts' images, and our copies of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection, select

from newsletter.model.picture import Picture
from newsletter.model.times import from_ms, to_ms
from newsletter.store.sql import insert
from newsletter.store.tables import copies, pictures


class Pictures:
    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def known(self, sources: Iterable[str]) -> dict[str, Picture]:
        """What is known of the images at these addresses (some hundred at most), by address."""
        found: dict[str, Picture] = {}
        wanted = [_sha(source) for source in sources]
        for row in self._conn.execute(select(pictures).where(pictures.c.source_sha.in_(wanted))):
            found[row.source] = Picture(
                source=row.source,
                width=row.width,
                height=row.height,
                copy=row.copy,
                problem=row.problem,
                looked_at=from_ms(row.looked_at),
            )
        return found

    def save(self, picture: Picture, copy: bytes = b"") -> None:
        """Remembers what was found; ``copy`` is the bytes of the copy that it names."""
        if picture.copy:
            self._conn.execute(
                insert(self._conn, copies)
                .values(name=picture.copy, body=copy, made_at=to_ms(picture.looked_at))
                .on_conflict_do_nothing()
            )
        values = {
            "source": picture.source,
            "width": picture.width,
            "height": picture.height,
            "copy": picture.copy,
            "problem": picture.problem,
            "looked_at": to_ms(picture.looked_at),
        }
        self._conn.execute(
            insert(self._conn, pictures)
            .values(source_sha=_sha(picture.source), **values)
            .on_conflict_do_update(index_elements=["source_sha"], set_=values)
        )

    def copy(self, name: str) -> bytes | None:
        """The bytes of a copy, by its name."""
        body: bytes | None = self._conn.scalar(select(copies.c.body).where(copies.c.name == name))
        return body


def _sha(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()
