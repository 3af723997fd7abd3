"""One hash per bucket over what the books decided: equal for 1 or 16 partitions, one or many workers, any crash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from typing import Any

import orjson

from deploy.operate.books import Books, open_books
from deploy.operate.store_state import POSITIONS, TABLES
from shared.runtime.settings import Settings
from shared.values.hashing import BUCKETS, murmur2_many

DIGEST_BYTES = 16
_MODULUS = 1 << (8 * DIGEST_BYTES)


@dataclass(frozen=True, slots=True)
class StateHash:
    """What the books say, in a form that two clusters can compare."""

    overall: str
    buckets: dict[int, str]
    tables: dict[str, str]
    """The same by table, to see where two states part."""

    def differing_tables(self, other: StateHash) -> list[str]:
        """Names of the tables in which the other state differs."""
        return sorted(name for name in self.tables.keys() | other.tables.keys()
                      if self.tables.get(name) != other.tables.get(name))  # fmt: skip

    def differing_buckets(self, other: StateHash) -> list[int]:
        """Buckets in which the other state differs."""
        return sorted(number for number in self.buckets.keys() | other.buckets.keys()
                      if self.buckets.get(number) != other.buckets.get(number))  # fmt: skip


class Hasher:
    """Adds up rows in any order: the sum of their hashes does not depend on who wrote which first."""

    def __init__(self) -> None:
        self._by_bucket: defaultdict[int, int] = defaultdict(int)
        self._by_table: defaultdict[str, int] = defaultdict(int)

    def add(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows of a table; the first column is the bucket, or the text whose bucket it is."""
        for bucket, row in zip(_buckets(rows), rows, strict=True):
            text = orjson.dumps([table, *row], default=_plain)
            number = int.from_bytes(blake2b(text, digest_size=DIGEST_BYTES).digest(), "big")
            self._by_bucket[bucket] += number
            self._by_table[table] += number

    def result(self) -> StateHash:
        """The hash of all that was added."""
        buckets = {number: _hex(total) for number, total in sorted(self._by_bucket.items())}
        overall = blake2b(orjson.dumps(list(buckets.items())), digest_size=DIGEST_BYTES).hexdigest()
        return StateHash(overall, buckets, {name: _hex(total) for name, total in sorted(self._by_table.items())})


def _buckets(rows: Sequence[Sequence[Any]]) -> list[int]:
    if rows and isinstance(rows[0][0], int):
        return [row[0] for row in rows]
    return [hashed % BUCKETS for hashed in murmur2_many([(row[0] or "").encode() for row in rows])]


def _hex(total: int) -> str:
    return (total % _MODULUS).to_bytes(DIGEST_BYTES, "big").hex()


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


async def state_hash(config: Settings, through: date | None = None) -> StateHash:
    """The hash of what was decided up to the close of ``through``; without it, of everything, positions included."""
    async with open_books(config) as books:
        return await hash_books(books, through)


async def hash_books(books: Books, through: date | None = None) -> StateHash:
    """The hash of databases that are open already."""
    hasher = Hasher()
    by_service = {book.service: book for book in books.all()}
    tables = TABLES if through else (*TABLES, ("valuation", "positions", POSITIONS))
    for service, name, statement in tables:
        async for portion in by_service[service].stream(statement, through or date.max):
            hasher.add(f"{service} {name}", [tuple(row) for row in portion])
    return hasher.result()
