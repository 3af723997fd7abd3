"""A small payday and the answers an engine that does everything right would give."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from deploy.demo import judge
from deploy.demo.result import Balances, Check, DayResult, Journey, Latency, Options, Result
from deploy.demo.watch import Receipt, Seen
from deploy.population.faults import Submission
from deploy.population.payday import Payday, Payroll
from deploy.population.people import draw_people
from deploy.population.plans import draw_plans

FRIDAY, MONDAY = date(2026, 11, 20), date(2026, 11, 23)


def payday(day: date = FRIDAY) -> Payday:
    """One hundred and fifty lines, two of each fault."""
    return Payroll(draw_people(draw_plans(150, 6, 7), 7, 2), 7, "/test").payday(day)


def receipt(status: str = "accepted", accepted: int = 0, rejected: int = 0, *codes: str, stamp_ms: int = 0) -> Receipt:
    """A receipt that credits what it accepts."""
    return Receipt(status, accepted, rejected, accepted, codes, frozenset(codes), stamp_ms)


def right_answer(one: Submission, stamp_ms: int = 0) -> Receipt:
    """The final receipt a submission must get."""
    must = one.expected
    return receipt(must.status, must.accepted_cents, must.rejected_cents, *sorted(must.codes), stamp_ms=stamp_ms)


def answered(sent: Payday) -> Seen:
    """Everything answered as it must be."""
    seen = Seen()
    for number, one in enumerate(sent.submissions):
        if one.expected.answered:
            seen.finals[one.sent.ce_id] = right_answer(one, 1_000 + number)
        if one.expected.second is not None:
            status, codes = one.expected.second
            seen.seconds[one.sent.ce_id] = receipt(status, 0, 0, *codes)
        if one.expected.dead_letter:
            seen.dead_letters[one.sent.key, one.expected.dead_letter] += 1
    return seen


def of_kind(sent: Payday, kind: str) -> Submission:
    """The first line of a kind."""
    return next(one for one in sent.submissions if one.kind == kind)


def order(order_id: str, cents: int, day: date = FRIDAY) -> dict[str, Any]:
    """A buy order."""
    return {"order_id": order_id, "trade_date": day.isoformat(), "cents": cents}


def day_result(day: date = FRIDAY) -> DayResult:
    """A date on which everything went well."""
    sent = payday(day)
    seen = answered(sent)
    equation = {"left": 1_234_567, "right": 1_234_567, "ok": True}
    found = DayResult(day, "as fast as it goes", 6, 150, 154, sent.requested_cents)
    return replace(
        found,
        kinds=judge.outcomes(sent, seen),
        receipts=judge.receipts_of(sent, seen)[0],
        codes=judge.receipts_of(sent, seen)[1],
        orders={"total": 3, "confirmed": 2, "pending": 1},
        custodian={"confirmed": 2, "pending": 1},
        proof={"split = instructed cents": equation},
        status="proven",
        latency=Latency(12.0, 80.5, 91.0),
        seconds={"payroll to last receipt": 1.5},
        sent_at=[(100.0, 0), (100.5, 150)],
        receipt_stamps_ms=[100_100, 100_700],
        balances=Balances(2, 300, 290, [100, 200], {"US-BOND": ("1.234", 300)}),
    )


def result() -> Result:
    """A whole run that went well."""
    return Result(
        Options(150, 6, 7),
        days=[day_result(FRIDAY), day_result(MONDAY)],
        checks=[Check("2026-11-20: figures <agree>", "1", "1", True)],
        plan_sizes=[100, 50],
        elections={"one target-date fund": 90},
        prices=[{"US-BOND": "37.86"}, {"US-BOND": "37.96"}],
        seconds={"whole run": 42.0},
        journey=Journey("P-1", "PLAN-0001", [], [], {"balance_cents": 12_345}),
    )
