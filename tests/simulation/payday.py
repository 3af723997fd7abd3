"""A small payday as outsiders make it: facts, lines with repeats and strays, cash, closes, a custodian, prices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any

import orjson
from aiokafka import TopicPartition

from deploy.custodian.answers import Order, executed
from shared.events import topics
from shared.events.census import Census
from shared.events.custodian import Confirmation, Holdings
from shared.events.envelope import event_headers
from shared.events.fund import FundFact
from shared.events.market import CloseRequested, PriceFact, ValueRequested
from shared.events.payroll import Contribution, PayrollFunded
from shared.events.plan import PlanFact
from shared.events.requests import ElectionChanged
from shared.runtime.records import DAY_CUT, VALUE_CUT
from shared.values.hashing import murmur2
from shared.values.shares import shares_text
from tests.simulation.engine import Engine

HEAD, FIRST, SECOND = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)
DAYS = (HEAD, FIRST, SECOND)
FUNDS: Mapping[str, tuple[int, str]] = {"F1": (3, "23.47"), "F2": (4, "9.99")}
PLANS: Mapping[str, dict[str, Any]] = {
    "ACME": {
        "sources": ["pre_tax", "roth", "match"],
        "match": {"tiers": [["3", "100"], ["2", "50"]], "period": "per_pay"},
        "default_fund": "F1",
    },
    "BETA": {"sources": ["pre_tax", "roth"], "default_fund": "F2", "trade_on": "file"},
}
WAIT_SECONDS = 0.05
SOURCE = "/simulation"


@dataclass
class Payday:
    """What is said, drawn by a seed that has nothing to do with the faults."""

    chance: Random
    people: int = 5
    hurried: bool = False
    """True when the second date is closed before the first one is valued."""
    lines: dict[date, list[tuple[str, dict[str, Any], int | None]]] = field(default_factory=dict)
    """By date: (ce_id, body, partition when it is not the participant's own)."""

    def __post_init__(self) -> None:
        self.plan_of = {f"P{n}": "ACME" if n % 3 else "BETA" for n in range(self.people)}
        self.hurried = self.chance.random() < 0.5
        for day in (FIRST, SECOND):
            self.lines[day] = [self._line(day, number) for number in range(self.chance.randint(3, 7))]
            if self.lines[day]:
                again = self.chance.choice(self.lines[day])
                self.lines[day].append((again[0], dict(again[1]), again[2]))

    def _line(self, day: date, number: int) -> tuple[str, dict[str, Any], int | None]:
        person = self.chance.choice(sorted(self.plan_of))
        sources = self.chance.sample(["pre_tax", "roth"], self.chance.randint(1, 2))
        body = {
            "plan_id": self.plan_of[person],
            "participant_id": person,
            "payroll_id": f"R-{self.plan_of[person]}-{day}",
            "pay_date": day.isoformat(),
            "compensation_cents": 400_000 + number,
            "amounts": [{"source": source, "cents": self.chance.randint(1, 30_000)} for source in sources],
        }
        return f"line-{day}-{number}", body, 0 if self.chance.random() < 0.2 else None


class Outsider:
    """Publishes, waits for what it can see on topics and in the day's tables, and plays the custodian."""

    def __init__(self, engine: Engine, payday: Payday) -> None:
        self.engine, self.payday, self.kafka = engine, payday, engine.kafka
        self.answered = 0
        self.orders: dict[str, dict[str, Any]] = {}
        self.booked: list[tuple[tuple[str, str], int, int, int]] = []
        """(plan and fund), units, and where the confirmation stands: partition and offset."""
        self.deadline = 1e9

    def say(
        self, topic: topics.Topic, key: str, ce_type: str, body: Mapping[str, Any], ce_id: str, partition: int | None
    ) -> None:
        """Append an event where its key belongs, or elsewhere."""
        count = self.kafka.partitions[topic.name]
        home = murmur2(key.encode()) % count if partition is None else partition
        headers = event_headers(ce_id, SOURCE, ce_type)
        self.kafka.append(topic.name, home, key.encode(), orjson.dumps(body), headers)

    async def until(self, met: Callable[[], bool], what: str) -> None:
        """Wait; a world that does not get there in time is a failure."""
        while not met():
            if self.engine.crashes:
                raise TimeoutError(f"a worker crashed while {what} was waited for")
            if self.engine.world.loop.time() > self.deadline:
                raise TimeoutError(f"waited in vain for {what}")
            await asyncio.sleep(WAIT_SECONDS)

    async def run(self) -> None:
        """The whole story, to the last proven date."""
        self._facts()
        self._command(CloseRequested.ce_type, HEAD)
        await self._cut(HEAD)
        for day in (FIRST, SECOND):
            self._lines(day)
            self._command(CloseRequested.ce_type, day)
            await self._cut(day)
            if not self.payday.hurried:
                await self._value_up_to(day)
        await self._value_up_to(SECOND)

    # -- what is said ------------------------------------------------------------------------------------------------

    def _facts(self) -> None:
        for fund, (decimals, _) in FUNDS.items():
            body: dict[str, Any] = {"fund_id": fund, "share_decimals": decimals}
            self.say(topics.FUNDS, fund, FundFact.ce_type, body, f"fund-{fund}", None)
        for plan, terms in PLANS.items():
            self.say(topics.PLANS, plan, PlanFact.ce_type, {"plan_id": plan} | terms, f"plan-{plan}", None)
        for number, (person, plan) in enumerate(self.payday.plan_of.items()):
            body = {"plan_id": plan, "participant_id": person, "birth_date": "1986-03-02", "hire_date": "2020-01-06"}
            self.say(topics.PARTICIPANT_CENSUS, person, Census.ce_type, body, f"census-{person}", None)
            if number % 2:
                parts = [{"fund_id": "F1", "percent": "60"}, {"fund_id": "F2", "percent": "40"}]
                body = {"plan_id": plan, "participant_id": person, "elections": parts}
                stray = 0 if number == 3 else None
                self.say(
                    topics.PARTICIPANT_REQUESTS, person, ElectionChanged.ce_type, body, f"election-{person}", stray
                )

    def _lines(self, day: date) -> None:
        for ce_id, body, partition in self.payday.lines[day]:
            self.say(topics.PAYROLL_CONTRIBUTIONS, body["participant_id"], Contribution.ce_type, body, ce_id, partition)
        payroll = f"R-ACME-{day}"
        body = {
            "payroll_id": payroll, "plan_id": "ACME", "cents": 10_000_000, "reference": f"wire-{day}",
            "received_on": day.isoformat(),
        }  # fmt: skip
        self.say(topics.PAYROLL_RUNS, payroll, PayrollFunded.ce_type, body, f"cash-{day}", None)

    def _command(self, ce_type: str, day: date) -> None:
        text = day.isoformat()
        self.say(topics.DAY_COMMANDS, text, ce_type, {"trade_date": text}, f"{ce_type}-{text}", None)

    def _prices(self, day: date) -> None:
        for fund, (_, price) in FUNDS.items():
            body = {"fund_id": fund, "price_date": day.isoformat(), "price": price, "status": "final", "version": 1}
            self.say(topics.MARKET_PRICES, f"{fund}:{day}", PriceFact.ce_type, body, f"price-{fund}-{day}", None)

    # -- what is waited for ------------------------------------------------------------------------------------------

    async def _cut(self, day: date) -> None:
        await self.until(lambda: self._marked(DAY_CUT, day, topics.CUT_TOPICS), f"the cut of {day}")

    def _marked(self, ce_type: str, day: date, where: tuple[topics.Topic, ...]) -> bool:
        return all(
            self._has_marker(topic.name, partition, ce_type, day)
            for topic in where
            for partition in range(self.kafka.partitions[topic.name])
        )

    def _has_marker(self, topic: str, partition: int, ce_type: str, day: date) -> bool:
        wanted = ("ce_type", ce_type.encode())
        text = day.isoformat().encode()
        return any(wanted in one.headers and text in (one.value or b"") for one in self.kafka.log(topic, partition))

    async def _value_up_to(self, day: date) -> None:
        for due in DAYS:
            if due <= day and not self._said_closed(due):
                await self._value(due)

    async def _value(self, day: date) -> None:
        await self.until(lambda: self._is_built(day), f"the orders of {day}")
        self._prices(day)
        self._answer(day)
        await self.until(lambda: self._all_judged(day), f"verdicts on the confirmations of {day}")
        self._command(ValueRequested.ce_type, day)
        await self.until(lambda: self._marked(VALUE_CUT, day, topics.VALUE_CUT_TOPICS), f"the value cut of {day}")
        self._holdings(day)
        await self.until(lambda: self._said_closed(day), f"day.closed of {day}")

    def _rows(self, service: str, table: str) -> list[Any]:
        return list(self.engine.postgres.databases[f"nestwork_{service}"].tables[table].values())

    def _is_built(self, day: date) -> bool:
        """Every order of the date stands in the custodian's log."""
        decided = any(
            row["cycle"] == "day" and row["trade_date"] == day for row in self._rows("trading", "decided_days")
        )
        self._read_orders()
        booked = [row["order_id"] for row in self._rows("trading", "orders") if row["trade_date"] == day]
        return decided and all(order in self.orders for order in booked)

    def _read_orders(self) -> None:
        for partition in range(self.kafka.partitions[topics.CUSTODIAN_ORDERS.name]):
            for record in self.kafka.log(topics.CUSTODIAN_ORDERS.name, partition):
                body = orjson.loads(record.value or b"{}")
                self.orders.setdefault(body["order_id"], body)

    def _answer(self, day: date) -> None:
        """Confirm every order of the date at its price, once."""
        for order_id, body in sorted(self.orders.items()):
            if body["trade_date"] != day.isoformat():
                continue
            decimals, price = FUNDS[body["fund_id"]]
            order = Order(
                order_id, body["plan_id"], body["fund_id"], body["trade_date"], body["side"], body.get("cents"),
                body.get("shares"), "duplicate" if self.payday.chance.random() < 0.2 else "confirm",
            )  # fmt: skip
            answers, figures = executed(order, price, decimals)
            log = topics.CUSTODIAN_CONFIRMATIONS.name
            home = murmur2(order_id.encode()) % self.kafka.partitions[log]
            units = figures.units if body["side"] == "buy" else -figures.units
            self.booked.append(((body["plan_id"], body["fund_id"]), units, home, len(self.kafka.log(log, home))))
            for number, one in enumerate(answers):
                said = {
                    name: getattr(one, name) for name in ("order_id", "status", "version", "shares", "price", "cents")
                }
                self.say(
                    topics.CUSTODIAN_CONFIRMATIONS, order_id, Confirmation.ce_type, said, f"{order_id}/{number}", None
                )

    def _all_judged(self, day: date) -> bool:
        return all(row["status"] == "confirmed" for row in self._rows("trading", "orders") if row["trade_date"] == day)

    def _holdings(self, day: date) -> None:
        """What the custodian books at the value cut: the confirmations that stand before it."""
        held: dict[tuple[str, str], int] = {}
        for place, units, partition, offset in self.booked:
            if offset < self._value_cut(day, partition):
                held[place] = held.get(place, 0) + units
        listed = [
            {"plan_id": plan, "fund_id": fund, "shares": shares_text(units, FUNDS[fund][0])}
            for (plan, fund), units in sorted(held.items())
        ]
        body = {"date": day.isoformat(), "part": 1, "parts": 1, "positions": listed}
        self.say(topics.CUSTODIAN_HOLDINGS, day.isoformat(), Holdings.ce_type, body, f"holdings-{day}", None)

    def _value_cut(self, day: date, partition: int) -> int:
        """Where the first value cut of a date stands among the confirmations."""
        wanted, text = ("ce_type", VALUE_CUT.encode()), day.isoformat().encode()
        log = self.kafka.log(topics.CUSTODIAN_CONFIRMATIONS.name, partition)
        return next(one.offset for one in log if wanted in one.headers and text in (one.value or b""))

    def _said_closed(self, day: date) -> bool:
        log = self.kafka.logs.get(TopicPartition(topics.VALUATION_DAYS.name, 0), [])
        return any(record.key == day.isoformat().encode() for record in log)
