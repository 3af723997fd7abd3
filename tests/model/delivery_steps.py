"""What can happen next: the frame's own steps, and crash, pause, rebalance, lost replies and repeats at every one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache

from shared.runtime.errors import Fenced, LogLoss
from shared.runtime.lanes import Lane, LaneInput
from shared.runtime.outbox import OutboxRow
from tests.model.delivery_state import (
    ANEW,
    CUT,
    DAY,
    IN,
    NEXT_DAY,
    POLL_RECORDS,
    SOURCE,
    TASK,
    LaneRow,
    Memory,
    Settings,
    Transaction,
    Worker,
    World,
    effect_of,
    packed,
    place_of,
    unpacked,
)

FAULT = "fault: "
START = datetime(2026, 11, 20, tzinfo=UTC)
Steps = Iterator[tuple[str, World]]
Change = tuple[LaneRow, Memory, tuple[tuple[str, date], ...]]
"""A lane's row and memory after a step, and what the step says."""
Log = tuple[OutboxRow, ...]


class Delivery:
    """The protocol under the settings of one try."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._slice = lru_cache(maxsize=None)(self._cut_slice)
        self._judged = lru_cache(maxsize=None)(self._judge_log)
        self._spoken = lru_cache(maxsize=None)(_words)

    # -- everything that can happen --------------------------------------------------------------------------------

    def steps(self, world: World) -> Steps:
        """Every next state with the step that leads there."""
        if world.wrong:
            return
        for number, worker in enumerate(world.workers):
            if worker.status == "up":
                yield from self._worker_steps(world, number, worker)
            elif worker.status == "paused":
                yield f"worker {number} wakes up", replaced(world, number, worker._replace(status="up"))
            else:
                yield f"worker {number} is started again", replaced(world, number, Worker())
        yield from self._group_steps(world)
        if world.faults_left:
            yield from self._faults(world._replace(faults_left=world.faults_left - 1))

    def _worker_steps(self, world: World, number: int, worker: Worker) -> Steps:
        mine = tuple(lane for lane, owner in enumerate(world.owners) if owner == number)
        if worker.transaction is not None:
            yield self._commit(world, number, worker)
        elif (worker.life, worker.generation, worker.assigned) != (world.life, world.generation, mine):
            told = Worker(life=world.life, generation=world.generation, assigned=mine, claim_due=bool(mine))
            yield f"worker {number} learns generation {world.generation}: lanes {mine}", replaced(world, number, told)
        if worker.transaction is None and worker.claim_due:
            yield from self._claim(world, number, worker)
        elif worker.transaction is None:
            for memory in worker.memories:
                yield from self._poll(world, number, worker, memory)
            yield from self._beat(world, number, worker)
        yield from self._publish(world, number, worker)

    def _group_steps(self, world: World) -> Steps:
        for lane, owner in enumerate(world.owners):
            other = 1 - owner
            if world.workers[owner].status != "up" and world.workers[other].status == "up":
                yield self._rebalance(world, lane, other, "the group misses its heartbeat: ", world.generation + 1)
                if world.generation > ANEW:
                    anew = world._replace(life=world.life + 1)
                    yield self._rebalance(anew, lane, other, "the group expires and begins anew: ", ANEW)

    def _rebalance(self, world: World, lane: int, owner: int, why: str, generation: int) -> tuple[str, World]:
        owners = (*world.owners[:lane], owner, *world.owners[lane + 1 :])
        label = f"{why}lane {lane} goes to worker {owner} in generation {generation}"
        return label, world._replace(owners=owners, generation=generation)

    def _faults(self, world: World) -> Steps:
        for number, worker in enumerate(world.workers):
            if worker.status != "down" and worker != Worker():
                yield f"{FAULT}worker {number} is killed", replaced(world, number, Worker(status="down"))
            if worker.status == "up":
                paused = worker._replace(status="paused")
                yield f"{FAULT}worker {number} freezes", replaced(world, number, paused)
                yield from self._worker_faults(world, number, worker)
        for lane, owner in enumerate(world.owners):
            yield self._rebalance(world, lane, 1 - owner, FAULT, world.generation + 1)
        yield from self._losses(world)

    def _worker_faults(self, world: World, number: int, worker: Worker) -> Steps:
        if worker.transaction is not None and not worker.transaction.is_broken:
            kept = self._written(world, worker.transaction)
            who = f"{FAULT}worker {number} hears nothing of its COMMIT"
            yield f"{who}, which succeeded", replaced(kept, number, self._after_unknown(worker))
            yield f"{who}, which failed", replaced(world, number, self._after_unknown(worker))
        if worker.waiting:
            row = worker.waiting[0]
            text = f"{FAULT}worker {number} gets an error for {_named(row)}"
            yield f"{text}, which was appended", self._after_send_error(append(world, row), number, worker)
            yield f"{text}, which was not appended", self._after_send_error(world, number, worker)
        for memory in worker.memories:
            if memory.fetched_from == memory.position > 0:
                back = memory._replace(fetched_from=memory.position - 1)
                yield (
                    f"{FAULT}worker {number}'s reader goes back to offset {back.fetched_from} of lane {memory.lane}",
                    replaced(world, number, worker._replace(memories=swapped(worker.memories, back))),
                )

    def _losses(self, world: World) -> Steps:
        for lane, log in enumerate(world.logs):
            if len(log) > 1 and not world.has_lost:
                logs = (*world.logs[:lane], log[:-2] + log[-1:], *world.logs[lane + 1 :])
                yield f"{FAULT}the log of lane {lane} loses {_named(log[-2])}", world._replace(logs=logs, has_lost=True)

    # -- claiming --------------------------------------------------------------------------------------------------

    def _claim(self, world: World, number: int, worker: Worker) -> Steps:
        mine = tuple(lane for lane, owner in enumerate(world.owners) if owner == number)
        is_member = (worker.life, worker.generation, worker.assigned) == (world.life, world.generation, mine)
        answered = worker.generation if is_member or not self.settings.stands("heartbeat") else None
        if not self.settings.guards.claim.may_take(answered, worker.generation):
            return
        world = self._freed(world, number, worker.assigned)
        if not is_member and any(self._is_held(world, lane) for lane in worker.assigned):
            world = world._replace(wrong="a worker that the group gave up takes a lane from its owner")
        rows = tuple(
            row._replace(incarnation=row.incarnation + 1, generation=worker.generation)
            for row in (world.lanes[lane] for lane in worker.assigned)
        )
        memories = tuple(
            Memory(
                lane,
                row.incarnation,
                row.generation,
                row.position,
                row.position,
                row.next_seq,
                row.last_cut,
                row.closed,
            )
            for lane, row in zip(worker.assigned, rows, strict=True)
        )
        unpublished = tuple(out for row in rows for out in row.outbox)
        opened = Transaction("claim", worker.assigned, rows, memories, unpublished)
        label = f"worker {number} locks lanes {worker.assigned} to claim them in generation {worker.generation}"
        yield label, replaced(world, number, worker._replace(transaction=opened))

    def _is_held(self, world: World, lane: int) -> bool:
        """True when the one that the group gave the lane to has claimed it."""
        stored = (world.lanes[lane].incarnation, world.lanes[lane].generation)
        owner = world.workers[world.owners[lane]]
        return any(memory.lane == lane and memory.claim == stored for memory in owner.memories)

    def _freed(self, world: World, number: int, lanes: tuple[int, ...]) -> World:
        """End the transactions of others that hold these lanes' rows."""
        for other, worker in enumerate(world.workers):
            held = worker.transaction
            if other != number and held is not None and not held.is_broken and set(held.lanes) & set(lanes):
                world = replaced(world, other, worker._replace(transaction=held._replace(is_broken=True)))
        return world

    # -- polls and beats -------------------------------------------------------------------------------------------

    def _cut_slice(
        self, lane: int, position: int, fetched_from: int, last_cut: date, closed: bool
    ) -> tuple[tuple[tuple[str, int, date], ...], int, date] | str | None:
        """The frame's own choice of records; a word when it fences itself."""
        limit = (NEXT_DAY if closed else DAY) if self.settings.stands("waits_for_closed") else None
        owned = Lane(lane, 1, 1, 1, START, inputs={IN: LaneInput(position, last_cut, last_cut, None, None, {})})
        fetched = self.settings.logs[lane][fetched_from : fetched_from + POLL_RECORDS]
        try:
            chosen = self.settings.poll.slicing.cut(place_of(lane), SOURCE, owned, fetched, limit, POLL_RECORDS)
        except Fenced as fenced:
            return str(fenced)
        if chosen is None:
            return None
        lines = tuple(
            (record.headers["ce_id"].decode(), record.offset, record.trade_date)
            for record in chosen.records
            if "ce_id" in record.headers
        )
        return lines, chosen.after.next_offset, chosen.after.last_cut or last_cut

    def _poll(self, world: World, number: int, worker: Worker, memory: Memory) -> Steps:
        chosen = self._slice(memory.lane, memory.position, memory.fetched_from, memory.last_cut, memory.closed)
        if chosen is None:
            return
        label = f"worker {number} polls lane {memory.lane} from offset {memory.fetched_from}"
        if isinstance(chosen, str):
            yield f"{label} and fences itself", replaced(world, number, self._must_claim(worker))
            return
        world = self._freed(world, number, (memory.lane,))
        lines, position, last_cut = chosen
        stored = world.lanes[memory.lane]
        guards = self.settings.guards
        try:
            guards.claim.check({memory.lane: memory.claim}, {memory.lane: (stored.incarnation, stored.generation)})
            guards.offsets.check(1, int(stored.position == memory.position))
        except Fenced:
            yield f"{label} and is fenced", replaced(world, number, self._must_claim(worker))
            return
        journal, known, said = list(stored.journal), set(stored.known), []
        for what, offset, day in lines:
            found = dict.fromkeys(what_known.encode() for what_known in known)
            effect = effect_of(what, offset, guards.identity.known(found, what.encode()))
            journal.append(effect)
            known.add(what)
            said.append((effect, day))
        row = stored._replace(
            position=position, last_cut=last_cut, journal=tuple(journal), known=frozenset(known)
        )  # fmt: skip
        after = memory._replace(position=position, fetched_from=position, last_cut=last_cut)
        opened = Transaction("poll")
        yield self._opened(world, number, worker, label, opened, ((row, after, tuple(said)),))

    def _beat(self, world: World, number: int, worker: Worker) -> Steps:
        """Tasks, reading, deciding and closing of all owned lanes in one transaction."""
        if not worker.memories:
            return
        label = f"worker {number} beats"
        lanes = tuple(memory.lane for memory in worker.memories)
        stored = {lane: (world.lanes[lane].incarnation, world.lanes[lane].generation) for lane in lanes}
        changes, decides, done = self._beaten(world, worker)
        if not decides and all(row == world.lanes[memory.lane] for row, memory, _ in changes):
            return
        world = self._freed(world, number, lanes)
        try:
            self.settings.guards.claim.check({memory.lane: memory.claim for memory in worker.memories}, stored)
        except Fenced:
            yield f"{label} and is fenced", replaced(world, number, self._must_claim(worker))
            return
        opened = Transaction("beat", decides=decides, done=done)
        yield self._opened(world, number, worker, label, opened, changes)

    def _beaten(self, world: World, worker: Worker) -> tuple[tuple[Change, ...], bool, tuple[int, ...]]:
        """The rows after a beat, whether it decides the date, and the lanes whose task it does."""
        rows = {memory.lane: world.lanes[memory.lane] for memory in worker.memories}
        done = tuple(lane for lane in rows if lane in world.tasks)
        said: dict[int, list[tuple[str, date]]] = {lane: [] for lane in rows}
        for lane in done:
            said[lane].append((TASK, DAY))
            rows[lane] = rows[lane]._replace(journal=(*rows[lane].journal, TASK))
        for memory in worker.memories:
            if memory.last_cut == DAY:
                rows[memory.lane] = rows[memory.lane]._replace(read=True)
        everybody = {**dict(enumerate(world.lanes)), **rows}
        needed = everybody.values() if self.settings.stands("all_lanes_read") else [everybody[0]]
        decides = not world.is_decided and 0 in rows and all(row.read for row in needed)
        for lane, row in rows.items():
            if decides and self.settings.stands("marker_after_all"):
                continue
            if row.read and (world.is_decided or decides) and not row.closed:
                said[lane].append((CUT, DAY))
                rows[lane] = row._replace(closed=True)
        changes = tuple(
            (rows[memory.lane], memory._replace(closed=rows[memory.lane].closed), tuple(said[memory.lane]))
            for memory in worker.memories
        )
        return changes, decides, done

    def _opened(
        self, world: World, number: int, worker: Worker, label: str, opened: Transaction, changes: tuple[Change, ...]
    ) -> tuple[str, World]:
        """The transaction with its outbox rows, after the published prefix was removed."""
        rows, memories, all_said = [], [], []
        published = dict(worker.published)
        for row, memory, said in changes:
            out, next_seq = packed(memory.lane, memory.next_seq, said) if said else ((), memory.next_seq)
            kept = tuple(one for one in row.outbox if one.last_seq > published.get(memory.lane, 0))
            if {one.seq for one in kept} & {one.seq for one in out}:
                return f"{label} and breaks a unique key", replaced(world, number, self._must_claim(worker))
            rows.append(row._replace(outbox=kept + out, next_seq=next_seq if said else row.next_seq))
            memories.append(memory._replace(next_seq=next_seq))
            all_said += out
        opened = opened._replace(
            lanes=tuple(memory.lane for memory in memories),
            rows=tuple(rows),
            memories=tuple(memories),
            said=tuple(all_said),
        )
        removed = tuple(pair for pair in worker.published if pair[0] not in opened.lanes)
        mine = worker._replace(transaction=opened, published=removed)
        if not self.settings.stands("hand_over_after_commit"):
            mine = mine._replace(waiting=mine.waiting + opened.said)
        return label, replaced(world, number, mine)

    # -- commit ----------------------------------------------------------------------------------------------------

    def _commit(self, world: World, number: int, worker: Worker) -> tuple[str, World]:
        opened = worker.transaction
        assert opened is not None
        if opened.is_broken:
            return f"worker {number} finds its {opened.kind} ended", replaced(world, number, self._must_claim(worker))
        written = self._written(world, opened)
        return f"worker {number} commits its {opened.kind}", replaced(written, number, self._moved(worker, opened))

    def _written(self, world: World, opened: Transaction) -> World:
        lanes = list(world.lanes)
        for lane, row in zip(opened.lanes, opened.rows, strict=True):
            lanes[lane] = row
        tasks = tuple(range(len(lanes))) if opened.decides else world.tasks
        left = tuple(lane for lane in tasks if lane not in opened.done)
        return world._replace(lanes=tuple(lanes), tasks=left, is_decided=world.is_decided or opened.decides)

    def _moved(self, worker: Worker, opened: Transaction) -> Worker:
        """Memory and relay after a COMMIT."""
        if opened.kind == "claim":
            return worker._replace(
                transaction=None, claim_due=False, memories=opened.memories, waiting=opened.said, published=()
            )
        memories = worker.memories
        for memory in opened.memories:
            memories = swapped(memories, memory)
        waiting = worker.waiting
        if self.settings.stands("hand_over_after_commit"):
            waiting += opened.said
        return worker._replace(transaction=None, memories=memories, waiting=waiting)

    def _must_claim(self, worker: Worker) -> Worker:
        return Worker(
            life=worker.life,
            generation=worker.generation,
            assigned=worker.assigned,
            claim_due=bool(worker.assigned),
        )

    def _after_unknown(self, worker: Worker) -> Worker:
        """As built: nothing is assumed. Without ``recovery``: taken for failed, and tried again from memory."""
        if self.settings.stands("recovery") or worker.claim_due:
            return self._must_claim(worker)
        return worker._replace(transaction=None)

    # -- publishing ------------------------------------------------------------------------------------------------

    def _publish(self, world: World, number: int, worker: Worker) -> Steps:
        if not worker.waiting:
            return
        row = worker.waiting[0]
        settled = self._settled(worker)
        yield f"worker {number} publishes {_named(row)}", replaced(append(world, row), number, settled)

    def _settled(self, worker: Worker) -> Worker:
        row = worker.waiting[0]
        published = dict(worker.published) | {row.lane: row.last_seq}
        return worker._replace(waiting=worker.waiting[1:], published=tuple(sorted(published.items())))

    def _after_send_error(self, world: World, number: int, worker: Worker) -> World:
        """As built: again from the lowest row. Without ``prefix``: on with the next one."""
        if not self.settings.stands("prefix"):
            worker = worker._replace(waiting=worker.waiting[1:])
        return replaced(world, number, worker)

    # -- what must hold --------------------------------------------------------------------------------------------

    def wrong(self, world: World) -> str:
        """What is wrong with a state; an empty string when nothing is."""
        if world.wrong:
            return world.wrong
        for lane, row in enumerate(world.lanes):
            effects = tuple(what for what, _ in self.settings.expected[lane] if what != CUT)
            books = tuple(sorted(row.journal)), tuple(sorted(effects))
            if len(set(row.journal)) < len(row.journal) or not set(row.journal) <= set(effects):
                return f"the books of lane {lane} hold {books[0]}, never more than {books[1]} are right"
            said = self._spoken(world.logs[lane])
            if not said <= {*row.journal, *((CUT,) if row.closed else ())}:
                return f"the log of lane {lane} says {sorted(said)}, committed is only {sorted(row.journal)}"
            complaint = self._judged(lane, world.logs[lane], world.has_lost)
            if complaint:
                return complaint
        return ""

    def applied(self, log: Log) -> tuple[tuple[tuple[str, date], ...], str]:
        """What the next service makes of a log with the frame's own guards, and its alarm."""
        applied: list[tuple[str, date]] = []
        last = (1, 0)
        guards = self.settings.guards
        for row in log:
            for stream, epoch, seq, what, day in unpacked(row):
                if guards.sequence.is_repeat(last, epoch, seq):
                    continue
                try:
                    guards.gap.check_sequence(0, stream, last, epoch, seq)
                except LogLoss as loss:
                    return tuple(applied), str(loss)
                last = (epoch, seq)
                applied.append((what, day))
        return tuple(applied), ""

    def _judge_log(self, lane: int, log: Log, has_lost: bool) -> str:
        applied, alarm = self.applied(log)
        if alarm and not has_lost:
            return f"the next service stops lane {lane} although nothing was lost: {alarm}"
        met_cut = False
        for what, day in applied:
            if day != (NEXT_DAY if met_cut else DAY):
                return f"lane {lane} speaks of {what} of {day} on the wrong side of the marker of {DAY}"
            met_cut |= what == CUT
        expected = self.settings.expected[lane]
        in_order = [one for one in expected if one in applied]
        if list(applied) != in_order[: len(applied)] or len(set(applied)) < len(applied):
            return f"the next service applied {applied} of lane {lane}, expected {expected}"
        if applied != expected[: len(applied)]:
            return f"the next service missed something of lane {lane}: {applied}, expected {expected}"
        return ""

    def unfinished(self, world: World) -> str:
        """What is missing where nothing more happens by itself."""
        if world.has_lost:
            return ""
        for lane, expected in enumerate(self.settings.expected):
            applied, _ = self.applied(world.logs[lane])
            if applied != expected:
                return f"at rest the next service has {applied} of lane {lane}, expected {expected}"
        return ""


def replaced(world: World, number: int, worker: Worker) -> World:
    """The world with another state of one worker."""
    return world._replace(workers=(*world.workers[:number], worker, *world.workers[number + 1 :]))


def swapped(memories: tuple[Memory, ...], new: Memory) -> tuple[Memory, ...]:
    """The memories with the one of the same lane exchanged."""
    return tuple(new if memory.lane == new.lane else memory for memory in memories)


def append(world: World, row: OutboxRow) -> World:
    """The row's records at the end of their log."""
    lane = row.lane
    logs = (*world.logs[:lane], (*world.logs[lane], row), *world.logs[lane + 1 :])
    return world._replace(logs=logs)


def _words(log: Log) -> frozenset[str]:
    return frozenset(what for row in log for _, _, _, what, _ in unpacked(row))


def _named(row: OutboxRow) -> str:
    records = unpacked(row)
    return f"{records[0][2]}:{' '.join(what for _, _, _, what, _ in records)} of lane {row.lane}"
