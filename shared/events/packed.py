"""Internal events, packed column-wise: one record carries hundreds of lines, decoded in one step."""

from __future__ import annotations

import msgspec


class ReleasedBatch(msgspec.Struct, frozen=True):
    """Accepted payroll lines that trade on ``trade_date``; one list entry per line, cents parallel to sources."""

    trade_date: str
    rule_set: str
    plan_ids: list[str]
    payroll_ids: list[str]
    participants: list[str]
    buckets: list[int]
    causes: list[str]
    sources: list[list[str]]
    cents: list[list[int]]
    traces: list[str | None] | None = None


class ReversedBatch(msgspec.Struct, frozen=True):
    """Reversals of lines that were released earlier; one list entry per reversal, positive cents parallel to sources.

    ``causes`` are the reversals, ``reverses`` the lines, ``released_for`` the dates those were released for.
    """

    trade_date: str
    rule_set: str
    plan_ids: list[str]
    participants: list[str]
    buckets: list[int]
    causes: list[str]
    reverses: list[str]
    released_for: list[str]
    sources: list[list[str]]
    cents: list[list[int]]
    traces: list[str | None] | None = None
    forfeits: list[bool] | None = None
    """Which of them are forfeitures; left out when none is."""


class InstructedBatch(msgspec.Struct, frozen=True):
    """Lines split over funds; ``cents`` of a line is a matrix, sources by funds, row after row."""

    trade_date: str
    rule_set: str
    plan_ids: list[str]
    participants: list[str]
    buckets: list[int]
    causes: list[str]
    sources: list[list[str]]
    funds: list[list[str]]
    cents: list[list[int]]
    traces: list[str | None] | None = None


class TakenBackBatch(msgspec.Struct, frozen=True):
    """Reversals divided by the splits of their lines; ``cents`` is a matrix of positive cents, sources by funds.

    ``instructed_for`` are the dates the legs of the lines were instructed for.
    """

    trade_date: str
    rule_set: str
    plan_ids: list[str]
    participants: list[str]
    buckets: list[int]
    causes: list[str]
    reverses: list[str]
    instructed_for: list[str]
    sources: list[list[str]]
    funds: list[list[str]]
    cents: list[list[int]]
    traces: list[str | None] | None = None
    forfeits: list[bool] | None = None
    """Which of them are forfeitures; left out when none is."""


class Fill(msgspec.Struct, frozen=True):
    """One order's confirmed shares for the participants of one lane; negative when a fill is reversed.

    ``units`` are whole units of the fund's smallest share (``share_decimals``), ``cents`` the dollars they cost. Of a
    sell both are negative: what leaves the positions; ``proceeds`` are the confirmed dollars by leg, the plan's cash.
    """

    order_id: str
    version: int
    plan_id: str
    fund_id: str
    side: str
    trade_date: str
    price: str
    share_decimals: int
    participants: list[str]
    buckets: list[int]
    sources: list[str]
    cents: list[int]
    units: list[int]
    reversal: bool = False
    proceeds: list[int] | None = None


class FilledBatch(msgspec.Struct, frozen=True):
    """Fills posted with ``book_date``."""

    book_date: str
    rule_set: str
    fills: list[Fill]
