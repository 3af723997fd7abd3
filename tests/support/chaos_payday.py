"""A seeded payday as a scenario file: plans, funds, two trade dates, resends, elections, custodian faults."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import yaml

DATES = ("2026-11-18", "2026-11-19")
FUNDS = ("F1", "F2", "F3")


def write_payday(file: Path, seed: int, *, participants: int = 120, plans: int = 4) -> Path:
    """Write the payday of ``seed``; the same seed gives the same file."""
    dice = random.Random(seed)
    plan_names = [f"PLAN{number}" for number in range(plans)]
    people = {f"P{number:04}": dice.choice(plan_names) for number in range(participants)}
    document = {
        "scenario": f"chaos payday {seed}",
        "plans": {
            name: {"sources": ["pre_tax", "roth", "match"], "default_fund": "F1", "trade_on": "funding"}
            for name in plan_names
        },
        "funds": {"F1": {"share_decimals": 3}, "F2": {"share_decimals": 6}, "F3": {"share_decimals": 4}},
        "participants": {name: _participant(dice, plan) for name, plan in people.items()},
        "days": [_first_day(dice, people), _second_day(dice, people)],
    }
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return file


def _participant(dice: random.Random, plan: str) -> dict[str, Any]:
    born = f"{dice.randint(1962, 2000)}-0{dice.randint(1, 9)}-15"
    person: dict[str, Any] = {"plan": plan, "born": born, "hired": "2015-01-05"}
    if dice.random() < 0.8:
        person["elections"] = _percents(dice)
    return person


def _percents(dice: random.Random) -> dict[str, str]:
    cut, second = sorted((dice.randint(1, 98), dice.randint(1, 98)))
    parts = {"F1": cut, "F2": second - cut, "F3": 100 - second}
    return {fund: str(percent) for fund, percent in parts.items() if percent}


def _line(dice: random.Random, name: str, person: str, run: str, day: str) -> dict[str, Any]:
    most = 30_000_00 if dice.random() < 0.05 else 900_00
    amounts = {source: _dollars(dice.randint(1, most)) for source in ("pre_tax", "roth")}
    amounts["match"] = _dollars(dice.randint(0, 300_00))
    return {
        "contribution": name, "participant": person, "payroll": run, "pay_date": day,
        "compensation": _dollars(dice.randint(2_000_00, 9_000_00)), "amounts": amounts,
    }  # fmt: skip


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def _prices(dice: random.Random) -> dict[str, str]:
    return {fund: f"{dice.randint(9, 90)}.{dice.randint(0, 9999):04}" for fund in FUNDS}


def _first_day(dice: random.Random, people: dict[str, str]) -> dict[str, Any]:
    day = DATES[0]
    lines = [_line(dice, f"a{who}", who, f"A-{plan}", day) for who, plan in people.items()]
    resends = [{"resend": line["contribution"]} for line in dice.sample(lines, 8)]
    plans = sorted(set(people.values()))
    funded = [{"funding": f"A-{plan}"} for plan in plans[:-1]]
    actions = [
        {"fund": "F2", "side": "buy", "action": "duplicate"},
        {"fund": "F3", "side": "buy", "action": "misprice"},
    ]
    return {
        "date": day, "events": [*lines, *resends, *funded], "prices": _prices(dice), "custodian": {"orders": actions},
        "expect": {"proof": "ok"},
    }  # fmt: skip


def _second_day(dice: random.Random, people: dict[str, str]) -> dict[str, Any]:
    day = DATES[1]
    chosen = dice.sample(sorted(people), len(people) // 2)
    lines = [_line(dice, f"b{who}", who, f"B-{people[who]}", day) for who in chosen]
    elections = [{"election": who, "funds": _percents(dice)} for who in dice.sample(sorted(people), 6)]
    again: list[dict[str, Any]] = [{"resend": f"a{who}"} for who in chosen[:6]]
    again += [{"resend_changed": f"a{who}", "amounts": {"pre_tax": "1.23"}} for who in chosen[6:10]]
    plans = sorted(set(people.values()))
    late = [{"funding": f"A-{plans[-1]}"}]
    funded = [{"funding": f"B-{plan}"} for plan in sorted({people[who] for who in chosen})]
    return {
        "date": day, "events": [*elections, *lines, *again, *late, *funded], "prices": _prices(dice),
        "expect": {"proof": "ok"},
    }  # fmt: skip
