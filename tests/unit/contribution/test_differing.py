"""What a corrected census fact would change, line by line, without touching anything."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import orjson
from asyncpg.pgproto.pgproto import UUID

from services.contribution.differing import Dated, Known, _differing
from services.contribution.rules.differing import DecidedLine, Difference, differences
from services.contribution.rules.intake import Line
from services.contribution.rules.participant import Opening, Participant
from services.contribution.rules.plan_rules import PlanRules, plan_rules_of
from tests.unit.contribution.builders import BASIC_MATCH, a_line, a_participant, a_plan, limits_2026


def decided(person: Participant, *lines: Line, plan: PlanRules | None = None) -> list[DecidedLine]:
    return [DecidedLine(line, plan or a_plan(), limits_2026(), person) for line in lines]


def test_nothing_differs_when_nothing_was_corrected() -> None:
    person = a_participant(born=date(1970, 1, 1), opening=Opening(2026, regular_cents=2_440_000))
    lines = decided(person, a_line(("pre_tax", "500.00")), a_line(("roth", "9000.00")))
    assert differences(lines, person, 2026) == []


def test_an_earlier_birth_accepts_what_was_cut_and_moves_what_came_after() -> None:
    young = a_participant(opening=Opening(2026, regular_cents=2_440_000))
    older = msgspec.structs.replace(young, birth_date=date(1976, 12, 31))
    lines = decided(young, a_line(("pre_tax", "300.00")), a_line(("pre_tax", "8000.00")))
    assert differences(lines, older, 2026) == [
        Difference(0, (("pre_tax", 20_000),), ("LIMIT_402G",), ()),
        Difference(1, (("pre_tax", 780_000),), ("LIMIT_402G",), ("LIMIT_CATCH_UP",)),
    ]


def test_wages_count_for_the_year_they_were_told_in_only() -> None:
    person = a_participant(born=date(1970, 1, 1), opening=Opening(2026, regular_cents=2_450_000))
    rich = msgspec.structs.replace(person, prior_year_wages_cents=15_000_001)
    lines = decided(person, a_line(("pre_tax", "100.00")))
    assert differences(lines, rich, 2026) == [Difference(0, (("pre_tax", -10_000), ("roth", 10_000)), (), ())]
    assert differences(lines, rich, 2027) == []


def test_the_match_differs_with_its_deferral() -> None:
    plan = a_plan(match=BASIC_MATCH)
    person = a_participant(opening=Opening(2026, regular_cents=2_450_000))
    older = msgspec.structs.replace(person, birth_date=date(1970, 1, 1))
    lines = decided(person, a_line(("pre_tax", "100.00"), compensation="5000.00"), plan=plan)
    ((_, cents, _, _),) = differences(lines, older, 2026)
    assert cents == (("match", 10_000), ("pre_tax", 10_000))


def row(entry: int, pay: int, source: str, cents: int, code: str) -> dict[str, Any]:
    """The journal's row of a line that was refused whole."""
    return {
        "participant_id": "P1", "plan_id": "ACME", "trade_date": date(2026, 11, 20), "entry": entry,
        "cause": UUID(bytes([entry]) * 16), "payroll_id": "R1", "pay_date": date(2026, 11, 20), "compensation": pay,
        "accounts": ["receivable"], "amounts": [0],
        "detail": orjson.dumps({"cuts": [[source, cents, code]]}).decode(),
    }  # fmt: skip


def test_the_pay_of_a_line_with_a_negative_amount_counts_in_what_would_be() -> None:
    young = a_participant(opening=Opening(2026, regular_cents=2_450_000))
    older = msgspec.structs.replace(young, birth_date=date(1970, 1, 1))
    fact = {"plan_id": "ACME", "sources": ["pre_tax", "match"], "match": BASIC_MATCH}
    plans = Dated(
        [{"key": "ACME", "effective_from": date(2026, 1, 1), "body": orjson.dumps(fact)}],
        lambda body: plan_rules_of("ACME", body),
    )
    rows = [row(1, 35_000_000, "pre_tax", 0, "INVALID_AMOUNT"), row(2, 4_000_000, "pre_tax", 200_000, "LIMIT_402G")]
    known = [Known(date(2026, 11, 19), date(2026, 11, 19), young), Known(date(2026, 11, 21), date(2026, 11, 20), older)]
    (found,) = _differing(rows, known, plans, Dated([], dict))
    # Of the pay 10,000.00 is left under 360,000.00: the match is all of 300.00 and half of 200.00.
    assert found["differences"] == [{"source": "match", "cents": 40_000}, {"source": "pre_tax", "cents": 200_000}]
