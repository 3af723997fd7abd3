"""What a peer left behind against what the input demands: each line once, to the cent, in the output and in the books.

A peer that takes one participant's lines out of order may cut another line at the limit; where the participant's
yearly total still agrees, that is counted apart (``order_deviations``) and is no fault.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson

from tests.load.peers import job, wire

HEADERS = {"ce_id", "ce_source", "ce_type", "ce_specversion", "ce_time"}
FAULTS = (
    "lost", "duplicated", "unexpected", "wrong_key", "wrong_headers", "wrong_lines", "cents_not_conserved",
    "rejects_lost", "rejects_duplicated", "rejects_wrong",
)  # fmt: skip
BOOKS = """
SELECT (SELECT count(*) FROM contribution) AS lines,
       (SELECT coalesce(sum(accepted_cents), 0) FROM contribution)::bigint AS accepted,
       coalesce(sum(cents) FILTER (WHERE side = 'D'), 0)::bigint AS debits,
       coalesce(sum(cents) FILTER (WHERE side = 'C'), 0)::bigint AS credits
FROM posting"""


@dataclass(frozen=True)
class Expected:
    """What the input demands."""

    instructions: dict[str, dict[str, Any]]
    rejects: dict[tuple[int, int], str]
    repeats: int

    @property
    def cents(self) -> int:
        """All accepted cents."""
        return sum(one["accepted_cents"] for one in self.instructions.values())


async def expected(bootstrap: str) -> Expected:
    """Decide the whole input again, partition by partition."""
    instructions: dict[str, dict[str, Any]] = {}
    rejects: dict[tuple[int, int], str] = {}
    totals: defaultdict[tuple[str, int], int] = defaultdict(int)
    repeats = 0
    async for record in wire.records(bootstrap, job.INPUT):
        try:
            line = job.parse(record.value)
        except job.Invalid as problem:
            rejects[record.partition, record.offset] = problem.args[0]
            continue
        if line.contribution_id in instructions:
            repeats += 1
            continue
        decision = job.decide(line, totals[line.participant_id, line.year])
        totals[line.participant_id, line.year] += decision.elective_cents
        instructions[line.contribution_id] = job.instruction(line, decision)
    return Expected(instructions, rejects, repeats)


async def check_outputs(bootstrap: str, wanted: Expected) -> dict[str, Any]:
    """Compare both output topics with what is wanted."""
    seen: dict[str, dict[str, Any]] = {}
    counts: Counter[str] = Counter()
    differing = []
    async for record in wire.records(bootstrap, job.OUTPUT):
        body = orjson.loads(record.value)
        name = body["contribution_id"]
        if name in seen:
            counts["duplicated"] += 1
            continue
        seen[name] = body
        counts["wrong_key"] += record.key != body["participant_id"].encode()
        counts["wrong_headers"] += {header for header, _ in record.headers} != HEADERS
        counts["cents_not_conserved"] += body["accepted_cents"] != sum(one["cents"] for one in body["lines"])
        if name not in wanted.instructions:
            counts["unexpected"] += 1
        elif body != wanted.instructions[name]:
            differing.append(name)
    out_of_order = _only_out_of_order(differing, seen, wanted)
    allocated = sum(one["cents"] for body in seen.values() for one in body["lines"])
    return {
        **counts,
        "lost": len(wanted.instructions.keys() - seen.keys()),
        "wrong_lines": len(differing) - out_of_order,
        "order_deviations": out_of_order,
        "cents_lost": wanted.cents - allocated,
        **await _rejects(bootstrap, wanted),
    }


def _only_out_of_order(names: list[str], seen: dict[str, dict[str, Any]], wanted: Expected) -> int:
    found = _by_year(seen.values())
    right = _by_year(wanted.instructions[name] for name in seen if name in wanted.instructions)
    years = [(seen[name]["participant_id"], seen[name]["pay_date"][:4]) for name in names]
    return sum(found[year] == right[year] for year in years)


def _by_year(bodies: Iterable[dict[str, Any]]) -> Counter[tuple[str, str]]:
    totals: Counter[tuple[str, str]] = Counter()
    for body in bodies:
        totals[body["participant_id"], body["pay_date"][:4]] += body["accepted_cents"]
    return totals


async def _rejects(bootstrap: str, wanted: Expected) -> dict[str, int]:
    seen: Counter[tuple[int, int]] = Counter()
    wrong = 0
    async for record in wire.records(bootstrap, job.REJECTS):
        body = orjson.loads(record.value)
        place = body["partition"], body["offset"]
        seen[place] += 1
        wrong += wanted.rejects.get(place) != body["reason"]
    return {
        "rejects_lost": len(wanted.rejects.keys() - seen.keys()),
        "rejects_duplicated": seen.total() - len(seen),
        "rejects_wrong": wrong,
    }


async def books_in_database(dsn: str, schema: str) -> dict[str, int]:
    """Lines, accepted cents, debits and credits of a peer that keeps its books in PostgreSQL."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": schema})
    try:
        return dict(await connection.fetchrow(BOOKS))
    finally:
        await connection.close()


async def books_in_changelog(bootstrap: str, topic: str) -> dict[str, int]:
    """The same of a peer that keeps them in a store with a changelog: the newest value of each key."""
    newest: dict[bytes, bytes] = {}
    async for record in wire.records(bootstrap, topic):
        newest[record.key] = record.value
    totals: Counter[str] = Counter()
    for value in newest.values():
        body = orjson.loads(value) if value else None
        if type(body) is not dict or "postings" not in body:
            continue  # A year's total in the same store.
        totals["lines"] += 1
        totals["accepted"] += body["accepted_cents"]
        for posting in body["postings"]:
            totals["debits" if posting["side"] == "D" else "credits"] += posting["cents"]
    return dict(totals)


def verdict(found: dict[str, Any], books: dict[str, int], wanted: Expected) -> dict[str, Any]:
    """The whole finding with the names of its faults."""
    faults = [name for name in FAULTS if found.get(name)]
    if found["cents_lost"]:
        faults.append("cents")
    sums = {books.get(name, 0) for name in ("accepted", "debits", "credits")}
    if books.get("lines") != len(wanted.instructions) or sums != {wanted.cents}:
        faults.append("books")
    return {**found, "expected": len(wanted.instructions), "faults": faults, "ok": not faults}
