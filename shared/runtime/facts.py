"""Storing facts: a control topic's records and its position, in one transaction, idempotent by natural key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from shared.runtime import metrics
from shared.runtime.clients import Connection
from shared.runtime.definition import FactTopic
from shared.runtime.errors import Fenced, PoisonMessage
from shared.runtime.factcache import FactProgress
from shared.runtime.logs import get_logger
from shared.runtime.outbox import milliseconds
from shared.runtime.records import (
    DAY_CUT,
    MARKERS,
    VALUE_CUT,
    Record,
    date_by_stamp,
    headers_as_json,
    short_detail,
    unknown_type_code,
    who_sent,
)
from shared.runtime.signing import SIGNATURE_HEADER, is_signed
from shared.values.trading_days import GENESIS, day_after, next_trading_day

log = get_logger(__name__)
CONTROL_LANE = -1

INSERT_TOPICS = "INSERT INTO fact_topics (topic) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
CLAIM_TOPICS = """
UPDATE fact_topics SET incarnation = incarnation + 1, generation = $2 WHERE topic = ANY($1::text[])
RETURNING topic, incarnation, next_offset"""
LOCK_TOPIC = """
SELECT incarnation, next_offset, version, first_cut, last_cut, first_value_cut, last_value_cut, recorded_at
FROM fact_topics WHERE topic = $1 FOR UPDATE"""
MOVE_TOPIC = """
UPDATE fact_topics SET next_offset = $2, version = $3, first_cut = $4, last_cut = $5, first_value_cut = $6,
  last_value_cut = $7, recorded_at = $8 WHERE topic = $1"""
SELECT_NEWEST = """
SELECT DISTINCT ON (key) key, body FROM facts WHERE topic = $1 AND key = ANY($2::text[]) ORDER BY key, version DESC"""
INSERT_FACTS = """
INSERT INTO facts (topic, key, version, received_for, effective_from, recorded_at, cause, body)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::date[], $5::date[], $6::timestamptz[], $7::text[],
                     $8::jsonb[])"""
INSERT_LETTER = """
INSERT INTO dead_letters (lane, topic, partition, record_offset, code, detail, trade_date, recorded_at, key, value,
                          headers)
VALUES (-1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (topic, partition, record_offset) DO NOTHING"""
NOTIFY = "SELECT pg_notify('nestwork', '')"


@dataclass(frozen=True, slots=True)
class FactRecord:
    """One checked fact with its place in time."""

    topic: str
    offset: int
    key: str
    ce_type: str
    cause: str
    received_for: date
    recorded_at: datetime
    body: Any
    """The pydantic model."""
    version: int


class FactStore:
    """Stores the records of one control topic for the worker that holds it."""

    def __init__(self, fact: FactTopic, marker_secret: bytes, *, market_mode: bool = False) -> None:
        self.fact, self.secret, self.market_mode = fact, marker_secret, market_mode
        self.name = fact.topic.name
        self.incarnation = -1

    async def store(self, connection: Connection, records: Sequence[Record]) -> int:
        """Store what is new of ``records`` and move the position; returns the next offset. Raises ``Fenced``."""
        async with connection.transaction():
            row = await connection.fetchrow(LOCK_TOPIC, self.name)
            if row["incarnation"] != self.incarnation:
                raise Fenced(f"{self.name} is read by another worker now")
            fresh = not_repeated(records, row["next_offset"])
            if not fresh:
                return int(row["next_offset"])
            progress = FactProgress(*list(row)[2:7])
            facts = await self._sort_out(connection, progress, fresh)
            await self._keep(connection, facts, {record.offset: record for record in fresh})
            next_offset = fresh[-1].offset + 1
            recorded_at = max(row["recorded_at"].replace(tzinfo=fresh[-1].recorded_at.tzinfo), fresh[-1].recorded_at)
            await connection.execute(
                MOVE_TOPIC, self.name, next_offset, progress.version, progress.first_cut, progress.last_cut,
                progress.first_value_cut, progress.last_value_cut, recorded_at,
            )  # fmt: skip
            await connection.execute(NOTIFY)
        metrics.FACTS_STORED.labels(topic=self.name).inc(len(facts))
        return next_offset

    async def _sort_out(
        self, connection: Connection, progress: FactProgress, records: Sequence[Record]
    ) -> list[FactRecord]:
        facts: list[FactRecord] = []
        for record in records:
            last = progress.last_value_cut if self.fact.by_value_cut else progress.last_cut
            record.trade_date = GENESIS if last is None else next_trading_day(last)
            if self.market_mode:
                stamped = date_by_stamp(self.name, milliseconds(record.recorded_at))
                record.trade_date = max(record.trade_date, stamped)
            try:
                if record.ce_type in MARKERS:
                    self._meet(progress, record)
                else:
                    facts.append(self._checked(record, progress.version + len(facts) + 1))
            except PoisonMessage as poison:
                await self._dead_letter(connection, record, poison)
        progress.version += len(facts)
        return facts

    def _meet(self, progress: FactProgress, record: Record) -> None:
        """Move the topic's cuts; the first marker of a date counts."""
        try:
            text = orjson.loads(record.value or b"")["trade_date"]
            trade_date = date.fromisoformat(text)
        except (ValueError, KeyError, TypeError):
            raise PoisonMessage("WRONG_SHAPE", "a marker names a trade_date") from None
        signature = record.headers.get(SIGNATURE_HEADER, b"")
        if not is_signed(self.secret, signature, record.ce_type, text, record.topic, record.partition):
            raise PoisonMessage("UNSIGNED_MARKER", "a cut marker without the engine's signature")
        if record.ce_type == DAY_CUT and (progress.last_cut is None or trade_date > progress.last_cut):
            progress.first_cut = progress.first_cut or trade_date
            progress.last_cut = trade_date
        if record.ce_type == VALUE_CUT and (progress.last_value_cut is None or trade_date > progress.last_value_cut):
            progress.first_value_cut = progress.first_value_cut or trade_date
            progress.last_value_cut = trade_date

    def _checked(self, record: Record, version: int) -> FactRecord:
        model = self.fact.models.get(record.ce_type)
        if model is None:
            code = unknown_type_code(record.ce_type, list(self.fact.models))
            raise PoisonMessage(code, record.ce_type or "no ce_type header")
        key, ce_id, ce_source = who_sent(record)
        body = parse_body(model, record)
        if self.fact.validate is not None:
            try:
                self.fact.validate(body)
            except ValueError as senseless:
                raise PoisonMessage("WRONG_SHAPE", str(senseless)) from None
        if key != self.fact.key(body):
            raise PoisonMessage("KEY_MISMATCH", f"this record is keyed {self.fact.topic.key}")
        return FactRecord(
            self.name, record.offset, key, record.ce_type, f"{ce_source}/{ce_id}", record.trade_date,
            record.recorded_at, body, version,
        )  # fmt: skip

    async def _dead_letter(self, connection: Connection, record: Record, poison: PoisonMessage) -> None:
        await connection.execute(
            INSERT_LETTER, record.topic, record.partition, record.offset, poison.code, short_detail(poison.detail),
            record.trade_date, record.recorded_at, record.key, record.original_value, headers_as_json(record),
        )  # fmt: skip
        metrics.DEAD_LETTERS.labels(code=poison.code).inc()

    async def _keep(self, connection: Connection, facts: list[FactRecord], records: dict[int, Record]) -> None:
        """Store what is new; a fact that contradicts the first one of its key is a dead letter."""
        if not facts:
            return
        store = self.fact.store or self._store_generic
        for fact, code in await store(connection, facts) or ():
            log.error("fact_refused", topic=self.name, key=fact.key, code=code)
            await self._dead_letter(connection, records[fact.offset], PoisonMessage(code, fact.key))

    async def _store_generic(self, connection: Connection, facts: list[FactRecord]) -> list[tuple[FactRecord, str]]:
        newest = {
            row["key"]: orjson.loads(row["body"])
            for row in await connection.fetch(SELECT_NEWEST, self.name, [fact.key for fact in facts])
        }
        rows, refused = [], []
        for fact in facts:
            body = fact.body.model_dump(mode="json")
            known = newest.get(fact.key)
            if body == known:
                continue
            refusal = self.fact.check(known, fact.body) if self.fact.check else None
            if refusal is not None:
                refused.append((fact, refusal))
                continue
            effective = fact.received_for if known is None else day_after(fact.received_for)
            newest[fact.key] = body
            rows.append(
                (self.name, fact.key, fact.version, fact.received_for, effective, fact.recorded_at, fact.cause,
                 orjson.dumps(body).decode())
            )  # fmt: skip
        if rows:
            await connection.execute(INSERT_FACTS, *map(list, zip(*rows, strict=True)))
        return refused


def not_repeated(records: Sequence[Record], next_offset: int) -> list[Record]:
    """The records from ``next_offset`` on, each once: a batch may hold what came before a new claim and again after."""
    fresh: list[Record] = []
    for record in records:
        if record.offset >= next_offset:
            fresh.append(record)
            next_offset = record.offset + 1
    return fresh


def scale_is_kept(known: dict[str, Any] | None, fund: Any) -> str | None:
    """A fund's share decimals can't change: every share in the books is counted in them."""
    return "SHARE_SCALE_CHANGED" if known is not None and known["share_decimals"] != fund.share_decimals else None


def parse_body(model: Any, record: Record) -> BaseModel:
    """The record's body as its pydantic model; the code says what kind of break it is."""
    try:
        data = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError as broken:
        raise PoisonMessage("NOT_JSON", str(broken)) from None
    try:
        parsed: BaseModel = model.model_validate(data)
    except ValidationError as broken:
        first = broken.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        code = "INVALID_PRICE" if where == "price" else "WRONG_SHAPE"
        raise PoisonMessage(code, f"{where}: {first['msg']}") from None
    return parsed
