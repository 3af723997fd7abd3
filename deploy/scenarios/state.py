"""The whole state of one file at the end of a day, in the shape of `expect`. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from deploy.scenarios.filerun import FileRun
from deploy.scenarios.names import Namespace
from deploy.scenarios.observed import Answer, Observed
from shared.values.money import dollars_text


def day_state(
    run: FileRun,
    day: date,
    observed: Observed,
    plan_pages: Mapping[str, Mapping[str, Any]],
    totals: Mapping[str, int | None],
    trading: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything that can be expected of ``day``; ``plan_pages`` are valuation's, by the plan's name in the file.

    ``totals`` are the cents that valuation says of those ``in_several_plans``.
    """
    state = {
        "receipts": _receipts(run, day, observed),
        "credited": _credited(run, day, observed),
        "orders": _orders(run.names, day, observed),
        "proof": _proof(observed.closed_by_day.get(day.isoformat())),
        "breaks": _breaks(run.names, trading.get("breaks") or ()),
        "dlq": _dead_letters(run.names, day, observed),
    }
    if not is_proven(observed, day):
        return state
    return state | _holdings(run, plan_pages, totals)


def as_of_state(
    run: FileRun,
    as_of: date,
    known_at: date | None,
    plan_pages: Mapping[str, Mapping[str, Any]] | None,
    totals: Mapping[str, int | None],
) -> dict[str, Any]:
    """What is said of a date, as known at the end of another; nothing where valuation has nothing to say yet."""
    asked = {"date": as_of.isoformat()} | ({} if known_at is None else {"known_at": known_at.isoformat()})
    if plan_pages is None:
        return asked | {"proof": "missing", "positions": {}, "balances": {}, "cash": {}}
    return asked | {"proof": "ok"} | _holdings(run, plan_pages, totals)


def _holdings(
    run: FileRun, plan_pages: Mapping[str, Mapping[str, Any]], totals: Mapping[str, int | None]
) -> dict[str, Any]:
    cash = {plan: dollars_text(page["plan_cash_cents"]) for plan, page in sorted(plan_pages.items())}
    return {"positions": _positions(run, plan_pages), "balances": _balances(run, plan_pages, totals), "cash": cash}


def is_proven(observed: Observed, day: date) -> bool:
    """True when the engine closed ``day`` and its proof holds: only then are positions and balances published."""
    return _proof(observed.closed_by_day.get(day.isoformat())) == "ok"


def _receipts(run: FileRun, day: date, observed: Observed) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for line in run.participant_by_line:
        answers = observed.answers(run.request(line))
        shown = _decision_of(day, answers)
        duplicates = sum(answer.is_duplicate and answer.day == day for answer in answers)
        mismatches = sum(answer.is_mismatch and answer.day == day for answer in answers)
        if shown or duplicates or mismatches:
            state[line] = shown | {"duplicates": duplicates, "mismatches": mismatches}
    return state


def _decision_of(day: date, answers: list[Answer]) -> dict[str, Any]:
    """The decision made on ``day``, or ``held`` for a line nobody decided by its end."""
    final = next((answer for answer in answers if answer.is_final), None)
    if final is not None and final.day != day:
        return {}
    shown = final or next((answer for answer in reversed(answers) if answer.is_held), None)
    if shown is None:
        return {"status": "held", "accepted": "0.00", "rejected": "0.00", "codes": []}
    return {
        "status": shown.body["status"],
        "accepted": dollars_text(shown.body["accepted_cents"]),
        "rejected": dollars_text(shown.body["rejected_cents"]),
        "codes": codes_that_cut(shown.body.get("codes") or ()),
    }


def codes_that_cut(codes: Iterable[Mapping[str, Any]]) -> list[str]:
    """The distinct codes that cut cents, in text order: info and warnings left out."""
    return sorted({code["code"] for code in codes if code["severity"] == "error"})


def _credited(run: FileRun, day: date, observed: Observed) -> dict[str, dict[str, str]]:
    cents: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line, participant in run.participant_by_line.items():
        final = observed.final(run.request(line))
        if final is not None and final.day == day:
            for part in final.body.get("credited") or ():
                cents[participant][part["source"]] += part["cents"]
    return {
        participant: {source: dollars_text(total) for source, total in sorted(by_source.items())}
        for participant, by_source in sorted(cents.items())
    }


def _orders(names: Namespace, day: date, observed: Observed) -> list[dict[str, Any]]:
    own = [
        order
        for order in observed.order_by_id.values()
        if order["trade_date"] == day.isoformat() and names.owns(order["plan_id"])
    ]
    own.sort(key=lambda order: (order["plan_id"], order["fund_id"], order["side"], order.get("wave") or 0))
    return [_order(names, order) for order in own]


def _order(names: Namespace, order: Mapping[str, Any]) -> dict[str, Any]:
    state = {"plan": names.plain(order["plan_id"]), "fund": names.plain(order["fund_id"]), "side": order["side"]}
    if order.get("cents") is not None:
        state["amount"] = dollars_text(order["cents"])
    if order.get("shares") is not None:
        state["shares"] = order["shares"]
    return state | ({"wave": order["wave"]} if order.get("wave") is not None else {})


def _entries(plan_pages: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [entry for page in plan_pages.values() for entry in page.get("participants") or ()]


def _known(run: FileRun) -> list[str]:
    return sorted(run.events.people | set(run.participant_by_line.values()))


def _positions(run: FileRun, plan_pages: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, dict[str, str]]]:
    state: dict[str, dict[str, dict[str, str]]] = {participant: {} for participant in _known(run)}
    for entry in _entries(plan_pages):
        held = state.setdefault(run.names.plain(entry["participant_id"]), {})
        for position in sorted(entry["positions"], key=lambda p: (p["source"], p["fund_id"])):
            held.setdefault(position["source"], {})[run.names.plain(position["fund_id"])] = position["shares"]
    return state


def in_several_plans(plan_pages: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Ids of those whose balance no page of a plan tells: plans round theirs, and the sum of all is rounded once."""
    plans = Counter(entry["participant_id"] for entry in _entries(plan_pages))
    return sorted(participant for participant, count in plans.items() if count > 1)


def _balances(
    run: FileRun, plan_pages: Mapping[str, Mapping[str, Any]], totals: Mapping[str, int | None]
) -> dict[str, str | None]:
    """Dollars of positions, over all plans; one that is not final, since a position has no price, is not shown."""
    state: dict[str, str | None] = dict.fromkeys(_known(run), "0.00")
    cents_by_id = {entry["participant_id"]: entry["balance_cents"] for entry in _entries(plan_pages)} | dict(totals)
    for participant, cents in cents_by_id.items():
        state[run.names.plain(participant)] = None if cents is None else dollars_text(cents)
    return state


def _proof(closed: Mapping[str, Any] | None) -> str:
    """``ok``, or the equations that do not hold."""
    if closed is None:
        return "missing"
    if closed["status"] == "proven":
        return "ok"
    broken = [name for name, equation in sorted(closed.get("proof", {}).items()) if not equation.get("ok")]
    return f"{closed['status']}: {', '.join(broken)}"


def _breaks(names: Namespace, breaks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Orders whose confirmation is held, with the reason."""
    return [
        {
            "plan": names.plain(found["plan_id"]),
            "fund": names.plain(found["fund_id"]),
            "code": found["break_code"],
        }
        for found in sorted(breaks, key=lambda found: (found["plan_id"], found["fund_id"], found["order_id"]))
        if names.owns(found["plan_id"])
    ]


def _dead_letters(names: Namespace, day: date, observed: Observed) -> list[dict[str, str]]:
    """The day's dead letters of this file, by the topic they were refused on."""
    own = [
        {"topic": topic.removesuffix(".dlq"), "key": names.plain(key), "reason": reason}
        for (topic, _, _), (key, arrived, reason) in observed.dead_letters.items()
        if names.owns(key) and arrived == day
    ]
    return sorted(own, key=lambda letter: (letter["topic"], letter["key"], letter["reason"]))


def deposit_state(page: Mapping[str, Any]) -> dict[str, Any]:
    """What a payroll run lacks, from contribution's page of it; a run that waits for nothing lacks 0.00."""
    wait = page["waits_for"] or {"short_by": 0, "deposit_due": None, "deposit_latest": None}
    return {"short": dollars_text(wait["short_by"]), "due": wait["deposit_due"], "latest": wait["deposit_latest"]}


def returns_state(page: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a participant's money earned, in percent, and from which close to which; nulls when there is no return."""
    if page is None:
        return {"twr": None, "modified_dietz": None, "from": None, "to": None}
    figures = {name: page[name]["percent"] for name in ("twr", "modified_dietz")}
    return figures | {"from": page["from"], "to": page["to"]}
