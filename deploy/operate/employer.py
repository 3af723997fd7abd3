"""The employer's money of a whole year: ask the contribution service's rules for the shares, send them as lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from deploy.operate.asking import ask
from deploy.operate.partitions import places_of
from deploy.operate.target import OperatorError
from shared.events.envelope import event_headers
from shared.events.payroll import Contribution
from shared.events.topics import PAYROLL_CONTRIBUTIONS
from shared.runtime.clients import kafka_producer
from shared.runtime.settings import Settings
from shared.values.hashing import murmur2

PROGRAM = "services.contribution.employer"


@dataclass(frozen=True, slots=True)
class EmployerMoney:
    """What was worked out, and sent unless it was only asked for. Unit: cents."""

    kind: str
    plan_id: str
    payroll_id: str
    source: str
    shares: Mapping[str, int]
    cents: int
    drift_cents: int
    sent: bool

    def as_json(self) -> dict[str, Any]:
        """As the command prints it."""
        names = ("kind", "plan_id", "payroll_id", "source", "cents", "drift_cents", "sent")
        return {**{name: getattr(self, name) for name in names}, "shares": dict(self.shares)}


async def give(
    config: Settings, asked: Mapping[str, Any], payroll_id: str, pay_date: date, *, dry_run: bool = False,
    again: bool = False,
) -> EmployerMoney:  # fmt: skip
    """Work out what is ``asked`` (kind, plan_id, year …) and send one line per participant under ``payroll_id``.

    The ids of the lines are made of the payroll and the participant, so the same payroll sent twice gives nothing
    twice; its cash comes as for every run. With ``again`` they are made of what was paid before, too: the same payroll
    may give what is missing later, and still gives nothing twice. Raises ``OperatorError`` when the question cannot be
    answered.
    """
    said = await ask(config, PROGRAM, asked)
    money = EmployerMoney(
        asked["kind"], asked["plan_id"], payroll_id, said["source"], said["shares"], said["cents"],
        said["drift_cents"], not dry_run,
    )  # fmt: skip
    if not dry_run:
        names = {
            who: f"{payroll_id}:{who}:{said['paid'][who]}" if again else f"{payroll_id}:{who}" for who in money.shares
        }
        await _send(config, money, pay_date, names)
    return money


async def true_up_all(config: Settings, year: int | None, *, dry_run: bool = False) -> list[dict[str, Any]]:
    """Give the true-ups of every plan with an annual match, a run per plan: what a job does, as often as it likes.

    ``year``: left out, the year before the last date that was cut. A year is over when a date after it was cut; before,
    nobody is trued up. What one plan cannot answer does not stop the others. Raises ``OperatorError``.
    """
    said = await ask(config, PROGRAM, {"kind": "annual_plans"})
    last = date.fromisoformat(said["last_cut"] or "0001-01-01")
    of_year = last.year - 1 if year is None else year
    if of_year >= last.year:
        raise OperatorError(f"{of_year} is not over: the last date that was cut is {said['last_cut']}")
    return [await _true_up(config, plan_id, of_year, dry_run=dry_run) for plan_id in said["plans"]]


async def _true_up(config: Settings, plan_id: str, year: int, *, dry_run: bool) -> dict[str, Any]:
    asked = {"kind": "true_up", "plan_id": plan_id, "year": year}
    try:
        money = await give(config, asked, f"true-up-{year}-{plan_id}", date(year, 12, 31), dry_run=dry_run, again=True)
    except OperatorError as problem:
        return {"plan_id": plan_id, "year": year, "ok": False, "error": str(problem)}
    return {"year": year, "ok": True, **money.as_json()}


async def _send(config: Settings, money: EmployerMoney, pay_date: date, names: Mapping[str, str]) -> None:
    partitions = len(await places_of(config, PAYROLL_CONTRIBUTIONS.name))
    source = f"/nestwork/employer/{money.plan_id}"
    producer = kafka_producer(config)
    await producer.start()
    try:
        waiting = []
        for participant, cents in sorted(money.shares.items()):
            body = {
                "plan_id": money.plan_id, "participant_id": participant, "payroll_id": money.payroll_id,
                "pay_date": pay_date.isoformat(), "compensation_cents": 0, "employer_money": money.kind,
                "amounts": [{"source": money.source, "cents": cents}],
            }  # fmt: skip
            headers = event_headers(names[participant], source, Contribution.ce_type)
            key = participant.encode()
            waiting.append(
                await producer.send(
                    PAYROLL_CONTRIBUTIONS.name, orjson.dumps(body), key=key, partition=murmur2(key) % partitions,
                    headers=headers,
                )
            )  # fmt: skip
        for one in waiting:
            await one
    finally:
        await producer.stop()
