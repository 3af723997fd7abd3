"""What somebody who left forfeits, and what is restored: `python -m services.contribution.forfeiting` works it out.

The question is a JSON object on standard input: `kind` (forfeit, restore), `plan_id`, `participant_id`; to forfeit
`because` (cash_out, breaks); to restore `forfeited`, the dollars by source that the shares brought, and
`cost_cents`, what of payroll lines they were.
The answer names the cents to be sent. Nothing is written: the engine decides what is sent.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import date
from typing import Any, NamedTuple

import msgspec
import orjson

from services.contribution import store_employer, store_forfeitures
from services.contribution.employer import Unanswerable, answer_once
from services.contribution.rules.forfeiting import (
    Holding,
    may_forfeit,
    may_restore,
    recorded_by_source,
    unvested_by_line,
)
from services.contribution.rules.line import RESTORATION
from services.contribution.rules.participant import Participant
from services.contribution.rules.plan_rules import PlanRules, plan_rules_of
from services.contribution.rules.records import LineRecord
from services.contribution.rules.vesting import vested_percent
from shared.runtime.clients import Connection
from shared.values.trading_days import next_trading_day

_person = msgspec.json.Decoder(Participant).decode
_record = msgspec.json.Decoder(LineRecord).decode


class _Line(NamedTuple):
    """One recorded line: what is left of it, what was forfeited of it since the last restoration, and in all."""

    identity: str
    left: dict[str, int]
    forfeited: dict[str, int]
    forfeited_ever: dict[str, int]
    is_restoration: bool
    is_released: bool


async def answer(connection: Connection, asked: dict[str, Any]) -> dict[str, Any]:
    """Work out the cents. Raises ``Unanswerable``."""
    plan_id, participant = asked["plan_id"], asked["participant_id"]
    plan, person, day = await _facts(connection, plan_id, participant)
    if await connection.fetchval(store_forfeitures.HELD, plan_id, participant):
        raise Unanswerable(f"{participant} has held lines (`nestwork law held`): decide them first")
    lines = await _lines(connection, plan_id, participant)
    if asked["kind"] == "restore":
        if sum(sum(line.forfeited_ever.values()) for line in lines) != asked["cost_cents"]:
            raise Unanswerable(f"what {participant} forfeited is not sold and confirmed yet: close and value the date")
        return _restore(asked["forfeited"], participant, person, day, lines)
    if not may_forfeit(person, day, asked["because"]):
        raise Unanswerable(f"{participant} works on {day}, or has fewer than five one-year breaks and no cash-out")
    waiting = [line.identity for line in lines if not line.is_released]
    if waiting:
        raise Unanswerable(f"{len(waiting)} lines of {participant} wait for their run to trade")
    return _forfeit(plan, person, day, lines)


async def _facts(connection: Connection, plan_id: str, participant: str) -> tuple[PlanRules, Participant, date]:
    body = await connection.fetchval(store_employer.PLAN, plan_id)
    person = await connection.fetchval(store_forfeitures.PERSON, plan_id, participant)
    last = await connection.fetchval(store_forfeitures.LAST_CUT)
    if body is None or person is None or last is None:
        raise Unanswerable(f"{participant} is not known in {plan_id}, or no date was closed yet")
    return plan_rules_of(plan_id, orjson.loads(body)), _person(person), next_trading_day(last)


async def _lines(connection: Connection, plan_id: str, participant: str) -> list[_Line]:
    rows = await connection.fetch(store_forfeitures.LINES, plan_id, participant)
    details = {row["cause"]: orjson.loads(row["detail"] or "{}") for row in rows}
    causes = list(details)
    left = {row["line"]: _record(row["left_of_line"])
            for row in await connection.fetch(store_forfeitures.LEFT_OF, causes)}  # fmt: skip
    restored = [row["entry"] for row in rows if details[row["cause"]].get("employer_money") == RESTORATION]
    since = max(restored, default=0)
    ever: dict[Any, dict[str, int]] = {}
    again: dict[Any, dict[str, int]] = {}
    for row in await connection.fetch(store_forfeitures.FORFEITED, causes):
        for found in (ever, again) if row["entry"] > since else (ever,):
            of_line = found.setdefault(row["line"], {})
            of_line[row["source"]] = of_line.get(row["source"], 0) + row["cents"]
    return [
        _Line(
            row["cause"].hex, _left(row, details[row["cause"]], left.get(row["cause"])), again.get(row["cause"], {}),
            ever.get(row["cause"], {}), details[row["cause"]].get("employer_money") == RESTORATION,
            row["released_for"] is not None,
        )
        for row in rows
    ]  # fmt: skip


def _left(row: Any, detail: dict[str, Any], record: LineRecord | None) -> dict[str, int]:
    if record is None and "record" in detail:
        record = msgspec.convert(detail["record"], LineRecord)
    if record is not None:
        return recorded_by_source(record)
    return dict(zip(row["accounts"][:-1], row["amounts"][:-1], strict=True))


def _forfeit(plan: PlanRules, person: Participant, day: date, lines: list[_Line]) -> dict[str, Any]:
    """By line the cents of each source, and how much of the line was forfeited before: a name that no repeat has."""
    by_line: dict[str, dict[str, int]] = {}
    for source in sorted(plan.vesting.schedules):
        percent = vested_percent(plan.vesting, source, person, day)
        holdings = {line.identity: Holding(line.left.get(source, 0), line.forfeited.get(source, 0)) for line in lines}
        for identity, cents in unvested_by_line(holdings, percent).items():
            by_line.setdefault(identity, {})[source] = cents
    before = {line.identity: sum(line.forfeited_ever.values()) for line in lines}
    found = [{"line": name, "forfeited_before": before[name], "amounts": amounts} for name, amounts in by_line.items()]
    return {"lines": found, "cents": sum(sum(amounts.values()) for amounts in by_line.values())}


def _restore(
    forfeited: dict[str, int], participant: str, person: Participant, day: date, lines: list[_Line]
) -> dict[str, Any]:
    if not may_restore(person, day):
        raise Unanswerable(f"{participant} does not work again on {day} after less than five years away")
    restored: dict[str, int] = {}
    for line in lines:
        for source, cents in line.left.items() if line.is_restoration else ():
            restored[source] = restored.get(source, 0) + cents + line.forfeited_ever.get(source, 0)
    shares = {source: cents - restored.get(source, 0) for source, cents in forfeited.items()}
    shares = {source: cents for source, cents in shares.items() if cents > 0}
    return {"shares": shares, "cents": sum(shares.values()), "restored_before": sum(restored.values())}


if __name__ == "__main__":
    sys.exit(asyncio.run(answer_once(answer)))
