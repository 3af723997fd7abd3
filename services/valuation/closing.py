"""The close: each lane values its participants at the date's prices; the builder proves the date and says so."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson

from services.valuation import store
from services.valuation.rules import proof
from services.valuation.rules.balances import Rates
from services.valuation.rules.parked import ParkedFill, Person, parked_totals, people_waiting, units_parked
from services.valuation.rules.positions import fund_of
from shared.events.topics import FUNDS, INTERNAL_TOPICS, TRADES_FILLED, VALUATION_DAYS
from shared.events.valuation import DayClosed
from shared.runtime.copying import copy_rows
from shared.runtime.definition import Progress
from shared.runtime.logs import get_logger
from shared.runtime.parking import thawed
from shared.runtime.work import Work
from shared.values.shares import Price

log = get_logger(__name__)
PARTICIPANTS_PER_SLICE = 10_000
INTERNAL = frozenset(topic.name for topic in INTERNAL_TOPICS)
"""Their records are counted where they came from; what is parked of them is a term in cents."""


async def value_lane(work: Work, lane: int, day: date) -> Progress:
    """Value one slice of the lane's participants; done when all are valued.

    Who is named in a parked fill holds what no position shows: his balance is not final.
    """
    connection = work.connection
    last = await connection.fetchrow(store.LAST_VALUED, day, lane)
    after = (last["plan_id"], last["participant_id"]) if last else ("", "")
    rows = await connection.fetch(store.POSITIONS_AFTER, lane, *after, PARTICIPANTS_PER_SLICE)
    waiting = people_waiting(await _parked_fills(work, [lane], day), day)
    if rows:
        await _value(work, lane, day, rows, waiting)
    if len(rows) == PARTICIPANTS_PER_SLICE:
        return Progress.MORE
    if waiting:
        plans, people = map(list, zip(*waiting, strict=True))
        await connection.execute(store.INSERT_WAITING, day, lane, plans, people, list(waiting.values()))
    return Progress.DONE


async def _value(work: Work, lane: int, day: date, rows: list[Any], waiting: Mapping[Person, int]) -> None:
    rates = await _rates(work, day)
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    balances = []
    for plan_id, participant_id, bucket, text in rows:
        holdings = orjson.loads(text)
        cents = None if (plan_id, participant_id) in waiting else rates.balance(holdings)
        balances.append((day, lane, participant_id, plan_id, bucket, cents, text))
        for key, (units, cost) in holdings.items():
            total = sums[plan_id, key]
            total[0] += units
            total[1] += cost
    await copy_rows(work.connection, "balances", store.BALANCE_COLUMNS, balances)
    added = [(day, lane, plan, fund, units, cost) for (plan, fund), (units, cost) in _by_fund(sums).items()]
    await work.connection.execute(store.ADD_HOLDINGS, *map(list, zip(*added, strict=True)))


async def _parked_fills(work: Work, lanes: list[int], day: date) -> list[ParkedFill]:
    """The fills of ``lanes`` that are a term of the proof of ``day``: parked on it, freed for it or open at its close.

    Nothing of that changes any more: nobody is freed for a date whose marker his lane has met.
    """
    rows = await work.connection.fetch(store.PARKED_FILLS, lanes, TRADES_FILLED.name, day)
    items = [thawed(work.service, TRADES_FILLED.name, row["item"])[1] for row in rows]
    return [ParkedFill(row["trade_date"], row["freed_for"], item.fill) for row, item in zip(rows, items, strict=True)]


def _by_fund(sums: Mapping[tuple[str, str], list[int]]) -> dict[tuple[str, str], list[int]]:
    """Units and cost by plan and fund, of those by plan and holding."""
    totals: dict[tuple[str, str], list[int]] = {}
    for (plan_id, key), (units, cost) in sums.items():
        total = totals.setdefault((plan_id, fund_of(key)), [0, 0])
        total[0] += units
        total[1] += cost
    return totals


async def _rates(work: Work, day: date) -> Rates:
    prices = {
        row["fund_id"]: Price.parse(row["price"]) for row in await work.connection.fetch(store.PRICES_OF, day, day)
    }
    funds = work.facts.all_on(FUNDS.name, day)
    known = {fund: price for fund, price in prices.items() if fund in funds}
    return Rates(known, {fund: funds[fund]["share_decimals"] for fund in known})


async def prove_date(work: Work, day: date) -> Progress:
    """Compare every stage with the next and the positions with the custodian's own holdings; wait for all its parts."""
    connection = work.connection
    parts = await connection.fetchrow(store.HOLDINGS_PARTS, day)
    if not parts["parts"] or parts["seen"] < parts["parts"]:
        return Progress.WAITING
    lanes = [orjson.loads(row["totals"])["stages"] for row in await connection.fetch(store.UPSTREAM, day)]
    parked = await _parked_fills(work, list(range(work.partitions)), day)
    posted = dict(await connection.fetchrow(store.ALL_POSTED, day)) | parked_totals(parked, day)
    equations = proof.offsets_equations(lanes, INTERNAL)
    equations |= proof.money_equations(proof.add_up([*lanes, {"valuation": posted}]))
    equations |= await _against_custodian(work, day, lanes, units_parked(parked, day))
    status = "proven" if proof.is_proven(equations) else "broken"
    cash = proof.plan_cash(lanes)
    await connection.execute(
        store.INSERT_PROOF, day, status, _text(equations), orjson.dumps(cash).decode(), work.now(0)
    )
    if status == "broken":
        broken = {name: one for name, one in equations.items() if not one["ok"]}
        log.error("day_not_proven", trade_date=day.isoformat(), equations=broken)
    _say_closed(work, day, status, equations)
    return Progress.DONE


async def _against_custodian(
    work: Work, day: date, lanes: list[Any], parked: Mapping[tuple[str, str], int]
) -> proof.Equations:
    decimals = {fund: body["share_decimals"] for fund, body in work.facts.all_on(FUNDS.name, day).items()}
    rows = await work.connection.fetch(store.HELD_AT_CUSTODIAN, day)
    held, unreadable = proof.units_held(((row["plan_id"], row["fund_id"], row["shares"]) for row in rows), decimals)
    positions = {
        (row["plan_id"], row["fund_id"]): row["units"] for row in await work.connection.fetch(store.HELD_HERE, day)
    }
    in_flight = {
        (plan, fund): units
        for stages in lanes
        for plan, fund, units in stages.get("trading.value", {}).get("in_flight", [])
    }
    return proof.holdings_equations(positions, held, in_flight, parked) | unreadable


def _text(document: Any) -> str:
    """JSON of whole numbers of any size: a custodian's mistake may be beyond 64 bits."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _say_closed(work: Work, day: date, status: str, equations: proof.Equations) -> None:
    body = {"trade_date": day.isoformat(), "status": status, "proof": equations}
    work.emit(
        0, VALUATION_DAYS.name, key=day.isoformat().encode(), ce_type=DayClosed.ce_type, ce_id=f"day/{day.isoformat()}",
        value=_text(body).encode(), recorded_at=work.now(0), partition=0,
    )  # fmt: skip


async def close_lane(work: Work, lane: int, day: date) -> dict[str, Any]:
    """What this lane posted for the date."""
    return dict(await work.connection.fetchrow(store.LANE_POSTED, day, lane))
