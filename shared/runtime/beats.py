"""The day cycle: every service closes a date in three beats - read (per lane), decided (builder), closed (per lane)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import orjson

from shared.runtime import metrics
from shared.runtime.definition import Cycle, Progress, Service
from shared.runtime.lanes import CycleState, Lane
from shared.runtime.logs import get_logger
from shared.runtime.parking import UNPARK, may_unpark, unpark
from shared.runtime.records import LANE_CLOSED, letter_headers
from shared.runtime.work import Task, Work
from shared.values.invariants import invariant
from shared.values.trading_days import GENESIS, next_trading_day

log = get_logger(__name__)
BUILDER_LANE = 0
FORWARD = "forward"
TASK_SLICES_PER_BEAT = 8

INSERT_READ = "INSERT INTO lane_days (lane, cycle, trade_date, read_at) VALUES ($1, $2, $3, $4)"
COUNT_READ = "SELECT count(*) FROM lane_days WHERE cycle = $1 AND trade_date = $2"
SELECT_FIRST_READ = "SELECT min(trade_date) FROM lane_days WHERE cycle = $1"
SELECT_LAST_DECIDED = "SELECT max(trade_date) FROM decided_days WHERE cycle = $1"
INSERT_DECIDED = "INSERT INTO decided_days (cycle, trade_date, decided_at) VALUES ($1, $2, $3)"
COUNT_TASKS = "SELECT count(*) FROM tasks WHERE lane = $1 AND cycle = $2 AND trade_date <= $3"
UPDATE_CLOSED = """
UPDATE lane_days SET closed_at = $4, totals = $5 WHERE lane = $1 AND cycle = $2 AND trade_date = $3"""
# Bodies may be long (hundreds of orders); only those of the tasks that are done now are read. Participants to be freed
# come last: many wait together until no date is being closed, and the tasks that close it must not wait behind them.
SELECT_NEXT_TASKS = """
SELECT task, lane, cycle, trade_date, kind FROM tasks WHERE lane = ANY($1::int[]) ORDER BY kind = $2, task LIMIT 64"""
SELECT_TASKS = """
SELECT task, lane, cycle, trade_date, kind, body, position, recorded_at FROM tasks WHERE task = ANY($1::bigint[])
ORDER BY task"""
DELETE_TASK = "DELETE FROM tasks WHERE task = $1"
MOVE_TASK = "UPDATE tasks SET position = $2 WHERE task = $1"
SELECT_COUNTS = "SELECT topic, outcome, records FROM input_counts WHERE lane = $1 AND trade_date = $2"
NAME_GENESIS_FREED = "UPDATE parked SET freed_for = $2 WHERE lane = $1 AND freed_for = $3"
NAME_GENESIS_COUNTS = """
WITH unnamed AS (DELETE FROM input_counts WHERE lane = $1 AND trade_date = $3 RETURNING lane, topic, outcome, records)
INSERT INTO input_counts (lane, topic, trade_date, outcome, records)
SELECT lane, topic, $2, outcome, records FROM unnamed
ON CONFLICT (trade_date, topic, lane, outcome) DO UPDATE SET records = input_counts.records + excluded.records"""
SELECT_EARLIER_CYCLES = """
SELECT totals FROM lane_days WHERE lane = $1 AND trade_date = $2 AND closed_at IS NOT NULL"""
SELECT_STATED = """
SELECT trade_date, totals FROM lane_days
WHERE cycle = $1 AND lane = $2 AND trade_date < $3 AND closed_at IS NOT NULL ORDER BY trade_date DESC LIMIT 1"""
SELECT_UPSTREAM = "SELECT topic, totals FROM upstream_totals WHERE lane = $1 AND trade_date = $2"


class Beats:
    """Moves the day cycles of the owned lanes forward as far as they can go now."""

    def __init__(self, service: Service, partitions: int) -> None:
        self.service, self.partitions = service, partitions
        self.decided: dict[str, date | None] = {}

    async def step(self, work: Work, lanes: dict[int, Lane]) -> bool:
        """One round over tasks, decisions, readings and closings; true when anything was done."""
        for cycle in self.service.cycles:
            self.decided[cycle.name] = await work.connection.fetchval(SELECT_LAST_DECIDED, cycle.name)
        done = await self.service.before_beats(work)
        done |= await self._tasks(work, lanes)
        for lane in lanes.values():
            done |= await self._forward_markers(work, lane)
            for cycle in self.service.cycles:
                done |= await self._read(work, lane, cycle)
        if BUILDER_LANE in lanes:
            done |= await self._build(work)
        for lane in lanes.values():
            for cycle in self.service.cycles:
                done |= await self._close(work, lane, cycle)
        work.wakes_others |= done
        return done

    # -- read ----------------------------------------------------------------------------------------------------

    def next_to_read(self, work: Work, lane: Lane, cycle: Cycle) -> date | None:
        """The date this lane has met in every input and fact topic of the cycle and not read yet."""
        state = lane.cycles[cycle.name]
        if state.last_read != state.last_closed:
            return None
        cuts = [_cuts(lane.inputs[topic], topic in cycle.by_value_cut) for topic in cycle.inputs]
        cuts += [_cuts(work.facts.progress[topic], topic in cycle.by_value_cut) for topic in cycle.facts]
        due = _due(state.last_read, cuts)
        if due is None or cycle.after is None:
            return due
        before = lane.cycles[cycle.after].last_closed
        return due if before is not None and before >= due else None

    async def _read(self, work: Work, lane: Lane, cycle: Cycle) -> bool:
        due = self.next_to_read(work, lane, cycle)
        if due is None:
            return False
        if lane.cycles[cycle.name].last_read is None:
            await self._name_genesis(work, lane, due)
        progress = await cycle.read(work, lane.number, due)
        if progress is Progress.DONE:
            await work.connection.execute(INSERT_READ, lane.number, cycle.name, due, work.now(lane.number))
            closed = lane.cycles[cycle.name].last_closed
            _set_after_commit(work, lane, cycle, CycleState(due, closed))
        return progress is not Progress.WAITING

    async def _name_genesis(self, work: Work, lane: Lane, due: date) -> None:
        """What came before the first cut belongs to the date that cut names."""
        await work.connection.execute(NAME_GENESIS_COUNTS, lane.number, due, GENESIS)
        await work.connection.execute(NAME_GENESIS_FREED, lane.number, due, GENESIS)
        for table in ("dead_letters", "parked", *self.service.genesis_tables):
            await work.connection.execute(
                f"UPDATE {table} SET trade_date = $2 WHERE lane = $1 AND trade_date = $3",
                lane.number,
                due,
                GENESIS,
            )

    async def _forward_markers(self, work: Work, lane: Lane) -> bool:
        """Tell every lane that no more strays of D come from here, as soon as D was met in the public inputs."""
        rerouting = self.service.rerouting
        if rerouting is None:
            return False
        state = lane.cycles.setdefault(FORWARD, CycleState())
        due = _due(state.last_read, [_cuts(lane.inputs[topic], False) for topic in rerouting.sources])
        if due is None:
            return False
        for partition in range(self.partitions):
            _emit_marker(work, lane.number, rerouting.topic.name, partition, due, {})
        await work.connection.execute(INSERT_READ, lane.number, FORWARD, due, work.now(lane.number))
        _set_after_commit(work, lane, FORWARD, CycleState(due, due))
        return True

    # -- decided -------------------------------------------------------------------------------------------------

    async def _build(self, work: Work) -> bool:
        """The builder: the owner of lane 0, fenced by that lane's claim."""
        done = await self._publish_fact_letters(work)
        done |= await self.service.standing(work)
        for cycle in self.service.cycles:
            last = self.decided[cycle.name]
            first = None if last else await work.connection.fetchval(SELECT_FIRST_READ, cycle.name)
            due = next_trading_day(last) if last else first
            if due is None or await work.connection.fetchval(COUNT_READ, cycle.name, due) < self.partitions:
                continue
            if last is not None and cycle.decides_after is not None and self.decided[cycle.decides_after] != last:
                continue
            # A decision that waits for a fact is asked again when the fact is stored: that wakes every worker.
            progress = await cycle.decide(work, due)
            done |= progress is not Progress.WAITING
            if progress is Progress.DONE:
                await work.connection.execute(INSERT_DECIDED, cycle.name, due, work.now(BUILDER_LANE))
                self.decided[cycle.name] = due
                log.info("day_decided", cycle=cycle.name, trade_date=due.isoformat())
        return done

    async def _publish_fact_letters(self, work: Work) -> bool:
        """Dead letters of the control plane reach their topics through the builder's outbox."""
        letters = await work.connection.fetch(SELECT_UNPUBLISHED_LETTERS)
        for letter in letters:
            came = [
                (name, None if text is None else text.encode("latin-1"))
                for name, text in orjson.loads(letter["headers"])
            ]
            work.emit(
                BUILDER_LANE,
                f"{letter['topic']}.dlq",
                key=letter["key"],
                ce_type="nestwork.dead-letter.v1",
                ce_id=f"{letter['topic']}/{letter['partition']}/{letter['record_offset']}",
                value=letter["value"] or b"",
                recorded_at=letter["recorded_at"],
                partition=0,
                extra=letter_headers(came, letter["code"], letter["detail"], self.service.name, letter["recorded_at"]),
            )
        if letters:
            await work.connection.execute(MARK_LETTERS_PUBLISHED, [letter["dead_letter"] for letter in letters])
        return bool(letters)

    # -- closed --------------------------------------------------------------------------------------------------

    async def _close(self, work: Work, lane: Lane, cycle: Cycle) -> bool:
        state, decided = lane.cycles[cycle.name], self.decided[cycle.name]
        due = state.last_read
        if due is None or due == state.last_closed or decided is None or decided < due:
            return False
        # Tasks of this very step are not in the table yet; the marker must come after what they will say.
        if any(task[:2] == (lane.number, cycle.name) and task[2] <= due for task in work.tasks):
            return False
        if await work.connection.fetchval(COUNT_TASKS, lane.number, cycle.name, due):
            return False
        totals = await self._totals(work, lane, cycle, due)
        text = orjson.dumps(totals).decode()
        await work.connection.execute(UPDATE_CLOSED, lane.number, cycle.name, due, work.now(lane.number), text)
        for output in cycle.outputs:
            _emit_marker(work, lane.number, output.name, lane.number, due, totals)
        _set_after_commit(work, lane, cycle, CycleState(due, due))
        work.after_commit(lambda: metrics.DAYS_CLOSED.labels(cycle=cycle.name).inc())
        return True

    async def _totals(self, work: Work, lane: Lane, cycle: Cycle, due: date) -> dict[str, Any]:
        """This lane's control totals of D, and all it received from the stages before."""
        stages: dict[str, Any] = {}
        for row in await work.connection.fetch(SELECT_UPSTREAM, lane.number, due):
            stages |= orjson.loads(row["totals"]).get("stages", {})
        for row in await work.connection.fetch(SELECT_EARLIER_CYCLES, lane.number, due):
            stages |= orjson.loads(row["totals"])
        mine = await cycle.close(work, lane.number, due)
        if cycle is self.service.cycles[-1]:
            counts: dict[str, dict[str, int]] = {}
            for row in await work.connection.fetch(SELECT_COUNTS, lane.number, due):
                counts.setdefault(row["topic"], {})[row["outcome"]] = row["records"]
            mine = mine | {"counts": counts}
        return {**stages, _stage(self.service, cycle.name): mine}

    # -- tasks ---------------------------------------------------------------------------------------------------

    async def _tasks(self, work: Work, lanes: dict[int, Lane]) -> bool:
        """Do a bounded number of task slices, in the builder's order; a date's wait for the date before to close."""
        waiting = await work.connection.fetch(SELECT_NEXT_TASKS, list(lanes), UNPARK)
        runnable = [row["task"] for row in waiting if self._may_run(row, lanes[row["lane"]])][:TASK_SLICES_PER_BEAT]
        for row in await work.connection.fetch(SELECT_TASKS, runnable) if runnable else ():
            task = _task(row)
            run = unpark if task.kind == UNPARK else self.service.tasks[task.kind]
            position = await run(work, task)
            if position is None:
                await work.connection.execute(DELETE_TASK, task.number)
            else:
                await work.connection.execute(MOVE_TASK, task.number, orjson.dumps(position).decode())
        return bool(runnable)

    def _may_run(self, waiting: Any, lane: Lane) -> bool:
        if waiting["kind"] == UNPARK:
            return may_unpark(lane, self.service)
        closed: date | None = lane.cycles.get(waiting["cycle"], CycleState()).last_closed
        return closed is None or waiting["trade_date"] <= next_trading_day(closed)


SELECT_UNPUBLISHED_LETTERS = """
SELECT dead_letter, topic, partition, record_offset, code, detail, recorded_at, key, value, headers
FROM dead_letters WHERE lane = -1 AND NOT published ORDER BY dead_letter LIMIT 100"""
MARK_LETTERS_PUBLISHED = "UPDATE dead_letters SET published = true WHERE dead_letter = ANY($1::bigint[])"


def _stage(service: Service, cycle: str) -> str:
    """What a cycle's totals are called in the markers."""
    return service.name if cycle == service.cycles[0].name else f"{service.name}.{cycle}"


async def stated_before(work: Work, lane: int, cycle: str, day: date) -> tuple[date | None, dict[str, Any]]:
    """The last date before ``day`` that the lane closed in this cycle, and its totals of it; nothing before the first.

    A balance is stated from it and what moved since: added up anew, each close would take longer than the one before.
    """
    row = await work.connection.fetchrow(SELECT_STATED, cycle, lane, day)
    if row is None:
        return None, {}
    return row["trade_date"], orjson.loads(row["totals"])[_stage(work.service, cycle)]


def _task(row: Any) -> Task:
    return Task(
        row["task"],
        row["lane"],
        row["cycle"],
        row["trade_date"],
        row["kind"],
        orjson.loads(row["body"]),
        orjson.loads(row["position"]),
        row["recorded_at"],
    )


def _cuts(place: Any, by_value: bool) -> tuple[date | None, date | None]:
    return (place.first_value_cut, place.last_value_cut) if by_value else (place.first_cut, place.last_cut)


def _due(last: date | None, cuts: Iterable[tuple[date | None, date | None]]) -> date | None:
    """The date to handle after ``last`` if every place has met it."""
    cuts = list(cuts)
    if any(first is None for first, _ in cuts):
        return None
    if last is None:
        firsts = {first for first, _ in cuts}
        invariant(len(firsts) == 1, f"every log's first cut names the same date: {firsts}")
        return next(iter(firsts))
    due = next_trading_day(last)
    return due if all(met is not None and met >= due for _, met in cuts) else None


def _set_after_commit(work: Work, lane: Lane, cycle: Cycle | str, state: CycleState) -> None:
    name = cycle if isinstance(cycle, str) else cycle.name

    def move() -> None:
        lane.cycles[name] = state

    work.after_commit(move)


def _emit_marker(work: Work, lane: int, topic: str, partition: int, due: date, stages: dict[str, Any]) -> None:
    body = orjson.dumps({"trade_date": due.isoformat(), "lane": lane, "stages": stages})
    work.emit(
        lane,
        topic,
        key=None,
        ce_type=LANE_CLOSED,
        ce_id=f"{work.service.name}/{lane}/{topic}/{partition}/{due.isoformat()}",
        value=body,
        recorded_at=work.now(lane),
        partition=partition,
    )
