"""An independent judge of a long run: reads public topics alone, works everything out again, compares both ways.

Nothing of the engine's rules is used: splits are fractions and sorted lists, dates are where markers stand in the logs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from math import floor
from typing import Any

import orjson

from shared.events import topics
from shared.runtime.settings import Settings
from shared.values.trading_days import next_trading_day
from tests.support.chaos_answers import Answers, due_of_election, due_of_line
from tests.support.chaos_logs import Log, place_of, text_of
from tests.support.chaos_poison import ANSWER, LETTER, POISON_SOURCE
from tests.support.chaos_public import read_whole_log
from tests.support.chaos_streams import stream_complaints
from tests.support.chaos_world import FUNDS

HALF = Fraction(1, 2)
READ = (*topics.PUBLIC_TOPICS, *topics.DEAD_LETTER_TOPICS)
Leg = tuple[str, str]
OrderKey = tuple[str, str, str]
"""Plan, fund, trade date."""
FundDay = tuple[str, str]


def largest_remainder(total: int, weights: dict[Any, Fraction]) -> dict[Any, int]:
    """Floor every part, then one each to the largest remainders, ties to the lowest key."""
    whole = sum(weights.values())
    exact = {key: total * weight / whole for key, weight in weights.items()}
    parts = {key: floor(share) for key, share in exact.items()}
    for key in sorted(exact, key=lambda one: (parts[one] - exact[one], one))[: total - sum(parts.values())]:
        parts[key] += 1
    return parts


@dataclass
class Judge:
    """What the public logs say, and what is wrong with it."""

    config: Settings
    logs: dict[str, Log] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)
    positions: dict[tuple[str, str, str], dict[str, int]] = field(default_factory=dict)
    """(plan, participant, source) to units by fund."""
    balances: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """(date, plan, participant) to the cents that are shown."""
    paid: dict[str, int] = field(default_factory=dict)
    """Payroll to its cash, which is also what its lines come to."""

    async def judge(self, acked: list[tuple[str, int, int, bytes | None]]) -> list[str]:
        """Every complaint about a finished run; empty when all is well."""
        return self.compare(acked, {topic.name: await read_whole_log(self.config, topic) for topic in READ})

    def compare(self, acked: list[tuple[str, int, int, bytes | None]], read: dict[str, list[Any]]) -> list[str]:
        """Every complaint about these logs."""
        self.logs = {topic.name: Log(read.get(topic.name, [])) for topic in READ}
        self._nothing_acknowledged_is_lost(acked)
        self._each_sending_has_one_outcome()
        self._dead_letters()
        self._said_once()
        for topic in (*topics.OUTPUT_TOPICS, *topics.DEAD_LETTER_TOPICS):
            self.wrong += stream_complaints(self.logs[topic.name])
        legs = self._legs()
        self._orders_are_the_legs(legs)
        self._positions(legs)
        self._days_are_proven()
        return self.wrong

    def _records(self, topic: topics.Topic) -> list[Any]:
        return self.logs[topic.name].records

    # -- the log itself --------------------------------------------------------------------------------------------

    def _nothing_acknowledged_is_lost(self, acked: list[tuple[str, int, int, bytes | None]]) -> None:
        standing = {(name, one.partition, one.offset): one.value for name, log in self.logs.items()
                    for one in log.records}  # fmt: skip
        for topic, partition, offset, value in acked:
            if topic not in self.logs:
                continue
            self.figures["acknowledged"] += 1
            if (topic, partition, offset) not in standing:
                self.wrong.append(f"{topic}/{partition}@{offset} was acknowledged and is not in the log")
            elif standing[topic, partition, offset] != value:
                self.wrong.append(f"{topic}/{partition}@{offset} holds another value than was acknowledged")

    # -- answers and dead letters ----------------------------------------------------------------------------------

    def _each_sending_has_one_outcome(self) -> None:
        people = {orjson.loads(one.value)["participant_id"]: one.partition
                  for one in self._records(topics.PARTICIPANT_CENSUS)}  # fmt: skip
        lines, elections = (
            Answers(self.logs[asked.name], self.logs[answers.name], due, people, date_name)
            for asked, answers, due, date_name in (
                (topics.PAYROLL_CONTRIBUTIONS, topics.PAYROLL_RECEIPTS, due_of_line, "trade_date"),
                (topics.PARTICIPANT_REQUESTS, topics.PARTICIPANT_RECEIPTS, due_of_election, "effective_after"),
            )
        )
        for name, one in (("", lines), ("election_", elections)):
            self.figures[f"{name}sendings"] = sum(map(len, one.sent.values()))
            self.figures[f"{name}receipts"] = sum(map(len, one.given.values()))
            self.wrong += one.complaints()

    def _dead_letters(self) -> None:
        """What was made to break the contract, and nothing else, is a dead letter with the reason it was made for."""
        expected = {place_of(one): text_of(one, LETTER) for topic in topics.PUBLIC_TOPICS
                    for one in self._records(topic) if text_of(one, LETTER)}  # fmt: skip
        found: dict[str, str] = {}
        for topic in topics.DEAD_LETTER_TOPICS:
            for one in self._records(topic):
                name = text_of(one, "ce_id")
                if found.setdefault(name, text_of(one, "reason")) != text_of(one, "reason"):
                    self.wrong.append(f"dead letter {name} has two reasons")
        self.figures["dead_letters"] = len(found)
        self.wrong += [f"{name} should be a dead letter {expected.get(name)} and is {found.get(name)}"
                       for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)]  # fmt: skip

    def _said_once(self) -> None:
        for topic in (topics.PAYROLL_RECEIPTS, topics.PARTICIPANT_RECEIPTS, topics.CUSTODIAN_ORDERS,
                      topics.VALUATION_DAYS):  # fmt: skip
            said: dict[str, bytes] = {}
            for one in self._records(topic):
                self.figures["repeats_on_the_wire"] += text_of(one, "ce_id") in said
                if said.setdefault(text_of(one, "ce_id"), one.value) != one.value:
                    self.wrong.append(f"{topic.name} says {text_of(one, 'ce_id')} twice with different bodies")

    # -- money -----------------------------------------------------------------------------------------------------

    def _elections(self) -> dict[str, list[tuple[date, dict[str, Fraction]]]]:
        """By participant, with the date each was received for; in the order they came."""
        log = self.logs[topics.PARTICIPANT_REQUESTS.name]
        chosen: defaultdict[str, list[tuple[date, dict[str, Fraction]]]] = defaultdict(list)
        for one in log.once():
            day = log.date_of(one)
            if day is None or text_of(one, ANSWER):
                continue
            body = orjson.loads(one.value)
            parts = {part["fund_id"]: Fraction(part["percent"]) for part in body["elections"]}
            chosen[body["participant_id"]].append((day, parts))
        return chosen

    def _legs(self) -> dict[OrderKey, dict[Leg, int]]:
        """Every accepted line, split by the election before its date, on the date its run was paid in full."""
        people = {orjson.loads(one.value)["participant_id"] for one in self._records(topics.PARTICIPANT_CENSUS)}
        elections, seen = self._elections(), set()
        runs = self.logs[topics.PAYROLL_RUNS.name]
        funded = {orjson.loads(one.value)["payroll_id"]: (runs.date_of(one), orjson.loads(one.value)["cents"])
                  for one in runs.once()}  # fmt: skip
        self.paid = {payroll: cents for payroll, (_, cents) in funded.items()}
        owed: Counter[str] = Counter()
        legs: defaultdict[OrderKey, Counter[Leg]] = defaultdict(Counter)
        for one in self._records(topics.PAYROLL_CONTRIBUTIONS):
            name = text_of(one, "ce_id")
            if name in seen or text_of(one, "ce_source") == POISON_SOURCE or not name:
                continue
            seen.add(name)
            body = orjson.loads(one.value)
            if body["participant_id"] not in people:
                continue
            day, _ = funded[body["payroll_id"]]
            assert day is not None, "the last date of a run is closed"
            owed[body["payroll_id"]] += sum(part["cents"] for part in body["amounts"])
            before = [parts for since, parts in elections.get(body["participant_id"], ()) if since < day]
            percents = before[-1] if before else {"F1": Fraction(100)}
            for part in body["amounts"]:
                for fund, cents in largest_remainder(part["cents"], percents).items():
                    if cents:
                        legs[body["plan_id"], fund, day.isoformat()][body["participant_id"], part["source"]] += cents
        for payroll, (_day, cents) in funded.items():
            if owed[payroll] != cents:
                self.wrong.append(f"{payroll} was paid {cents} and its lines are {owed[payroll]}")
        return {key: dict(of_order) for key, of_order in legs.items()}

    def _orders_are_the_legs(self, legs: dict[OrderKey, dict[Leg, int]]) -> None:
        found: dict[OrderKey, dict[str, int]] = defaultdict(dict)
        for one in self._records(topics.CUSTODIAN_ORDERS):
            body = orjson.loads(one.value)
            found[body["plan_id"], body["fund_id"], body["trade_date"]][body["order_id"]] = body["cents"]
        self.figures["orders"] = sum(map(len, found.values()))
        for key in found.keys() | legs.keys():
            said, due = list(found.get(key, {}).values()), sum(legs.get(key, {}).values())
            if said != [due]:
                self.wrong.append(f"the order of {key} should be {due} cents and is {said}")

    def _prices(self) -> tuple[dict[FundDay, Fraction], dict[FundDay, Fraction]]:
        """What a fund's orders are filled at, its first final price; and what it is valued with, the highest version
        before the value cut."""
        log = self.logs[topics.MARKET_PRICES.name]
        filled: dict[FundDay, Fraction] = {}
        valued: dict[FundDay, tuple[int, Fraction]] = {}
        for one in log.once():
            body = orjson.loads(one.value)
            if text_of(one, LETTER) or body["status"] == "estimated":
                continue
            key, version, price = (body["fund_id"], body["price_date"]), body["version"], Fraction(body["price"])
            filled.setdefault(key, price)
            if one.offset < log.value_cuts.get(body["price_date"], one.offset + 1):
                valued[key] = max(valued.get(key, (0, price)), (version, price))
            else:
                self.figures["prices_changed_too_late"] += 1
        self.figures["prices_changed"] = sum(valued[key][1] != filled[key] for key in valued)
        return filled, {key: price for key, (_, price) in valued.items()}

    def _positions(self, legs: dict[OrderKey, dict[Leg, int]]) -> None:
        """Shares by leg from dollars and price, added up; their sums must be the custodian's holdings."""
        filled, valued = self._prices()
        held: Counter[tuple[str, str]] = Counter()
        positions: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
        by_day: defaultdict[str, list[OrderKey]] = defaultdict(list)
        for order in legs:
            by_day[order[2]].append(order)
        for day in sorted({text for _, text in filled}):
            for plan, fund, _ in by_day[day]:
                of_order = legs[plan, fund, day]
                dollars = Fraction(sum(of_order.values()), 100)
                units = floor(dollars / filled[fund, day] * 10 ** FUNDS[fund] + HALF)
                held[plan, fund] += units
                weights = {leg: Fraction(cents) for leg, cents in of_order.items()}
                for (person, source), share in largest_remainder(units, weights).items():
                    positions[plan, person, source][fund] += share
            self._balances(day, positions, valued)
        self.positions = {key: dict(by_fund) for key, by_fund in positions.items()}
        holdings = [orjson.loads(one.value) for one in self._records(topics.CUSTODIAN_HOLDINGS)]
        last = max((body["date"] for body in holdings), default="")
        booked = {(row["plan_id"], row["fund_id"]): Fraction(row["shares"]) * 10 ** FUNDS[row["fund_id"]]
                  for body in holdings if body["date"] == last for row in body["positions"]}  # fmt: skip
        for key in held.keys() | booked.keys():
            if held[key] != booked.get(key, 0):
                self.wrong.append(f"{key}: the custodian holds {booked.get(key)} units, the lines make {held[key]}")

    def _balances(
        self, day: str, positions: dict[tuple[str, str, str], Counter[str]], valued: dict[FundDay, Fraction]
    ) -> None:
        """What each participant's shares are worth at the end of a date: exact, and rounded half up once."""
        exact: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
        for (plan, person, _), by_fund in positions.items():
            for fund, units in by_fund.items():
                exact[plan, person] += Fraction(units, 10 ** FUNDS[fund]) * valued[fund, day]
        for (plan, person), dollars in exact.items():
            self.balances[day, plan, person] = floor(dollars * 100 + HALF)

    def _days_are_proven(self) -> None:
        said = [orjson.loads(one.value) for one in self._records(topics.VALUATION_DAYS)]
        days = {body["trade_date"]: body["status"] for body in said}
        self.figures["days"] = len(days)
        expected = min(days, default="")
        for day in sorted(days):
            if day != expected or days[day] != "proven":
                self.wrong.append(f"{day} is {days[day]}, expected was {expected} proven")
            expected = next_trading_day(date.fromisoformat(day)).isoformat()
