"""How a date ends here: the last held names are rejected, runs are added up, the builder says which may trade."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
import orjson

from services.contribution import reversing, store, store_reversals
from services.contribution.handlers import RULE_SET
from services.contribution.holding import try_held
from services.contribution.rules import runs
from shared.events.packed import ReleasedBatch
from shared.events.topics import CONTRIBUTIONS_RELEASED, PLANS
from shared.runtime.beats import stated_before
from shared.runtime.copying import copy_rows
from shared.runtime.definition import Progress
from shared.runtime.work import Task, Work
from shared.values.identity import identity_of

LINES_PER_SLICE = 4_000
LINES_PER_RECORD = 500
RELEASED = "nestwork.contributions.released.v1"


async def read_date(work: Work, lane: int, day: date) -> Progress:
    """Reject what still names the unknown, slice by slice, then add up the lane's share of each run."""
    if not await try_held(work, lane, closing=day):
        return Progress.MORE
    await work.connection.execute(store.ADD_UP_RUNS, day, lane)
    await reversing.settle_date(work, lane, day)
    return Progress.DONE


async def decide_runs(work: Work, day: date) -> Progress:
    """Over undecided lines and unused cash below the cut: which runs trade on ``day``, and which wait (and why)."""
    connection = work.connection
    rows = await connection.fetch(store.UNRELEASED_RUNS, day)
    open_runs = [runs.OpenRun(row["plan_id"], row["payroll_id"], row["credited"]) for row in rows]
    payrolls = sorted({run.payroll_id for run in open_runs})
    cash = {row["payroll_id"]: row["unused"] for row in await connection.fetch(store.UNUSED_CASH, payrolls, day)}
    plans = {run.plan_id: work.facts.get(PLANS.name, run.plan_id, day) for run in open_runs}
    on_file = frozenset(plan_id for plan_id, plan in plans.items() if plan is not None and plan.trade_on == "file")
    lenient = {plan_id for plan_id, plan in plans.items() if plan is not None and not plan.holds_mismatches}
    mismatched = frozenset(run for run in await _mismatched(work, payrolls, day) if run[0] not in lenient)
    releases, waits = runs.decide_releases(open_runs, cash, on_file, mismatched)
    if releases:
        columns = list(zip(*((day, r.plan_id, r.payroll_id, r.cents, r.cash_used) for r in releases), strict=True))
        await connection.execute(store.INSERT_RELEASES, *map(list, columns))
        await connection.execute(
            store.MARK_RELEASED, day, [r.plan_id for r in releases], [r.payroll_id for r in releases]
        )
        for lane in range(work.partitions):
            work.add_task(lane, "day", day, "release", {}, work.now(0))
    paid_on = {(row["plan_id"], row["payroll_id"]): row["first_pay_date"] for row in rows}
    await _say_waits(work, day, waits, paid_on)
    await _post_cash(work, day, releases)
    await reversing.ask_to_take_back(work, day)
    return Progress.DONE


async def _say_waits(work: Work, day: date, waits: list[runs.Wait], paid_on: Mapping[runs.Run, date | None]) -> None:
    """What could not be released and when its cash was due; and cash the bank took back after it was traded."""
    returned = [runs.Wait(row["plan_id"], row["payroll_id"], runs.RETURNED_AFTER_TRADE, row["missing"])
                for row in await work.connection.fetch(store.RETURNED_AFTER_TRADE, day)]  # fmt: skip
    waits = runs.with_exposures(waits, returned)
    await work.connection.execute(store.CLEAR_WAITS)
    if not waits:
        return
    found = [
        (w.plan_id, w.payroll_id, day, w.code, w.short_by, runs.deposit_due(paid_on.get((w.plan_id, w.payroll_id))))
        for w in waits
    ]
    await work.connection.execute(store.INSERT_WAITS, *map(list, zip(*found, strict=True)))


async def _mismatched(work: Work, payrolls: list[str], day: date) -> frozenset[tuple[str, str]]:
    """Runs whose closing totals differ from what was submitted so far."""
    controls = {row["payroll_id"]: row for row in await work.connection.fetch(store.CLOSED_CONTROLS, payrolls, day)}
    if not controls:
        return frozenset()
    differing = set()
    for row in await work.connection.fetch(store.RUN_TOTALS, list(controls), day):
        said = controls[row["payroll_id"]]
        pairs = (("line_count", "lines"), ("cents_total", "submitted"), ("hash_total", "hash_total"))
        if any(said[control] is not None and said[control] != row[total] for control, total in pairs):
            differing.add((row["plan_id"], row["payroll_id"]))
    return frozenset(differing | await _differing_by_source(work, controls, day))


async def _differing_by_source(work: Work, controls: Mapping[str, Any], day: date) -> set[runs.Run]:
    """Runs whose cents by source differ; asked only of those that were closed with them."""
    said = {name: orjson.loads(row["by_source"] or "null") for name, row in controls.items()}
    asked = [name for name, by_source in said.items() if by_source is not None]
    if not asked:
        return set()
    sent: dict[runs.Run, dict[str, int]] = {}
    for row in await work.connection.fetch(store.SUBMITTED_BY_SOURCE, asked, day):
        sent.setdefault((row["plan_id"], row["payroll_id"]), {})[row["source"]] = row["cents"]
    return {run for run, by_source in sent.items() if by_source != {s: c for s, c in said[run[1]].items() if c}}


async def _post_cash(work: Work, day: date, releases: list[runs.Release]) -> None:
    """Ask the plans' own lanes to post what came in and what was used."""
    by_lane: dict[int, list[Any]] = {}
    rows = await work.connection.fetch(store.UNPOSTED_FUNDINGS, day)
    for row in rows:
        lane = store.plan_lane(row["plan_id"], work.partitions)
        by_lane.setdefault(lane, []).append(["funding", row["plan_id"], row["payroll_id"], row["cents"], row["cause"]])
    for release in releases:
        if release.cash_used:
            lane = store.plan_lane(release.plan_id, work.partitions)
            cause = f"release/{day.isoformat()}"
            by_lane.setdefault(lane, []).append(
                ["funding_used", release.plan_id, release.payroll_id, release.cash_used, cause]
            )
    await work.connection.execute(store.MARK_POSTED, day, [row["version"] for row in rows])
    for lane, postings in sorted(by_lane.items()):
        work.add_task(lane, "day", day, "post_cash", postings, work.now(0))


ACCOUNTS = {"funding": ["plan_bank", "run_cash"], "funding_used": ["run_cash", "run_traded"]}


async def post_cash(work: Work, task: Task) -> None:
    """Post plan-level cash in the plan's own lane."""
    rows = []
    for kind, plan_id, payroll_id, cents, cause in task.body:
        number = work.next_entry(task.lane)
        rows.append(
            store.entry(
                task.trade_date, task.lane, number, task.recorded_at, kind, plan_id,
                identity_of(plan_id, payroll_id, cause), ACCOUNTS[kind], [-cents, cents], payroll_id, RULE_SET,
            )
        )  # fmt: skip
    await copy_rows(work.connection, "journal", store.JOURNAL_COLUMNS, rows)


async def release_lines(work: Work, task: Task) -> list[Any] | None:
    """Send one slice of the released lines on to allocation; the position is (date, entry)."""
    day, lane = task.trade_date, task.lane
    if task.position is None:
        await _post_release(work, task)
    dates = [row["trade_date"] for row in await work.connection.fetch(store.RELEASED_DATES, day, lane)]
    position = task.position or [dates[0].isoformat() if dates else "", 0]
    for dated in dates:
        if dated.isoformat() < position[0]:
            continue
        after = position[1] if dated.isoformat() == position[0] else 0
        rows = await work.connection.fetch(store.RELEASED_LINES, dated, lane, after, day, LINES_PER_SLICE)
        if rows:
            _emit_released(work, task, rows, await reversing.released_less(work, lane, dated, rows))
            return [dated.isoformat(), rows[-1]["entry"]]
    return None


async def _post_release(work: Work, task: Task) -> None:
    rows = []
    for part in await work.connection.fetch(store.RELEASED_PARTS, task.trade_date, task.lane):
        number = work.next_entry(task.lane)
        cause = identity_of(part["plan_id"], part["payroll_id"], f"release/{part['trade_date']}/{task.trade_date}")
        rows.append(
            store.entry(
                task.trade_date, task.lane, number, task.recorded_at, "release", part["plan_id"], cause,
                ["accepted", "released"], [-part["credited"], part["credited"]], part["payroll_id"], RULE_SET,
            )
        )  # fmt: skip
    await copy_rows(work.connection, "journal", store.JOURNAL_COLUMNS, rows)


def _emit_released(work: Work, task: Task, rows: list[Any], reversed_cents: dict[Any, dict[str, int]]) -> None:
    """Column-wise records of a few hundred lines each; a line of which nothing is left has nothing to trade."""
    lines = [(row, *_left_of(row, reversed_cents.get(row["cause"]))) for row in rows]
    lines = [line for line in lines if line[1]]
    for start in range(0, len(lines), LINES_PER_RECORD):
        chunk = lines[start : start + LINES_PER_RECORD]
        part = [row for row, _, _ in chunk]
        batch = ReleasedBatch(
            trade_date=task.trade_date.isoformat(),
            rule_set=RULE_SET,
            plan_ids=[row["plan_id"] for row in part],
            payroll_ids=[row["payroll_id"] for row in part],
            participants=[row["participant_id"] for row in part],
            buckets=[row["bucket"] for row in part],
            causes=[row["cause"].hex for row in part],
            sources=[sources for _, sources, _ in chunk],
            cents=[cents for _, _, cents in chunk],
            traces=[row["trace"] for row in part] if any(row["trace"] for row in part) else None,
        )
        work.emit(
            task.lane,
            CONTRIBUTIONS_RELEASED.name,
            key=None,
            ce_type=RELEASED,
            ce_id=f"contribution/{task.lane}/{task.trade_date.isoformat()}/{part[0]['cause'].hex}",
            value=msgspec.json.encode(batch),
            recorded_at=task.recorded_at,
        )


def _left_of(row: Any, taken: dict[str, int] | None) -> tuple[list[str], list[int]]:
    """A line's sources and cents, less what was reversed before the release."""
    sources, cents = row["accounts"][:-1], row["amounts"][:-1]
    if taken is None:
        return sources, cents
    left = [(source, have - taken.get(source, 0)) for source, have in zip(sources, cents, strict=True)]
    return [source for source, have in left if have], [have for _, have in left if have]


async def close_date(work: Work, lane: int, day: date) -> dict[str, Any]:
    """This lane's control totals for the marker."""
    connection = work.connection
    totals = dict(await connection.fetchrow(store.LANE_TOTALS, day, lane))
    totals |= dict(await connection.fetchrow(store.LANE_RELEASED, day, lane))
    # As it was stated: the same rows asked again could lose a cent on both sides.
    _, stated = await stated_before(work, lane, "day", day)
    totals["open_before"] = stated.get("open", 0)
    totals["open"] = await connection.fetchval(store.LANE_OPEN, lane, day)
    totals["reversed"] = await connection.fetchval(store_reversals.LANE_TAKEN_BACK, day, lane)
    held = await connection.fetchrow(store.LANE_HELD, lane)
    parked = await connection.fetchrow(store.LANE_PARKED, lane)
    totals |= {"held": held["lines"], "held_cents": held["cents"], "parked_cents": parked["cents"]}
    if lane == 0:
        totals["plan_cash"] = await _plan_cash(work, lane, day)
    return totals


async def _plan_cash(work: Work, lane: int, day: date) -> dict[str, int]:
    """Cash of runs that is not used yet, by plan: what was stated before, and the runs whose cash has moved since."""
    last, before = await stated_before(work, lane, "day", day)
    rows = await work.connection.fetch(store.RUNS_MOVED, last, day)
    moved = sorted({row["payroll_id"] for row in rows})
    cash = Counter(before.get("plan_cash", {}))
    cash.update({row["plan_id"]: row["cents"] for row in await work.connection.fetch(store.PLAN_CASH_OF, moved, day)})
    if last is not None:
        rows = await work.connection.fetch(store.PLAN_CASH_OF, moved, last)
        cash.subtract({row["plan_id"]: row["cents"] for row in rows})
    return {plan_id: cents for plan_id, cents in sorted(cash.items()) if cents}
