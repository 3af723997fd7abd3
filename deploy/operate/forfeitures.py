"""Forfeitures of those who left, and their restoration: ask the services for the cents, send the events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from deploy.operate.asking import ask
from deploy.operate.partitions import places_of
from shared.events.envelope import event_headers
from shared.events.payroll import Contribution, Forfeiture
from shared.events.topics import PAYROLL_CONTRIBUTIONS
from shared.runtime.clients import kafka_producer
from shared.runtime.settings import Settings
from shared.values.hashing import murmur2

LAW = "services.contribution.forfeiting"
ACCOUNT = "services.trading.forfeitures"
REASONS = {"cash_out": "the vested balance was paid out", "breaks": "five one-year breaks in service"}


@dataclass(frozen=True, slots=True)
class Given:
    """What was worked out, and sent unless it was only asked for. Unit: cents."""

    kind: str
    plan_id: str
    participant_id: str
    payroll_id: str
    cents: int
    by_source: Mapping[str, int]
    requests: tuple[str, ...]
    """The ce_ids of what was sent: each gets a receipt."""
    sent: bool

    def as_json(self) -> dict[str, Any]:
        """As the command prints it."""
        names = ("kind", "plan_id", "participant_id", "payroll_id", "cents", "sent")
        shown = {name: getattr(self, name) for name in names}
        return shown | {"by_source": dict(self.by_source), "requests": list(self.requests)}


async def forfeit(
    config: Settings, plan_id: str, participant: str, because: str, payroll_id: str, *, dry_run: bool = False
) -> Given:
    """Take the unvested part of all that a participant has, line by line. Raises ``OperatorError``.

    The ids of the events are made of the line and of what it gave before: sent again they are the same request, and
    asked again after they were booked there is nothing left to send.
    """
    asked = {"kind": "forfeit", "plan_id": plan_id, "participant_id": participant, "because": because}
    said = await ask(config, LAW, asked)
    by_source: dict[str, int] = {}
    events: dict[str, dict[str, Any]] = {}
    for one in said["lines"]:
        for source, cents in one["amounts"].items():
            by_source[source] = by_source.get(source, 0) + cents
        events[f"forfeiture:{one['line']}:{one['forfeited_before']}"] = {
            "plan_id": plan_id, "participant_id": participant, "payroll_id": payroll_id, "line": one["line"],
            "amounts": [{"source": source, "cents": cents} for source, cents in sorted(one["amounts"].items())],
            "because": because, "reason": REASONS[because],
        }  # fmt: skip
    if not dry_run:
        await _send(config, plan_id, participant, Forfeiture.ce_type, events.items())
    return Given("forfeiture", plan_id, participant, payroll_id, said["cents"], by_source, tuple(events), not dry_run)


async def restore(
    config: Settings, plan_id: str, participant: str, payroll_id: str, pay_date: date, *, dry_run: bool = False
) -> Given:
    """Give back, in the same cents, what a participant forfeited who works again. Raises ``OperatorError``.

    It is a payroll line of the employer's: its cash comes by ``payroll_id`` as for every run.
    """
    who = {"plan_id": plan_id, "participant_id": participant}
    account = await ask(config, ACCOUNT, who)
    asked = {"forfeited": account["cents"], "cost_cents": account["cost_cents"]}
    said = await ask(config, LAW, {"kind": "restore", **asked, **who})
    shares: dict[str, int] = said["shares"]
    events: dict[str, dict[str, Any]] = {}
    if shares:
        events[f"restoration:{plan_id}:{participant}:{said['restored_before']}"] = {
            **who, "payroll_id": payroll_id, "pay_date": pay_date.isoformat(), "compensation_cents": 0,
            "employer_money": "restoration",
            "amounts": [{"source": source, "cents": cents} for source, cents in sorted(shares.items())],
        }  # fmt: skip
    if not dry_run:
        await _send(config, plan_id, participant, Contribution.ce_type, events.items())
    return Given("restoration", plan_id, participant, payroll_id, said["cents"], shares, tuple(events), not dry_run)


async def _send(
    config: Settings, plan_id: str, participant: str, ce_type: str, events: Iterable[tuple[str, dict[str, Any]]]
) -> None:
    partitions, key = len(await places_of(config, PAYROLL_CONTRIBUTIONS.name)), participant.encode()
    producer = kafka_producer(config)
    await producer.start()
    try:
        for ce_id, body in events:
            headers = event_headers(ce_id, f"/nestwork/employer/{plan_id}", ce_type)
            await producer.send_and_wait(
                PAYROLL_CONTRIBUTIONS.name, orjson.dumps(body), key=key, partition=murmur2(key) % partitions,
                headers=headers,
            )  # fmt: skip
    finally:
        await producer.stop()
