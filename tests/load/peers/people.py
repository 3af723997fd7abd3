"""Seeded payroll lines: runs of plans of very uneven size, some people near the limit, 0.5 % repeats, 0.1 % malformed.

The same for the same count and seed. A repeat has its original's key and bytes, a few to some thousand lines later.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from typing import Any

import orjson

PARTICIPANTS, PLANS = 200_000, 500
REPEAT_SHARE, MALFORMED_SHARE = 0.005, 0.001
REPEAT_AFTER = (1, 2, 5, 40, 300, 1500, 8000)


def _members(dice: random.Random) -> list[range]:
    weights = [dice.lognormvariate(0, 0.8) for _ in range(PLANS)]
    scale, begin, found = (PARTICIPANTS - 20 * PLANS) / sum(weights), 0, []
    for number, weight in enumerate(weights):
        size = 20 + int(weight * scale) if number < PLANS - 1 else PARTICIPANTS - begin
        found.append(range(begin, begin + size))
        begin += size
    return found


def _amounts(person: int, pay: int) -> tuple[int, list[tuple[str, int]]]:
    """Pay and amounts of a person: habits belong to the person, whatever the order of runs."""
    habits = random.Random(person)
    salary, style = int(habits.lognormvariate(12.25, 0.5)), habits.random()
    pay = max(30_000, salary + pay)
    rate = habits.choice((3, 4, 5, 6, 6, 8, 10, 12, 15)) / 100
    if style < 0.03:  # Bonus deferrals: these people meet the limit.
        pay, rate = pay * 4, habits.choice((0.5, 0.75, 0.9))
    deferral = round(pay * rate)
    if style < 0.55:
        amounts = [("pre_tax", deferral)]
    elif style < 0.75:
        amounts = [("roth", deferral)]
    else:
        amounts = [("pre_tax", deferral - deferral // 4), ("roth", deferral // 4)]
    if habits.random() < 0.05:
        amounts.append(("after_tax", round(pay * 0.02)))
    if habits.random() < 0.8:
        amounts.append(("match", round(pay * min(rate, 0.04))))
    return pay, amounts


def _contributions(dice: random.Random) -> Iterator[dict[str, Any]]:
    """Endless valid lines, run by run; some plans pay four times as often as others."""
    members, runs = _members(dice), [0] * PLANS
    often = tuple(set(dice.sample(range(PLANS), 60)))
    while True:
        plan = dice.choice(often) if dice.random() < 0.35 else dice.randrange(PLANS)
        pay_date = (datetime.date(2026, 1, 2) + datetime.timedelta(days=7 * runs[plan])).isoformat()
        runs[plan] += 1
        plan_id, day = f"PLAN{plan:04d}", pay_date.replace("-", "")
        for person in members[plan]:
            if dice.random() < 0.15:  # Not paid this time.
                continue
            pay, amounts = _amounts(person, dice.randrange(-5000, 5000))
            yield {
                "contribution_id": f"er{plan:03d}-{day}-{person:06d}", "plan_id": plan_id,
                "participant_id": f"P{person:07d}", "payroll_id": f"{plan_id}-{day}", "pay_date": pay_date,
                "compensation_cents": pay, "amounts": [{"source": source, "cents": cents} for source, cents in amounts],
            }  # fmt: skip


def _spoilt(dice: random.Random, body: dict[str, Any]) -> bytes:
    first, kind = body["amounts"][0], dice.randrange(7)
    spoilt: dict[int, Any] = {1: -first["cents"] - 1, 2: first["cents"] + 0.5, 3: str(first["cents"]), 4: True}
    if kind == 0:
        first["source"] = "lottery"
    elif kind in spoilt:
        first["cents"] = spoilt[kind]
    elif kind == 5:
        body["amounts"] = []
    text = orjson.dumps(body)
    return text[: len(text) // 2] if kind == 6 else text


def messages(count: int, seed: int) -> Iterator[tuple[bytes, bytes]]:
    """``count`` pairs of key and value."""
    dice = random.Random(seed)
    lines, repeats = _contributions(dice), {}
    for place in range(count):
        if (repeat := repeats.pop(place, None)) is not None:
            yield repeat
            continue
        body = next(lines)
        key = body["participant_id"].encode()
        if dice.random() < MALFORMED_SHARE:
            yield key, _spoilt(dice, body)
            continue
        item = key, orjson.dumps(body)
        if dice.random() < REPEAT_SHARE:
            at = place + dice.choice(REPEAT_AFTER)
            while at in repeats:
                at += 1
            repeats[at] = item
        yield item
