"""Which decided lines a corrected census fact would change: `python -m services.contribution.differing` prints them.

The question is a JSON object on standard input with `plan_id` and `participant_id`, null for all; the answer is one on
standard output. Everything is read, nothing is written: a correction is somebody's decision, by reversals and lines.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
import orjson

from services.contribution import store_differing
from services.contribution.rules.differing import DecidedLine, differences
from services.contribution.rules.intake import Line
from services.contribution.rules.limits import Limits, limits_of_fact, reviewed_limits
from services.contribution.rules.line import INVALID_AMOUNT
from services.contribution.rules.participant import Participant
from services.contribution.rules.plan_rules import plan_rules_of
from services.contribution.rules.records import LineRecord
from shared.runtime.clients import Connection, connect

PEOPLE_PER_QUERY = 2_000
WHATEVER_THE_CENSUS_SAYS = frozenset({"UNKNOWN_PLAN", "UNKNOWN_PARTICIPANT", "KEY_MISMATCH", "DUPLICATE_PAYROLL_LINE"})
"""Codes of lines that were refused before the person was looked at."""
_person = msgspec.json.Decoder(Participant).decode


class Known(NamedTuple):
    """One version of what was known about a person."""

    effective_from: date
    received_for: date
    person: Participant


class Dated:
    """Facts by key, each with the date from which it governs."""

    def __init__(self, rows: list[Any], build: Callable[[Any], Any]) -> None:
        self._versions: dict[str, list[tuple[date, Any]]] = {}
        for row in rows:
            self._versions.setdefault(row["key"], []).append((row["effective_from"], build(orjson.loads(row["body"]))))

    def on(self, key: str, day: date) -> Any:
        """The fact that governed a date, or None."""
        return next((fact for since, fact in reversed(self._versions.get(key, [])) if since <= day), None)


async def answer(connection: Connection, plan_id: str | None, participant_id: str | None) -> dict[str, Any]:
    """Everybody about whom something was corrected, and the lines that it would change."""
    people: dict[tuple[str, str], list[Known]] = {}
    for row in await connection.fetch(store_differing.CORRECTED, plan_id, participant_id):
        known = Known(row["effective_from"], row["received_for"], _person(row["person"]))
        people.setdefault((row["participant_id"], row["plan_id"]), []).append(known)
    plans = Dated(
        await connection.fetch(store_differing.FACTS, "plans.v1"), lambda body: plan_rules_of(body["plan_id"], body)
    )
    limits = Dated(await connection.fetch(store_differing.FACTS, "limits.v1"), limits_of_fact)
    found: list[dict[str, Any]] = []
    pairs = list(people)
    for start in range(0, len(pairs), PEOPLE_PER_QUERY):
        some = pairs[start : start + PEOPLE_PER_QUERY]
        rows = await connection.fetch(store_differing.LINES, [one[0] for one in some], [one[1] for one in some])
        for pair, own in groupby(rows, key=lambda row: (row["participant_id"], row["plan_id"])):
            found += _differing(list(own), people[pair], plans, limits)
    cents = sum(one["cents"] for line in found for one in line["differences"])
    return {"corrected_participants": len(people), "cents": cents, "lines": found}


def _differing(rows: list[Any], known: list[Known], plans: Dated, limits: Dated) -> Iterator[dict[str, Any]]:
    """The lines of one person in one plan that would differ, year by year."""
    rows = [row for row in rows if not _is_refused_anyway(row)]
    rows.sort(key=lambda row: row["pay_date"].year)  # Stable: within a year in the order they were decided.
    now = known[-1]
    for year, own in groupby(rows, key=lambda row: row["pay_date"].year):
        of_year = list(own)
        lines = [_decided(row, year, known, plans, limits) for row in of_year]
        for one in differences(lines, now.person, now.received_for.year):
            row = of_year[one.place]
            yield {
                "participant_id": row["participant_id"],
                "plan_id": row["plan_id"],
                "payroll_id": row["payroll_id"],
                "pay_date": row["pay_date"].isoformat(),
                "trade_date": row["trade_date"].isoformat(),
                "identity": row["cause"].hex,
                "differences": [{"source": source, "cents": cents} for source, cents in one.cents],
                "codes_then": list(one.codes_then),
                "codes_now": list(one.codes_now),
            }


def _is_refused_anyway(row: Any) -> bool:
    cuts = orjson.loads(row["detail"] or "{}").get("cuts", [])
    return len(row["accounts"]) == 1 and bool(cuts) and all(code in WHATEVER_THE_CENSUS_SAYS for _, _, code in cuts)


def _decided(row: Any, year: int, known: list[Known], plans: Dated, limits: Dated) -> DecidedLine:
    day = row["trade_date"]
    person = next((one.person for one in reversed(known) if one.effective_from <= day), known[0].person)
    of_year: Limits = limits.on(str(year), day) or reviewed_limits()[year]
    return DecidedLine(_line(row), plans.on(row["plan_id"], day), of_year, person)


def _line(row: Any) -> Line:
    """The line as it was sent: what was credited and what was cut, or what the journal says was asked."""
    detail = orjson.loads(row["detail"] or "{}")
    asked: dict[str, int] = dict(detail.get("asked") or ())
    if not asked:
        asked = dict(zip(row["accounts"][:-1], row["amounts"][:-1], strict=True))
        record = msgspec.convert(detail["record"], LineRecord) if "record" in detail else None
        if record is not None and record.match_cents:
            asked[record.match_source] -= record.match_cents
        for source, cents, _ in detail.get("cuts", ()):
            asked[source] = asked.get(source, 0) + cents
    amounts = [(source, cents) for source, cents in asked.items() if cents]
    if any(code == INVALID_AMOUNT for _, _, code in detail.get("cuts", ())):
        amounts = [("", -1)]  # What was negative is not written down; it is refused again, and its pay counts.
    return Line(
        row["plan_id"], row["participant_id"], row["payroll_id"], row["pay_date"], row["compensation"], amounts, [],
        detail.get("employer_money"),
    )  # fmt: skip


async def _main() -> None:
    asked = orjson.loads(sys.stdin.buffer.read())
    connection = await connect("nestwork_contribution")
    try:
        said = await answer(connection, asked.get("plan_id"), asked.get("participant_id"))
    finally:
        await connection.close()
    sys.stdout.write(orjson.dumps(said).decode())


if __name__ == "__main__":
    asyncio.run(_main())
