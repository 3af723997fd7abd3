"""What the employer owes for a year: `python -m services.contribution.employer` reads a question, prints the shares.

The question is a JSON object on standard input: `kind` (true_up, nonelective, discretionary), `plan_id`, `year`, and
as the kind needs it `source`, `percent`, `cents`, `method`. The answer, on standard output, names the cents of each
participant, and what he was paid before. Nothing is written: the shares are sent as payroll lines, and the rules decide
those like all others. The kind annual_plans asks for the plans with an annual match, and the last date that was cut.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import orjson

from services.contribution import store_employer
from services.contribution.rules import employer_money
from services.contribution.rules.eligibility import NOT_ELIGIBLE, refusal
from services.contribution.rules.employer_money import YearOfWork, year_of_work
from services.contribution.rules.limits import Limits, limits_of_fact, reviewed_limits
from services.contribution.rules.match import ANNUAL
from services.contribution.rules.participant import Participant
from services.contribution.rules.plan_rules import PlanRules, plan_rules_of
from services.contribution.rules.records import YearToDate, year_to_date_at_start
from services.contribution.rules.sources import EMPLOYER
from shared.runtime.clients import Connection, connect

_person = msgspec.json.Decoder(Participant).decode


class Unanswerable(Exception):
    """The question makes no sense for this plan and year, or cannot be answered yet; the text says why."""


async def answer(connection: Connection, asked: dict[str, Any]) -> dict[str, Any]:
    """Work out the shares. Raises ``Unanswerable``, ``ValueError``."""
    if asked["kind"] == "annual_plans":
        last: date | None = await connection.fetchval(store_employer.LAST_CUT)
        plans = [row["key"] for row in await connection.fetch(store_employer.ANNUAL_PLANS)]
        return {"plans": plans, "last_cut": None if last is None else last.isoformat()}
    plan_id, year = asked["plan_id"], asked["year"]
    plan = await _plan(connection, plan_id)
    limits = plan.limits(await _limits(connection, year))
    held = await connection.fetchval(store_employer.HELD, plan_id, year)
    if held:
        raise Unanswerable(
            f"{held} lines of {plan_id} for {year} are held (`nestwork law held`): the year is not settled"
        )
    source = _source(plan, asked)
    years = await _years(connection, plan, limits, source)
    drift = 0
    if asked["kind"] == "true_up":
        if plan.match is None or plan.match.period != ANNUAL:
            raise Unanswerable(f"{plan_id} has no annual match")
        shares, drift = employer_money.true_ups(plan.match, years)
    elif asked["kind"] == "nonelective":
        shares = employer_money.nonelective(*_percent(asked["percent"]), years)
    else:
        shares = employer_money.discretionary(asked["cents"], asked["method"], years)
    paid = {name: years[name].paid for name in shares}
    return {"source": source, "shares": shares, "cents": sum(shares.values()), "drift_cents": drift, "paid": paid}


def _source(plan: PlanRules, asked: dict[str, Any]) -> str:
    matched = None if plan.match is None else plan.match.source
    source: str = matched or "match" if asked["kind"] == "true_up" else asked["source"]
    if source not in plan.sources or source not in EMPLOYER:
        raise Unanswerable(f"{plan.plan_id} takes no employer money as {source}")
    return source


async def _plan(connection: Connection, plan_id: str) -> PlanRules:
    body = await connection.fetchval(store_employer.PLAN, plan_id)
    if body is None:
        raise Unanswerable(f"the plan {plan_id} is not known")
    return plan_rules_of(plan_id, orjson.loads(body))


async def _limits(connection: Connection, year: int) -> Limits:
    body = await connection.fetchval(store_employer.LIMITS, str(year))
    limits = limits_of_fact(orjson.loads(body)) if body else reviewed_limits().get(year)
    if limits is None:
        raise Unanswerable(f"no limits are loaded for {year}")
    return limits


async def _years(connection: Connection, plan: PlanRules, limits: Limits, source: str) -> dict[str, YearOfWork]:
    """Everybody with pay in the year who was let into the plan by its end."""
    people = {row["participant_id"]: _person(row["person"]) for row in
              await connection.fetch(store_employer.PEOPLE, plan.plan_id)}  # fmt: skip
    paid = {row["participant_id"]: row["cents"] for row in
            await connection.fetch(store_employer.PAID, plan.plan_id, limits.year, source)}  # fmt: skip
    years = {}
    for row in await connection.fetch(store_employer.YEARS, plan.plan_id, limits.year):
        name, *sums = row
        person = people[name]
        if refusal(plan.eligibility, plan.post_severance_days, person, date(limits.year, 12, 31)) == NOT_ELIGIBLE:
            continue
        opening = year_to_date_at_start(person, limits.year)
        years[name] = year_of_work(YearToDate(*sums), opening, limits.compensation_cents, paid.get(name, 0))
    return years


def _percent(text: str) -> tuple[int, int]:
    """ "3" as (3, 100), "3.5" as (35, 1000)."""
    try:
        percent = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a percent") from None
    if not percent.is_finite() or not 0 < percent <= 100:
        raise ValueError("the percent lies between 0 and 100")
    ratio = percent.as_integer_ratio()
    return ratio[0], ratio[1] * 100


async def answer_once(work_out: Callable[[Connection, dict[str, Any]], Awaitable[dict[str, Any]]]) -> int:
    """Answer the question on standard input from the books on standard output, as JSON; returns the exit code."""
    connection = await connect("nestwork_contribution")
    try:
        # Lines are being decided meanwhile: what is added up must be of one moment.
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            said = await work_out(connection, orjson.loads(sys.stdin.buffer.read()))
    except (Unanswerable, ValueError) as problem:
        sys.stdout.write(orjson.dumps({"error": str(problem)}).decode())
        return 1
    finally:
        await connection.close()
    sys.stdout.write(orjson.dumps(said).decode())
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(answer_once(answer)))
