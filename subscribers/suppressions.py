"""Who must never be mailed, known only by a keyed hash, so that the erased stay suppressed.

An address is kept as HMAC-SHA256 of its normalised form. The first key writes, all read: after a key was
changed, what older keys wrote still counts for as long as they stay in the list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, func, select, update

from subscribers.model import Suppression, SuppressionCause
from subscribers.sealing import prepared
from subscribers.sql import chunks, insert, select_in
from subscribers.tables import suppressions
from subscribers.times import from_ms, to_ms

Causes = frozenset[SuppressionCause]
NONE: Final[Causes] = frozenset()
Carried = tuple[str, str, int, str]  #: hash, cause, when in epoch milliseconds, reason

_KNOWN_BY_HEART: Final = 200_000
_DOMAIN: Final = b"newsletter suppression\0"
_BY_HASH: Final = "SELECT address_hash, cause FROM suppressions WHERE address_hash {in}"


class Suppressions:
    """Takes an open connection and never commits. Addresses are given by their key (addresses.py)."""

    def __init__(self, conn: Connection, *, keys: Sequence[bytes]) -> None:
        """Raises ValueError where no key is given: without one nobody could be kept off the list."""
        if not keys:
            raise ValueError("suppressions need at least one key")
        self._conn = conn
        self._keys = tuple(keys)

    def causes(self, address_key: str) -> Causes:
        """Why this address is never mailed; empty where nothing forbids it."""
        return self.causes_of([address_key]).get(address_key, NONE)

    def causes_of(self, address_keys: Sequence[str]) -> dict[str, Causes]:
        """Of many at once; only those that have a cause. One query for each key."""
        found: defaultdict[str, set[SuppressionCause]] = defaultdict(set)
        for key in self._keys:
            hashes = _hashes(key, address_keys)
            told = select_in(self._conn, _BY_HASH, hashes)
            if told:
                owners = dict(zip(hashes, address_keys, strict=True))
                for address_hash, cause in told:
                    found[owners[address_hash]].add(SuppressionCause(cause))
        return {address: frozenset(causes) for address, causes in found.items()}

    def reader(self) -> Callable[[Sequence[str]], Mapping[str, Causes]]:
        """``causes_of`` for whoever goes through the whole list: what fits into memory is read but once."""
        everything = select(suppressions.c.address_hash, suppressions.c.cause).limit(_KNOWN_BY_HEART + 1)
        rows = self._conn.execute(everything).all()
        if len(rows) > _KNOWN_BY_HEART:
            return self.causes_of
        by_hash: defaultdict[str, set[SuppressionCause]] = defaultdict(set)
        for address_hash, cause in rows:
            by_hash[address_hash].add(SuppressionCause(cause))

        def causes_of(address_keys: Sequence[str]) -> Mapping[str, Causes]:
            found: dict[str, Causes] = {}
            for key in self._keys if by_hash else ():
                for address, address_hash in zip(address_keys, _hashes(key, address_keys), strict=True):
                    if address_hash in by_hash:
                        found[address] = found.get(address, NONE) | by_hash[address_hash]
            return found

        return causes_of

    def of(self, address_key: str) -> list[Suppression]:
        """The whole record, oldest first."""
        query = select(suppressions).where(suppressions.c.address_hash.in_(self._all_hashes(address_key)))
        rows = self._conn.execute(query.order_by(suppressions.c.at))
        return [
            Suppression(cause=SuppressionCause(row.cause), at=from_ms(row.at), reason=row.reason)
            for row in rows
        ]

    def add(
        self,
        address_keys: Iterable[str],
        cause: SuppressionCause,
        now: datetime,
        *,
        reason: str = "",
        batch_id: int | None = None,
    ) -> int:
        """Records the cause for each address that lacks it; returns for how many it was new."""
        wanted = list(dict.fromkeys(address_keys))
        known = {address for address, causes in self.causes_of(wanted).items() if cause in causes}
        rows = [
            {
                "address_hash": _hash(self._keys[0], address),
                "cause": cause.value,
                "at": to_ms(now),
                "reason": reason,
                "batch_id": batch_id,
            }
            for address in wanted
            if address not in known
        ]
        if rows:
            self._conn.execute(insert(self._conn, suppressions).on_conflict_do_nothing(), rows)
        return len(rows)

    def add_hash(
        self, address_hash: str, cause: SuppressionCause, now: datetime, *, reason: str = ""
    ) -> bool:
        """The same for an address of which only the hash is known. Returns whether that was new."""
        row = {"address_hash": address_hash, "cause": cause.value, "at": to_ms(now), "reason": reason}
        added = insert(self._conn, suppressions).values(row).on_conflict_do_nothing()
        if self._conn.execute(added).rowcount == 1:
            return True
        self._belongs([address_hash], [cause], None)
        return False

    def keep(
        self, address_keys: Sequence[str], causes: Iterable[SuppressionCause], batch_id: int | None = None
    ) -> bool:
        """These causes, where a batch brought them, have a second reason from now on: taking that batch back
        frees nobody of them. With ``batch_id`` they are that batch's. Returns whether any was a batch's."""
        hashes = [_hash(key, address) for key in self._keys for address in address_keys]
        return self._belongs(hashes, list(causes), batch_id)

    def free(self, address_keys: Sequence[str], batch_id: int) -> None:
        """Forgets what this batch brought of them."""
        hashes = [_hash(key, address) for key in self._keys for address in address_keys]
        for part in chunks(hashes):
            mine = suppressions.c.address_hash.in_(part), suppressions.c.batch_id == batch_id
            self._conn.execute(delete(suppressions).where(*mine))

    def _belongs(
        self, hashes: Sequence[str], causes: Sequence[SuppressionCause], batch_id: int | None
    ) -> bool:
        if not causes:
            return False
        changed = 0
        for part in chunks(hashes):
            mine = update(suppressions).where(
                suppressions.c.address_hash.in_(part),
                suppressions.c.cause.in_([cause.value for cause in causes]),
                suppressions.c.batch_id.is_not(None),
            )
            changed += self._conn.execute(mine.values(batch_id=batch_id)).rowcount
        return changed > 0

    def hash_of(self, address_key: str) -> str:
        """The hash under which this address would be kept."""
        return _hash(self._keys[0], address_key)

    def carry_over(self, rows: Iterable[Carried]) -> int:
        """Takes in what another copy of this list knew; returns how much of it was new. Lifts nothing."""
        known = select(func.count()).select_from(suppressions)
        before = self._conn.scalar(known) or 0
        values = [
            {"address_hash": address_hash, "cause": cause, "at": at, "reason": reason}
            for address_hash, cause, at, reason in rows
        ]
        if values:
            self._conn.execute(insert(self._conn, suppressions).on_conflict_do_nothing(), values)
        return (self._conn.scalar(known) or 0) - before

    def explain(self, address_key: str, cause: SuppressionCause, reason: str) -> None:
        """Puts a reason beside a cause that is already recorded."""
        self._conn.execute(
            update(suppressions)
            .where(
                suppressions.c.address_hash.in_(self._all_hashes(address_key)),
                suppressions.c.cause == cause.value,
            )
            .values(reason=reason)
        )

    def forget_reasons(self, address_key: str) -> None:
        """Empties what anybody wrote beside this address's causes."""
        mine = suppressions.c.address_hash.in_(self._all_hashes(address_key))
        self._conn.execute(update(suppressions).where(mine).values(reason=""))

    def remove(self, address_key: str, causes: Iterable[SuppressionCause]) -> None:
        """Forgets these causes. Who may ask for that is decided in states.py, not here."""
        gone = [cause.value for cause in causes]
        if gone:
            self._conn.execute(
                delete(suppressions).where(
                    suppressions.c.address_hash.in_(self._all_hashes(address_key)),
                    suppressions.c.cause.in_(gone),
                )
            )

    def _all_hashes(self, address_key: str) -> list[str]:
        return [_hash(key, address_key) for key in self._keys]


def suppression_hash(key: bytes, address_key: str) -> str:
    """How an address stands in the table, for whoever keeps the same elsewhere."""
    return _hash(key, address_key)


def _hash(key: bytes, address_key: str) -> str:
    return _hashes(key, (address_key,))[0]


def _hashes(key: bytes, address_keys: Sequence[str]) -> list[str]:
    """The seal of each (see :func:`subscribers.sealing.seal`), without a call for each."""
    inside, outside = prepared(key, _DOMAIN)
    found = []
    for address_key in address_keys:
        inner, outer = inside(), outside()
        inner.update(address_key.encode())
        outer.update(inner.digest())
        found.append(outer.hexdigest())
    return found
