"""Reversals of lines that were released on an earlier date: divided as the line was, and sent on to be taken back."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec
from asyncpg.pgproto.pgproto import UUID

from services.allocation import store_reversals
from services.allocation.handlers import LINES_PER_RECORD, RULE_SET
from services.allocation.rules.split import cents_by_fund
from services.allocation.rules.unwinding import legs_left, take_back
from shared.events.packed import ReversedBatch, TakenBackBatch
from shared.events.topics import TRADES_INSTRUCTED
from shared.runtime.copying import copy_rows
from shared.runtime.records import Record, dated, unpacked
from shared.runtime.work import Work
from shared.values.invariants import invariant

TAKEN_BACK = "nestwork.trades.reversed.v1"
_decode = msgspec.json.Decoder(ReversedBatch).decode


class Reversal(msgspec.Struct, gc=False):
    """What a reversal takes back of one released line, by source, in positive cents."""

    lane: int
    topic: str
    offset: int
    recorded_at: datetime
    trade_date: date
    key: str
    plan_id: str
    bucket: int
    cause: str
    reverses: str
    released_for: str
    sources: list[str]
    amounts: list[int]
    trace: str | None = None
    forfeits: bool = False

    @property
    def cents(self) -> int:
        """Cents at stake: negative, they leave."""
        return -sum(self.amounts)


def explode_reversals(record: Record) -> list[Reversal]:
    """The reversals of a packed record."""
    batch = _decode(record.value or b"")
    lines = len(batch.participants)
    return unpacked(
        Reversal, record, dated(record, batch.trade_date), batch.participants, batch.plan_ids, batch.buckets,
        batch.causes, batch.reverses, batch.released_for, batch.sources, batch.cents,
        batch.traces or [None] * lines, batch.forfeits or [False] * lines,
    )  # fmt: skip


class _Split:
    """A line's split, and what earlier reversals have left of it."""

    def __init__(self, row: Any) -> None:
        self.trade_date, self.funds, self.election = row["trade_date"], row["accounts"][:-1], row["election"]
        self.left = legs_left(len(self.funds), row["sources"], row["leg_cents"])

    def taken(self, sources: list[str], legs: list[int]) -> None:
        """An earlier reversal, whose legs are negative."""
        for source, parts in legs_left(len(self.funds), sources, legs).items():
            self.left[source] = [leg + part for leg, part in zip(self.left[source], parts, strict=True)]


async def take_back_lines(work: Work, items: list[Reversal]) -> None:
    """Divide each reversal over what is left of its line's legs, record it, and tell trading."""
    splits = await _splits(work, items)
    rows = []
    said: dict[int, list[tuple[Reversal, _Split, list[int]]]] = {}
    for item in items:
        split = splits[bytes.fromhex(item.reverses)]
        matrix = take_back(split.left, item.sources, item.amounts)
        by_fund = cents_by_fund(split.funds, matrix)
        rows.append(
            (
                item.trade_date, item.lane, work.next_entry(item.lane), work.at(item.lane, item.recorded_at),
                "split_reversed", item.bucket, item.plan_id, item.key, UUID(item.cause), RULE_SET, item.trace,
                [*split.funds, "released"], [*(-cents for cents in by_fund), sum(by_fund)], item.sources,
                [-cents for cents in matrix], split.election, UUID(item.reverses),
            )
        )  # fmt: skip
        said.setdefault(item.lane, []).append((item, split, matrix))
    await copy_rows(work.connection, "journal", store_reversals.JOURNAL_COLUMNS, rows)
    for lane, lines in said.items():
        for start in range(0, len(lines), LINES_PER_RECORD):
            _say(work, lane, lines[start : start + LINES_PER_RECORD])


async def _splits(work: Work, items: list[Reversal]) -> dict[bytes, _Split]:
    """The split of each reversed line as it is now."""
    found: dict[bytes, _Split] = {}
    places = sorted({(item.lane, item.released_for) for item in items})
    for lane, released_for in places:
        asked = {UUID(one.reverses) for one in items if (one.lane, one.released_for) == (lane, released_for)}
        rows = await _rows(work, date.fromisoformat(released_for), lane, asked)
        invariant(len(rows) == len(asked), f"each line released for {released_for} was split before it is reversed")
        found |= {row["cause"].bytes: _Split(row) for row in rows}
        for row in await work.connection.fetch(store_reversals.TAKEN_BACK, lane, list(asked)):
            found[row["reverses"].bytes].taken(row["sources"], row["leg_cents"])
    return found


async def _rows(work: Work, released_for: date, lane: int, asked: set[Any]) -> list[Any]:
    rows = list(await work.connection.fetch(store_reversals.SPLITS_OF, released_for, lane, list(asked)))
    missing = asked - {row["cause"] for row in rows}
    if missing:
        rows += await work.connection.fetch(store_reversals.SPLITS_LATER, released_for, lane, list(missing))
    return rows


def _say(work: Work, lane: int, lines: list[tuple[Reversal, _Split, list[int]]]) -> None:
    first = lines[0][0]
    items = [item for item, _, _ in lines]
    batch = TakenBackBatch(
        trade_date=first.trade_date.isoformat(),
        rule_set=RULE_SET,
        plan_ids=[item.plan_id for item in items],
        participants=[item.key for item in items],
        buckets=[item.bucket for item in items],
        causes=[item.cause for item in items],
        reverses=[item.reverses for item in items],
        instructed_for=[split.trade_date.isoformat() for _, split, _ in lines],
        sources=[item.sources for item in items],
        funds=[split.funds for _, split, _ in lines],
        cents=[matrix for _, _, matrix in lines],
        traces=[item.trace for item in items] if any(item.trace for item in items) else None,
        forfeits=[item.forfeits for item in items] if any(item.forfeits for item in items) else None,
    )
    work.emit(
        lane,
        TRADES_INSTRUCTED.name,
        key=None,
        ce_type=TAKEN_BACK,
        ce_id=f"allocation/{lane}/{first.trade_date.isoformat()}/{first.cause}/reversal",
        value=msgspec.json.encode(batch),
        recorded_at=first.recorded_at,
    )
