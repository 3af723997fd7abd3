"""Load, decide, save, say: released lines become instructed trades; elections become history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

import msgspec
import orjson
from asyncpg.pgproto.pgproto import UUID

from services.allocation import store
from services.allocation.items import ReleasedLine
from services.allocation.rules import elections
from services.allocation.rules.split import cents_by_fund, split_line
from shared.events.codes import CODES
from shared.events.packed import InstructedBatch
from shared.events.requests import ElectionChanged
from shared.events.topics import FUNDS, PARTICIPANT_RECEIPTS, PLANS, TRADES_INSTRUCTED
from shared.runtime.copying import copy_rows
from shared.runtime.records import Malformed, PublicRecord
from shared.runtime.work import Work
from shared.values.hashing import bucket_of
from shared.values.identity import derived_id
from shared.values.trading_days import date_text, day_after

RULE_SET = "2026.1"
LINES_PER_RECORD = 400
HELD_PER_TRANSACTION = 4_000
"""Settled in one, of all lanes together: a new plan's people may all choose before its funds are known."""
INSTRUCTED = "nestwork.trades.instructed.v1"
RECEIPT = "nestwork.participant.receipt.v1"
STATUS = {"a": "accepted", "r": "rejected", "h": "held"}


async def split_lines(work: Work, items: list[ReleasedLine]) -> None:
    """Split each line's sources over the funds in force, record it, and instruct trading."""
    day = items[0].label
    chosen = await store.find_elections(work.connection, ((item.key, item.plan_id) for item in items), day)
    journal = []
    said: dict[int, list[tuple[ReleasedLine, list[str], list[int]]]] = {}
    for item in items:
        plan = work.facts.need(PLANS.name, item.plan_id, day)
        version, parts = chosen.get((item.key, item.plan_id), (None, None))
        funds, legs = split_line(item.sources, item.amounts, parts, plan["default_fund"])
        if plan["default_fund"] in funds:  # An election's funds were known when it was accepted; a plan's may never be.
            work.facts.need(FUNDS.name, plan["default_fund"], day)
        said.setdefault(item.lane, []).append((item, funds, legs))
        journal.append(
            (
                item.trade_date, item.lane, work.next_entry(item.lane), work.at(item.lane, item.recorded_at), "split",
                item.bucket, item.plan_id, item.key, UUID(item.cause), RULE_SET, item.trace,
                [*funds, "released"], [*cents_by_fund(funds, legs), -sum(item.amounts)], item.sources, legs, version,
            )
        )  # fmt: skip
    await copy_rows(work.connection, "journal", store.JOURNAL_COLUMNS, journal)
    for lane, lines in said.items():
        for start in range(0, len(lines), LINES_PER_RECORD):
            _instruct(work, lane, lines[start : start + LINES_PER_RECORD])


def _instruct(work: Work, lane: int, lines: list[tuple[ReleasedLine, list[str], list[int]]]) -> None:
    first = lines[0][0]
    batch = InstructedBatch(
        trade_date=first.trade_date.isoformat(),
        rule_set=RULE_SET,
        plan_ids=[item.plan_id for item, _, _ in lines],
        participants=[item.key for item, _, _ in lines],
        buckets=[item.bucket for item, _, _ in lines],
        causes=[item.cause for item, _, _ in lines],
        sources=[item.sources for item, _, _ in lines],
        funds=[funds for _, funds, _ in lines],
        cents=[legs for _, _, legs in lines],
        traces=[item.trace for item, _, _ in lines] if any(item.trace for item, _, _ in lines) else None,
    )
    work.emit(
        lane,
        TRADES_INSTRUCTED.name,
        key=None,
        ce_type=INSTRUCTED,
        ce_id=f"allocation/{lane}/{first.trade_date.isoformat()}/{first.cause}",
        value=msgspec.json.encode(batch),
        recorded_at=first.recorded_at,
    )


# -- requests --------------------------------------------------------------------------------------------------------


class Verdict(NamedTuple):
    """What became of a request: its status letter and, unless it was accepted, a code with what it is about."""

    status: str
    code: str | None = None
    detail: str = ""

    @property
    def reason(self) -> list[str] | None:
        """As it is kept, so that a resend can be told the same."""
        return None if self.code is None else [self.code, self.detail]


class Known(NamedTuple):
    """A request that came before: the hash of its body, and what became of it."""

    body_hash: bytes
    verdict: Verdict


class Answered:
    """Collects a batch's rows."""

    def __init__(self) -> None:
        self.elections: list[tuple[Any, ...]] = []
        self.identities: list[tuple[Any, ...]] = []
        self.held: list[tuple[Any, ...]] = []
        self.versions: dict[tuple[str, str], int] = {}


async def change_elections(work: Work, items: list[PublicRecord]) -> None:
    """Keep elections with their history; one received for D governs money of dates after D."""
    await _answer(work, items, await _versions(work, items), _decide)


async def refuse_request(work: Work, items: list[PublicRecord]) -> None:
    """Requests of kinds that later releases bring are refused with a code, never swallowed."""
    await _answer(work, items, Answered(), _refuse)


Decide = Callable[[Work, Answered, PublicRecord, int], Verdict]


async def _answer(work: Work, items: list[PublicRecord], answered: Answered, decide: Decide) -> None:
    """Decide each request once; one that came before is told what became of it then."""
    buckets = [bucket_of(item.key) for item in items]
    known = await _find_known(work, buckets, items)
    for item, bucket in zip(items, buckets, strict=True):
        if work.guards.identity.known(known, item.identity):
            _answer_known(work, item, known[item.identity])
            continue
        verdict = decide(work, answered, item, bucket)
        _say_verdict(work, item, verdict)
        known[item.identity] = Known(item.body_hash, verdict)
        answered.identities.append(
            (bucket, UUID(item.identity), UUID(item.body_hash), item.trade_date, 0, verdict.status.encode(),
             verdict.reason)
        )  # fmt: skip
        work.count(item.lane, item.topic, item.trade_date, "held" if verdict.status == "h" else "decided")
    await _save(work, answered)


async def _find_known(work: Work, buckets: list[int], items: list[PublicRecord]) -> dict[bytes, Known]:
    rows = await work.connection.fetch(store.FIND_IDENTITIES, buckets, [UUID(item.identity) for item in items])
    return {
        identity.bytes: Known(body_hash.bytes, Verdict(status.decode(), *(reason or ())))
        for identity, body_hash, status, reason in rows
    }


async def _versions(work: Work, items: list[PublicRecord]) -> Answered:
    answered = Answered()
    for row in await work.connection.fetch(store.LAST_VERSIONS, list({item.key for item in items})):
        answered.versions[row["participant_id"], row["plan_id"]] = row["version"]
    return answered


def _answer_known(work: Work, item: PublicRecord, known: Known) -> None:
    place = f"{item.identity.hex()}:{item.topic}:{item.lane}:{item.offset}"
    if known.body_hash != item.body_hash:
        work.count(item.lane, item.topic, item.trade_date, "mismatches")
        _say(work, item, "rejected", place, "IDEMPOTENCY_MISMATCH", original=item.identity.hex())
    else:
        work.count(item.lane, item.topic, item.trade_date, "duplicates")
        _say(
            work, item, "duplicate", place, known.verdict.code, known.verdict.detail, original=item.identity.hex()
        )  # fmt: skip


def _refuse(_work: Work, _answered: Answered, item: PublicRecord, _bucket: int) -> Verdict:
    return Verdict("r", "NOT_SUPPORTED_YET", item.ce_type)


def _decide(work: Work, answered: Answered, item: PublicRecord, bucket: int, *, closing: bool = False) -> Verdict:
    """Accept, reject or hold one election."""
    event = ElectionChanged.model_validate(item.body)
    try:
        if event.model_id is not None:
            raise elections.InvalidElection("model portfolios are not offered")
        parts = elections.election_parts(event)
    except elections.InvalidElection as invalid:
        return Verdict("r", "INVALID_ELECTION", str(invalid))
    code, unknown = _unknown_names(work, event.plan_id, parts, item.trade_date)
    if unknown and closing:
        return Verdict("r", code, ", ".join(unknown))
    if unknown:
        frozen = msgspec.msgpack.encode(item)
        answered.held.append(
            (item.lane, work.next_entry(item.lane), item.trade_date, work.at(item.lane, item.recorded_at), frozen)
        )
        return Verdict("h", code, ", ".join(unknown))
    pair = (event.participant_id, event.plan_id)
    version = answered.versions[pair] = answered.versions.get(pair, 0) + 1
    answered.elections.append(
        (
            *pair, version, bucket, item.lane, item.trade_date, day_after(item.trade_date),
            work.at(item.lane, item.recorded_at), UUID(item.identity), orjson.dumps(parts).decode(),
        )
    )  # fmt: skip
    return Verdict("a")


def _unknown_names(work: Work, plan_id: str, parts: elections.Parts, day: date) -> tuple[str, list[str]]:
    """What an election names that no fact has made known yet, with the code for it; the plan first."""
    if work.facts.get(PLANS.name, plan_id, day) is None:
        return "UNKNOWN_PLAN", [plan_id]
    funds = elections.funds_named(parts)
    return "UNKNOWN_FUND", sorted(fund for fund in funds if work.facts.get(FUNDS.name, fund, day) is None)


async def settle_held(work: Work, lane: int, day: date) -> bool:
    """The date ends: held elections whose fund came are accepted, the others rejected; true when all of them are.

    An election keeps the date it was received for, also the time before the first cut: whether its fund's fact was
    read a moment before or after it must not change from when it governs. Only counts follow the named date.
    """
    room = HELD_PER_TRANSACTION - work.backlog_done
    if room <= 0:
        return False
    rows = await work.connection.fetch(store.SELECT_HELD, lane, day, room)
    items = [msgspec.msgpack.decode(row["item"], type=PublicRecord) for row in rows]
    answered = await _versions(work, items)
    settled = []
    for row, item in zip(rows, items, strict=True):
        bucket = bucket_of(item.key)
        verdict = _decide(work, answered, item, bucket, closing=True)
        _say_verdict(work, item, verdict)
        work.count(lane, item.topic, row["trade_date"], "held", -1)
        work.count(lane, item.topic, row["trade_date"], "decided")
        settled.append((bucket, UUID(item.identity), verdict.status.encode(), verdict.code, verdict.detail))
    if settled:
        await work.connection.execute(store.SETTLE_IDENTITIES, *map(list, zip(*settled, strict=True)))
        await work.connection.execute(store.DELETE_HELD, lane, [row["entry"] for row in rows])
    await _save(work, answered)
    work.backlog_done += len(rows)
    return len(rows) < room


async def _save(work: Work, answered: Answered) -> None:
    await copy_rows(work.connection, "elections", store.ELECTION_COLUMNS, answered.elections)
    await copy_rows(work.connection, "identities", store.IDENTITY_COLUMNS, answered.identities)
    await copy_rows(work.connection, "held_requests", store.HELD_COLUMNS, answered.held)


def _say_verdict(work: Work, item: PublicRecord, verdict: Verdict) -> None:
    """The first answer to a request; one that holds it has an id of its own, since the final one comes after it."""
    held = ":held" if verdict.status == "h" else ""
    _say(work, item, STATUS[verdict.status], f"{item.identity.hex()}{held}", verdict.code, verdict.detail)


def _say(
    work: Work, item: PublicRecord, status: str, receipt_id: str, code: str | None, detail: str = "",
    original: str | None = None,
) -> None:  # fmt: skip
    decided_at = work.at(item.lane, item.recorded_at)
    body: dict[str, Any] = {
        "request": {"source": item.ce_source, "id": item.ce_id},
        "status": status,
        "codes": [_code(code, detail)] if code else [],
        "decided_at": decided_at.isoformat(),
        "effective_after": date_text(item.trade_date),
    }
    if original is not None:
        body["original_receipt_id"] = original
    work.emit(
        item.lane,
        PARTICIPANT_RECEIPTS.name,
        key=item.key.encode(),
        ce_type=RECEIPT,
        ce_id=receipt_id,
        value=orjson.dumps(body),
        recorded_at=decided_at,
        trace=item.trace,
    )


def _code(name: str, detail: str) -> dict[str, str]:
    known = CODES[name]
    message = f"{known.sentence} ({detail})" if detail else known.sentence
    return {"code": name, "severity": known.severity, "message": message}


async def answer_malformed(work: Work, broken: Malformed) -> None:
    """A request that says who sent it is answered, although nothing else of it could be read."""
    record = broken.record
    name = broken.code if broken.code in ("UNKNOWN_EVENT_TYPE", "NEWER_VERSION", "KEY_MISMATCH") else "MALFORMED"
    decided_at = work.at(record.lane, record.recorded_at)
    body = {
        "request": {"source": broken.ce_source, "id": broken.ce_id},
        "status": "rejected",
        "codes": [_code(name, broken.detail)],
        "decided_at": decided_at.isoformat(),
    }
    topic, partition, offset = record.origin
    work.emit(
        record.lane, PARTICIPANT_RECEIPTS.name, key=record.key, ce_type=RECEIPT,
        ce_id=derived_id("malformed", topic, str(partition), str(offset)), value=orjson.dumps(body),
        recorded_at=decided_at,
    )  # fmt: skip
