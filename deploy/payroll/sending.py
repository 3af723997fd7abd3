"""Publish the lines of a kept file and hear their receipts, a bounded number at a time, from its checkpoint on."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice

from deploy.payroll.kept import Kept, Prepared
from deploy.payroll.receipts import ReceiptLog, open_receipt_log
from deploy.payroll.totals import closed_event, opened_event
from deploy.payroll.waiting import Batch, Waiting
from deploy.wire.outgoing import Outgoing
from deploy.wire.publish import BulkPublisher
from shared.events.payroll import Contribution
from shared.events.topics import PAYROLL_CONTRIBUTIONS, PAYROLL_RECEIPTS, PAYROLL_RUNS
from shared.runtime.errors import NestworkError
from shared.runtime.settings import Settings

BATCH_LINES = 2_000
BATCHES_MAX = 16
"""At most this many batches are on their way: the memory of a run, whatever the length of the file."""
CHECK_SECONDS = 1.0


class NoAnswers(NestworkError):
    """The engine answered no line for a long time; the file goes on from here when it is sent again."""


Say = Callable[[int], None]
"""Called with the number of lines that are done."""


class FileSending:
    """Sends one file. ``waits`` for receipts, or is content when the broker has the lines."""

    def __init__(
        self, config: Settings, publisher: BulkPublisher, kept: Kept, *, waits: bool = True,
        stall_seconds: float = 120.0, say: Say = lambda _: None,
    ) -> None:  # fmt: skip
        self._config, self._publisher, self._kept = config, publisher, kept
        self._waits, self._stall_seconds, self._say = waits, stall_seconds, say
        self._waiting = Waiting()
        self._batches: deque[Batch] = deque()
        self._changed = asyncio.Condition()
        self._answered_at = time.monotonic()
        self._starts: dict[int, dict[str, int]] = {}
        self._closed_totals = kept.state.with_totals and not kept.state.malformed

    async def run(self) -> None:
        """Send what is left of the file. Raises ``NoAnswers``, ``KafkaError``; run again, it goes on."""
        state = self._kept.state
        state.awaits_receipts = self._waits
        if self._waits:
            partitions = await self._publisher.partitions(PAYROLL_RECEIPTS.name)
            async with open_receipt_log(self._config, partitions, state.ce_source) as log:
                await self._begin_hearing(log)
                state.phase = "sending"
                self._kept.save()
                hearing = asyncio.create_task(self._hear(log))
                try:
                    await self._send_all(log, hearing)
                finally:
                    hearing.cancel()
                    with suppress(asyncio.CancelledError):
                        await hearing
        else:
            await self._send_all(None, None)
        state.phase = "done"
        self._kept.save()
        self._kept.forget_lines()

    async def _begin_hearing(self, log: ReceiptLog) -> None:
        """Go to where answers may begin; what was answered after an earlier run's checkpoint is not sent again."""
        state = self._kept.state
        await log.seek(state.receipts_from)
        if state.receipts_from:
            under_way = islice(self._kept.prepared(state.sent), BATCHES_MAX * BATCH_LINES)
            self._waiting.answered_before(await log.catch_up({line.ce_id for line in under_way}))
        else:
            state.receipts_from = log.positions()

    async def _send_all(self, log: ReceiptLog | None, hearing: asyncio.Task[None] | None) -> None:
        state = self._kept.state
        if state.with_totals:
            await self._publisher.publish(PAYROLL_RUNS.name, [opened_event(run, state.ce_source) for run in state.runs])
        remaining, begins = self._kept.prepared(state.sent), state.receipts_from
        for number, lines in enumerate(_batches(remaining)):
            await self._until(lambda: len(self._batches) < BATCHES_MAX, hearing)
            batch, unanswered = Batch(number, len(lines), time.monotonic()), lines
            if log is not None:
                self._starts[number] = begins if number < BATCHES_MAX else log.positions()
                unanswered = self._waiting.expect(batch, lines)
            self._batches.append(batch)
            await self._publisher.publish(
                PAYROLL_CONTRIBUTIONS.name, [_outgoing(line, state.ce_source) for line in unanswered]
            )
            if log is None:
                batch.waiting = 0
            self._finish_answered()
        await self._until(lambda: not self._batches, hearing)
        if self._closed_totals:
            await self._publisher.publish(PAYROLL_RUNS.name, [closed_event(run, state.ce_source) for run in state.runs])

    async def _until(self, holds: Callable[[], bool], hearing: asyncio.Task[None] | None) -> None:
        """Wait for answers. Raises ``NoAnswers`` when none came for long, and whatever ended the hearing."""
        while not holds():
            if hearing is not None and hearing.done():
                hearing.result()
            if time.monotonic() - self._answered_at > self._stall_seconds:
                raise NoAnswers(f"no receipt came for {self._stall_seconds:.0f} s; {len(self._waiting)} lines wait")
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS), self._changed:
                    await self._changed.wait_for(holds)

    async def _hear(self, log: ReceiptLog) -> None:
        while True:
            receipts = await log.next()
            taken = sum([self._waiting.take(receipt) for receipt in receipts])
            if taken:
                self._answered_at = time.monotonic()
            elif not self._batches:
                self._answered_at = time.monotonic()  # Nothing is awaited, so nothing is late.
            self._give_up_what_was_passed_over()
            if self._finish_answered():
                async with self._changed:
                    self._changed.notify_all()

    def _give_up_what_was_passed_over(self) -> None:
        """Later batches are answered and this one is old: its last lines get no answer, but the file goes on."""
        head = self._batches[0] if self._batches else None
        if head is None or head.is_answered or time.monotonic() - head.sent_at < self._stall_seconds:
            return
        if any(batch.is_answered for batch in self._batches):
            self._waiting.give_up(head)

    def _finish_answered(self) -> bool:
        """Move the checkpoint over the answered batches at the head; true when it moved."""
        state, moved = self._kept.state, False
        while self._batches and self._batches[0].is_answered:
            batch = self._batches.popleft()
            batch.add_to(state)
            self._kept.append_rejects(batch.rejects)
            self._starts.pop(batch.number, None)
            state.receipts_from = self._starts.get(batch.number + 1, state.receipts_from)
            moved = True
        if moved:
            self._kept.save()
            self._say(state.sent)
        return moved


def _batches(lines: Iterator[Prepared]) -> Iterator[list[Prepared]]:
    while batch := list(islice(lines, BATCH_LINES)):
        yield batch


def _outgoing(line: Prepared, ce_source: str) -> Outgoing:
    return Outgoing(line.participant_id, line.body, Contribution.ce_type, line.ce_id, ce_source)
