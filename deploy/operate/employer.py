"""The employer's money of a whole year: ask the contribution service's rules for the shares, send them as lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from deploy.operate.asking import ask
from deploy.operate.partitions import places_of
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
    config: Settings, asked: Mapping[str, Any], payroll_id: str, pay_date: date, *, dry_run: bool = False
) -> EmployerMoney:
    """Work out what is ``asked`` (kind, plan_id, year …) and send one line per participant under ``payroll_id``.

    The ids of the lines are made of the payroll and the participant, so the same payroll sent twice gives nothing
    twice; its cash comes as for every run. Raises ``OperatorError`` when the question cannot be answered.
    """
    said = await ask(config, PROGRAM, asked)
    money = EmployerMoney(
        asked["kind"], asked["plan_id"], payroll_id, said["source"], said["shares"], said["cents"],
        said["drift_cents"], not dry_run,
    )  # fmt: skip
    if not dry_run:
        await _send(config, money, pay_date)
    return money


async def _send(config: Settings, money: EmployerMoney, pay_date: date) -> None:
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
            headers = event_headers(f"{money.payroll_id}:{participant}", source, Contribution.ce_type)
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
