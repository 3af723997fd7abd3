"""Payroll lines that are held: what each waits for, and an operator's word on those that look sent twice."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from deploy.operate import store_held
from deploy.operate.partitions import places_of
from deploy.operate.target import OperatorError
from shared.events.envelope import event_headers
from shared.events.payroll import RepeatResolved
from shared.events.topics import PAYROLL_CONTRIBUTIONS
from shared.runtime.clients import connect, kafka_producer
from shared.runtime.settings import Settings
from shared.values.hashing import murmur2
from shared.values.identity import derived_id

DATABASE = "nestwork_contribution"
REPEATED = "DUPLICATE_PAYROLL_LINE"
SOURCE = "/nestwork/operator"
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class HeldLine:
    """One held line; ``cents`` is what it asks for."""

    lane: int
    entry: int
    ce_id: str
    ce_source: str
    code: str
    plan_id: str
    participant_id: str
    payroll_id: str
    cents: int
    trade_date: str
    recorded_at: str

    def as_json(self) -> dict[str, Any]:
        """As the command prints it."""
        shown = ("ce_id", "ce_source", "code", "plan_id", "participant_id", "payroll_id", "cents", "trade_date")
        return {name: getattr(self, name) for name in (*shown, "recorded_at")}


async def held_lines(config: Settings, code: str | None = None) -> list[HeldLine]:
    """The lines that are held now, oldest first; with ``code`` only those that wait for that."""
    connection = await connect(DATABASE, config)
    try:
        rows = await connection.fetch(store_held.HELD)
    finally:
        await connection.close()
    return [_held(row) for row in rows if code in (None, row["code"])]


def _held(row: Any) -> HeldLine:
    item = msgspec.msgpack.decode(row["item"])
    return HeldLine(
        row["lane"], row["entry"], item["ce_id"], item["ce_source"], row["code"], row["plan_id"],
        row["participant_id"], row["payroll_id"], row["requested"], row["trade_date"].isoformat(),
        row["recorded_at"].isoformat(),
    )  # fmt: skip


async def resolve(
    config: Settings, ce_id: str, action: str, reason: str, *, source: str | None = None, seconds: float = 60.0
) -> HeldLine:
    """Book or withdraw the held repeat with this id, and wait until the engine has done it.

    Raises ``OperatorError`` when no such line is held as a repeat, when several sources sent one of that id, or when
    the engine does not answer in time.
    """
    found = [line for line in await held_lines(config, REPEATED) if line.ce_id == ce_id]
    found = [line for line in found if source in (None, line.ce_source)]
    if len(found) != 1:
        sources = ", ".join(line.ce_source for line in found)
        raise OperatorError(f"several lines have that id; name one of {sources}" if found else f"{ce_id} is not held")
    line = found[0]
    await _say(config, line, action, reason)
    if not await _is_done(config, line, seconds):
        raise OperatorError(f"asked for, but {ce_id} is still held; `nestwork law held` shows what it waits for")
    return line


async def _say(config: Settings, line: HeldLine, action: str, reason: str) -> None:
    body = {
        "plan_id": line.plan_id, "participant_id": line.participant_id, "payroll_id": line.payroll_id,
        "resolves": line.ce_id, "line_source": line.ce_source, "action": action, "reason": reason,
    }  # fmt: skip
    RepeatResolved.model_validate(body)
    key = line.participant_id.encode()
    partition = murmur2(key) % len(await places_of(config, PAYROLL_CONTRIBUTIONS.name))
    # Named by the line and the word: asking twice for the same is one request, changing one's mind is another.
    ce_id = derived_id("resolve", line.participant_id, line.ce_source, line.ce_id, action)
    producer = kafka_producer(config)
    await producer.start()
    try:
        await producer.send_and_wait(
            PAYROLL_CONTRIBUTIONS.name, value=orjson.dumps(body), key=key, partition=partition,
            headers=event_headers(ce_id, SOURCE, RepeatResolved.ce_type),
        )  # fmt: skip
    finally:
        await producer.stop()


async def _is_done(config: Settings, line: HeldLine, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    connection = await connect(DATABASE, config)
    try:
        while await connection.fetchval(store_held.IS_HELD, line.lane, line.entry):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True
    finally:
        await connection.close()
