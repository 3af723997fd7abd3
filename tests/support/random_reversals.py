"""Random scenarios of lines and reversals: five dates of everything at once, then all of it is taken back."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from shared.values.money import cents_of, dollars_text
from shared.values.trading_days import next_trading_day

FIRST = date(2026, 11, 16)
BUSY_DATES, CALM_DATES = 5, 4
"""After the busy ones everything is reversed; the calm ones let rejected and late orders come to their end."""
OPENING_DOLLARS = "24400.00"
FUNDS = {"F1": 3, "F2": 0, "F3": 6, "F4": 3}
MATCH = {"tiers": [["3", "100"], ["2", "50"]], "period": "per_pay"}
PLANS: dict[str, dict[str, Any]] = {
    "A": {"sources": ["pre_tax", "roth", "match"], "default_fund": "F1", "trade_on": "funding"},
    "B": {"sources": ["pre_tax", "roth"], "default_fund": "F2", "trade_on": "file"},
    "C": {"sources": ["pre_tax", "roth", "match"], "default_fund": "F3", "trade_on": "funding", "match": MATCH},
}
ACTIONS = ["reject", "late", "duplicate", "misprice", "wrong_shares"]


def dates() -> list[date]:
    """Every date of a random scenario."""
    found = [FIRST]
    while len(found) < BUSY_DATES + CALM_DATES:
        found.append(next_trading_day(found[-1]))
    return found


@dataclass
class Draw:
    """One random scenario while it is being made."""

    seed: int
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: dict[str, dict[str, str]] = field(default_factory=dict)
    """Amounts by line."""
    runs: dict[str, str] = field(default_factory=dict)
    """Plan by payroll run."""

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.names = 0

    def scenario(self) -> dict[str, Any]:
        """The document."""
        for number in range(10):
            self.people[f"P{number}"] = self.person(number)
        return {
            "scenario": f"random reversals, seed {self.seed}",
            "plans": PLANS,
            "funds": {name: {"share_decimals": decimals} for name, decimals in FUNDS.items()},
            "participants": self.people,
            "days": [self.day(number, day) for number, day in enumerate(dates())],
        }

    def person(self, number: int) -> dict[str, Any]:
        """Somebody of one of the plans, some with an election, some near the limit."""
        person: dict[str, Any] = {
            "plan": "ABC"[number % 3], "born": f"{1970 + number}-03-02", "hired": "2020-01-06",
        }  # fmt: skip
        if self.random.random() < 0.8:
            person["elections"] = self.election()
        if self.random.random() < 0.3:
            person["ytd"] = {"pre_tax": OPENING_DOLLARS}
        return person

    def election(self) -> dict[str, str]:
        """Percents over some funds."""
        funds = self.random.sample(sorted(FUNDS), self.random.randint(1, len(FUNDS)))
        cuts = [0, *sorted(self.random.sample(range(1, 100), len(funds) - 1)), 100]
        return {fund: str(cuts[at + 1] - cuts[at]) for at, fund in enumerate(funds)}

    def day(self, number: int, day: date) -> dict[str, Any]:
        """One date: busy, or calm after everything was taken back."""
        is_busy = number < BUSY_DATES
        events = self.busy_events(number, day) if is_busy else []
        if number == BUSY_DATES:
            events += [{"reversal": self.name("v"), "reverses": line} for line in self.lines]
        for run, plan in self.runs.items():
            if PLANS[plan]["trade_on"] == "funding" and (not is_busy or self.random.random() < 0.6):
                events.append({"funding": run})
        last_fault = BUSY_DATES + 1
        orders = [
            {"fund": fund, "side": side, "action": self.random.choice(ACTIONS)}
            for fund in FUNDS
            for side in ("buy", "sell")
            if number <= last_fault and self.random.random() < 0.35
        ]
        return {
            "date": day.isoformat(),
            "events": events,
            "prices": {fund: dollars_text(self.random.randint(1, 30_000)) for fund in FUNDS},
            "custodian": {"orders": orders},
            "expect": {"proof": "ok", "breaks": [], "dlq": []},
        }

    def busy_events(self, number: int, day: date) -> list[dict[str, Any]]:
        """Lines, then reversals of any line so far (in parts, too much, again), then elections."""
        events: list[dict[str, Any]] = []
        for who, person in self.people.items():
            for _ in range(self.random.choice([0, 1, 1, 2])):
                events.append(self.line(who, person["plan"], number, day))
        for line in list(self.lines):
            if self.random.random() < 0.25:
                events.append(self.reversal(line))
                if self.random.random() < 0.2:
                    events.append({"resend": events[-1]["reversal"]})
        events += [{"election": who, "funds": self.election()} for who in self.people if self.random.random() < 0.15]
        return events

    def line(self, who: str, plan: str, number: int, day: date) -> dict[str, Any]:
        """A payroll line of the date's run of its plan."""
        amounts = {"pre_tax": dollars_text(self.random.choice([self.random.randint(1, 300), 200_000]))}
        if self.random.random() < 0.5:
            amounts["roth"] = dollars_text(self.random.randint(1, 50_000))
        if plan == "A" and self.random.random() < 0.4:
            amounts["match"] = dollars_text(self.random.randint(1, 9_999))
        name, run = self.name("c"), f"R{plan}{number}"
        self.lines[name], self.runs[run] = amounts, plan
        pay = dollars_text(self.random.randint(0, 900_000))
        return {"contribution": name, "participant": who, "payroll": run, "pay_date": day.isoformat(),
                "compensation": pay, "amounts": amounts}  # fmt: skip

    def reversal(self, line: str) -> dict[str, Any]:
        """All that is left of a line, or a share of some sources, now and then more than there was."""
        event: dict[str, Any] = {"reversal": self.name("v"), "reverses": line}
        if self.random.random() < 0.7:
            event["amounts"] = {
                source: dollars_text(max(1, cents_of(dollars) * self.random.randint(1, 120) // 150))
                for source, dollars in self.lines[line].items()
                if self.random.random() < 0.7
            }
        return event

    def name(self, letter: str) -> str:
        """A fresh id."""
        self.names += 1
        return f"{letter}{self.names}"
