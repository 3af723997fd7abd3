"""The money plane of one worker: claim lanes, poll, beat, publish; stop at anything that can't be explained."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import math
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, date, datetime
from typing import Any

from aiokafka import TopicPartition

from shared.events.envelope import ce_source_of
from shared.runtime import metrics
from shared.runtime.beats import Beats
from shared.runtime.clients import DATABASE_TROUBLE, Connection, connect
from shared.runtime.definition import Input, Service
from shared.runtime.errors import Fenced, LogLoss
from shared.runtime.factcache import FactCache
from shared.runtime.guards import Guards
from shared.runtime.intake import Intake
from shared.runtime.lanes import Lane, claim_lanes, freeing_blockers, prepare_lanes
from shared.runtime.logs import error_text, get_logger
from shared.runtime.membership import Membership
from shared.runtime.outbox import OutboxRow, StreamNames, remove_published
from shared.runtime.poll import Poll
from shared.runtime.relay import Relay
from shared.runtime.settings import Settings
from shared.runtime.slicing import Slice
from shared.runtime.tracing import poll_span
from shared.runtime.work import Work
from shared.values.trading_days import next_trading_day

log = get_logger(__name__)

RECORDS_PER_POLL = 4_000
BYTES_PER_POLL = 6 * 1024 * 1024
PACKED_BYTES_PER_POLL = 2 * 1024 * 1024
"""Of internal logs: their records carry hundreds of lines, and what is decided between two heartbeats is bounded."""
IDLE_SECONDS = 0.5
RECLAIM_SECONDS = 0.1
BEAT_SECONDS = 0.1
"""After a poll that wakes nobody (it met no marker and made no task) the beats have nothing new: the next may wait so
long. One after each small poll would double the transactions of a quiet hour."""
REMOVE_IDLE_SECONDS = 1.0
RETRY_SECONDS = 0.25
HINT_SECONDS = 5.0


class MoneyPlane:
    """One worker's share of the money plane."""

    def __init__(self, service: Service, config: Settings, guards: Guards) -> None:
        self.service, self.config, self.guards = service, config, guards
        self.owner = uuid.uuid4().hex
        self.lanes: dict[int, Lane] = {}
        self.stopped_lanes: dict[int, str] = {}
        self.facts = FactCache(service.facts)
        self.wake = asyncio.Event()
        self.intake = Intake(self.wake)
        self.relay = Relay(StreamNames(service.name, ce_source_of(service.name)), guards.points)
        self.membership = Membership(service.group, service.inputs[0].topic.name, config, self._release)
        self.poll = Poll(service, guards, config.marker_secret(), config.market_mode == "on", config.partitions)
        self.beats = Beats(service, config.partitions)
        self.connection: Connection | None = None
        self.listener: Connection | None = None
        self.busy = asyncio.Lock()
        self.stopping = False
        self.beat_due, self.claim_due = True, False
        self.beat_at = math.inf
        self.progressed_at = time.monotonic()
        self.removed_at = 0.0
        self.tasks: list[asyncio.Task[None]] = []

    # -- life ----------------------------------------------------------------------------------------------------

    async def start(self, crash: Callable[[BaseException], Coroutine[Any, Any, None]]) -> None:
        """Connect, join the group and run until ``stop``; what can't be handled goes to ``crash``."""
        connection = await connect(self.service.database)
        await prepare_lanes(connection, self.service, self.config.partitions)
        self.connection = connection
        await self.intake.start()
        await self.membership.start()
        for run in (self._run, self.intake.run, self.relay.run, self._hint):
            self.tasks.append(asyncio.create_task(self._guarded(run(), crash)))

    async def _guarded(
        self, run: Coroutine[Any, Any, None], crash: Callable[[BaseException], Coroutine[Any, Any, None]]
    ) -> None:
        try:
            await run
        except asyncio.CancelledError:
            raise
        except BaseException as failure:
            log.error("money_plane_failed", error=error_text(failure), exc_info=failure)
            await crash(failure)

    async def stop(self) -> None:
        """Finish the running poll, publish what is decided (briefly), release, leave the group."""
        self.stopping = True
        self.wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10), self.busy:
                await asyncio.wait_for(self.relay.is_empty.wait(), 3)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.membership.stop()
        await self.intake.stop()
        await self.relay.stop()
        for connection in (self.connection, self.listener):
            if connection is not None:
                connection.terminate()

    # -- the loop ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self.stopping:
            self.wake.clear()
            try:
                async with self.busy:
                    worked = await self._turn()
            except LogLoss as loss:
                await self._stop_lanes(loss)
                worked = True
            except Fenced as fenced:
                metrics.FENCED.inc()
                log.warning("fenced", reason=str(fenced))
                await self._claim_again()
                worked = False
            except DATABASE_TROUBLE as trouble:
                # Also a COMMIT whose reply was lost: nothing is assumed, the rows are read again on the next claim.
                metrics.POLLS.labels(result="database_trouble").inc()
                log.warning("database_trouble", error=repr(trouble))
                await self._reconnect()
                worked = False
            if not worked:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.wake.wait(), self._rest())

    def _rest(self) -> float:
        """Seconds until there may be something to do that nobody announces."""
        until_beat = max(0.0, self.beat_at - time.monotonic())
        return min(IDLE_SECONDS, until_beat) if self.lanes else RECLAIM_SECONDS

    async def _turn(self) -> bool:
        """One claim, poll or beat; true when there may be more to do at once."""
        await self._connected()
        if self.membership.changed.is_set() or self.claim_due:
            return await self._claim()
        if self.intake.lost:
            raise LogLoss("; ".join(self.intake.lost.values()), *{place.partition for place in self.intake.lost})
        if not self.lanes or self.relay.is_full:
            return False
        slices = self._choose()
        if slices:
            await self._poll_records(slices)
            return True
        if self.beat_due or time.monotonic() >= self.beat_at:
            self.beat_due, self.beat_at = False, math.inf
            if await self._poll_beats():
                self.beat_due = True
                return True
        await self._remove_when_idle()
        self.progressed_at = time.monotonic()
        metrics.LAST_PROGRESS.set_to_current_time()
        return bool(self._choose())

    async def _connected(self) -> None:
        if self.connection is None or self.connection.is_closed():
            self.connection = await connect(self.service.database)
            self.claim_due = True
        if self.listener is None or self.listener.is_closed():
            self.listener = await connect(self.service.database, idle_in_transaction_session_timeout="0")
            await self.listener.add_listener("nestwork", self._notified)
            self.beat_due = True

    def _notified(self, *_: Any) -> None:
        self.beat_due = True
        self.wake.set()

    # -- claiming ------------------------------------------------------------------------------------------------

    async def _release(self) -> None:
        """The group takes the lanes back: let the running poll end, then forget them."""
        async with asyncio.timeout(self.config.session_timeout_seconds - 1), self.busy:
            self._drop_lanes()

    def _drop_lanes(self) -> None:
        self.lanes = {}
        self.beats.decided.clear()  # May hold a decision of a poll that was rolled back.
        self.intake.assign({})
        self.relay.forget()
        metrics.LANES_OWNED.set(0)

    async def _claim(self) -> bool:
        """Take what the group assigned; nothing is written before the claim is granted."""
        self.membership.changed.clear()
        self.claim_due = False
        self._drop_lanes()
        numbers, generation = list(self.membership.assigned), self.membership.generation
        if not numbers:
            return False
        assert self.connection is not None
        await self.guards.points.reach("before_claim")
        try:
            lanes, rows = await claim_lanes(
                self.connection, self.service, self.guards, numbers, generation, self.owner, self.membership.answered_at
            )
        except Fenced:
            metrics.CLAIMS.labels(result="refused").inc()
            self.claim_due = not self.membership.changed.is_set()
            raise
        metrics.CLAIMS.labels(result="granted").inc()
        self.lanes = {number: lane for number, lane in lanes.items() if number not in self.stopped_lanes}
        self.facts = FactCache(self.service.facts)
        self.intake.assign(
            {
                TopicPartition(topic, number): place.next_offset
                for number, lane in self.lanes.items()
                for topic, place in lane.inputs.items()
                if any(source.topic.name == topic for source in self.service.inputs)
            }
        )
        self.relay.hand_over([row for row in rows if row.lane in self.lanes])
        self.beat_due = True
        metrics.LANES_OWNED.set(len(self.lanes))
        log.info("lanes_claimed", lanes=len(self.lanes), generation=generation)
        return True

    async def _claim_again(self) -> None:
        """After a fence: our rows are not what we think; a claim asks the group first."""
        self._drop_lanes()
        self.claim_due = True
        await asyncio.sleep(RETRY_SECONDS)

    async def _reconnect(self) -> None:
        self._drop_lanes()
        self.claim_due = True
        if self.connection is not None:
            self.connection.terminate()
            self.connection = None
        await asyncio.sleep(RETRY_SECONDS)

    async def _stop_lanes(self, loss: LogLoss) -> None:
        """A log lost records: stop the lanes that read it (all, when none is named) and page; never skip."""
        stopped = loss.lanes or tuple(self.lanes)
        log.error("lane_stopped", lanes=stopped, reason=str(loss))
        self.stopped_lanes |= dict.fromkeys(stopped, str(loss))
        await self._claim_again()

    # -- polls ---------------------------------------------------------------------------------------------------

    def _limit(self, lane: Lane, source: Input) -> date | None:
        """The last business date this input may be read up to now."""
        limits: list[date] = []
        is_after_the_cut = source.internal and not source.all_to_all
        gate = self.facts.gate(after_the_cut=is_after_the_cut) if source.facts_gate else None
        if gate is not None:
            limits.append(gate)
        limits += [lane.inputs[topic].open_date for topic in source.waits_for_inputs]
        open_date = lane.inputs[source.topic.name]
        if source.waits_for_decided is not None and open_date.last_cut is not None:
            decided = self.beats.decided.get(source.waits_for_decided)
            limits.append(next_trading_day(decided) if decided else open_date.first_cut or date.min)
        if source.waits_for_closed is not None and open_date.last_cut is not None:
            closed = lane.cycles[source.waits_for_closed].last_closed
            limits.append(next_trading_day(closed) if closed else open_date.first_cut or date.min)
        return min(limits, default=None)

    def _choose(self) -> list[Slice]:
        """Cut this poll's records out of the buffers: a fair share of records and bytes for each partition with any."""
        waiting = [
            (lane, source, place)
            for lane in self.lanes.values()
            for source in self.service.inputs
            if self._has_records(place := TopicPartition(source.topic.name, lane.number))
        ]
        chosen: list[Slice] = []
        for lane, source, place in waiting:
            bytes_most = (PACKED_BYTES_PER_POLL if source.internal else BYTES_PER_POLL) // len(waiting)
            records_most = max(1, RECORDS_PER_POLL // len(waiting))
            share = _share(self.intake.buffers[place].records, bytes_most, records_most)
            part = self.poll.slicing.cut(place, source, lane, share, self._limit(lane, source), len(share))
            if part is not None:
                chosen.append(part)
        return chosen

    def _has_records(self, place: TopicPartition) -> bool:
        buffer = self.intake.buffers.get(place)
        return buffer is not None and bool(buffer.records)

    async def _poll_records(self, slices: list[Slice]) -> None:
        started = time.perf_counter()
        lanes = list({part.lane.number: part.lane for part in slices}.values())
        await self.guards.points.reach("before_lock")
        with poll_span(slices):
            async with self._transaction(lanes) as work:
                await self.poll.move(work, slices)
                await self.poll.decide(work, slices)
        for part in slices:
            part.lane.inputs[part.place.topic] = part.after
            self.intake.took(part.place, part.taken)
            metrics.RECORDS_READ.labels(topic=part.place.topic).inc(part.taken)
            metrics.RECORDS_LATE.labels(topic=part.place.topic).inc(_late(part.records))
        metrics.POLL_SECONDS.observe(time.perf_counter() - started)
        metrics.POLL_RECORDS.observe(sum(part.taken for part in slices))
        oldest = min(part.records[0].recorded_at for part in slices)
        metrics.STAGE_AGE_SECONDS.observe(max(0.0, time.time() - oldest.timestamp()))
        self.beat_due |= work.wakes_others
        self.beat_at = min(self.beat_at, time.monotonic() + BEAT_SECONDS)

    async def _poll_beats(self) -> bool:
        async with self._transaction(list(self.lanes.values())) as work:
            moved = await self.beats.step(work, self.lanes)
        return moved

    @contextlib.asynccontextmanager
    async def _transaction(self, lanes: list[Lane]) -> Any:
        """The poll transaction: everything between the row locks and COMMIT, then memory and the relay."""
        connection = self.connection
        assert connection is not None
        transaction = connection.transaction()
        await transaction.start()
        try:
            work = Work(connection, self.service, {lane.number: lane for lane in lanes}, self.facts, self.guards)
            work.partitions = self.config.partitions
            await freeing_blockers(connection, self.service, self.poll.lock(work, lanes), self.membership.is_member)
            await self.facts.refresh(connection)
            yield work
            published = self.relay.take_published()
            await remove_published(connection, published)
            await work.flush()
            await self.guards.points.reach("before_commit")
        except BaseException as failure:
            metrics.POLLS.labels(result="rolled_back").inc()
            if not isinstance(failure, OSError):  # A silent connection would only be waited for once more.
                with contextlib.suppress(*DATABASE_TROUBLE):
                    await transaction.rollback()
            raise
        await transaction.commit()
        await self.guards.points.reach("after_commit")
        self._committed(work)

    def _committed(self, work: Work) -> None:
        work.committed()
        rows: list[OutboxRow] = work.rows
        self.relay.hand_over(rows)
        metrics.OUTBOX_BYTES.set(self.relay.waiting_bytes)
        metrics.POLLS.labels(result="committed").inc()
        self.progressed_at = self.removed_at = time.monotonic()
        metrics.LAST_PROGRESS.set_to_current_time()

    async def _remove_when_idle(self) -> None:
        if self.relay.published and time.monotonic() - self.removed_at > REMOVE_IDLE_SECONDS:
            await self.guards.points.reach("before_removal")
            async with self._transaction(list(self.lanes.values())):
                pass
        if time.monotonic() - self.removed_at > IDLE_SECONDS:
            self.beat_due = True

    async def _hint(self) -> None:
        """Commit positions for lag monitors, beside the money: the group's coordinator may not answer for long."""
        first = self.service.inputs[0].topic.name
        hinted: dict[int, int] = {}
        while True:
            await asyncio.sleep(HINT_SECONDS)
            reached = {number: lane.inputs[first].next_offset for number, lane in self.lanes.items()}
            if reached != hinted:
                hinted = reached
                await self.membership.hint(reached)

    # -- for pages -----------------------------------------------------------------------------------------------

    def is_ready(self) -> bool:
        """True when the lanes the group gave us are claimed, none is stopped and the loop moves."""
        settled = self.membership.rebalances > 0 and not self.claim_due and not self.membership.changed.is_set()
        owned = set(self.lanes) == set(self.membership.assigned)
        return settled and owned and not self.stopped_lanes and self.is_alive()

    def is_alive(self, within_seconds: float = 60.0) -> bool:
        """True while the loop moved within ``within_seconds``; a broker or database outage is not death."""
        return time.monotonic() - self.progressed_at < within_seconds or not self.lanes


def _late(records: list[Any]) -> int:
    """How many of a slice's records are decided later than they should be; a partition is in the order of time."""
    limit = datetime.fromtimestamp(time.time() - metrics.LATE_AFTER_SECONDS, UTC)
    return bisect.bisect_left(records, limit, key=lambda record: record.recorded_at)


def _share(records: Iterable[Any], bytes_most: int, records_most: int) -> list[Any]:
    """The first records of a buffer, within one place's part of the poll; at least one."""
    share: list[Any] = []
    size = 0
    for record in records:
        size += len(record.value or b"")
        if share and (size > bytes_most or len(share) >= records_most):
            break
        share.append(record)
    return share
