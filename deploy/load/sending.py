"""Sends lines at their intended moments (open loop), or as fast as they are answered (``max``)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiokafka import AIOKafkaProducer

from deploy.load.flight import Flight
from shared.events.envelope import event_headers
from shared.events.topics import PAYROLL_CONTRIBUTIONS
from shared.values.hashing import murmur2_many

TICK_SECONDS = 0.005
"""Lines gather this long, as with a client's linger; one by one they cost sender and broker several times more."""
LINES_PER_TURN = 2_000
WINDOW_LINES = 20_000
"""With ``max``: how many lines may be unanswered at a time, at the highest point of the profile."""
TURNS_PER_WINDOW = 10
"""A window is filled in parts of this size at most: to wait until all of it is answered would be a stop and go."""


@dataclass
class Sender:
    """One producer for the lines of a run."""

    producer: AIOKafkaProducer
    flight: Flight
    pay_date: str
    partitions: int

    async def open_loop(self, began: float) -> None:
        """Send every line when it is due, ``began`` being the moment 0 of the schedule (seconds since 1970)."""
        flight, due = self.flight, self.flight.intended
        line, total = 0, len(flight)
        while line < total:
            ready = int(np.searchsorted(due, time.time(), side="right"))
            if ready <= line:
                await asyncio.sleep(min(max(due[line] - time.time(), 0.0), 0.1) or TICK_SECONDS)
                continue
            await self.send(line, min(ready - line, LINES_PER_TURN))
            line += min(ready - line, LINES_PER_TURN)
            await asyncio.sleep(TICK_SECONDS)
        await self.producer.flush()

    async def closed_loop(self, began: float, seconds: float, share: Callable[[float], float]) -> int:
        """Send for ``seconds`` from ``began`` on with a bounded number of lines unanswered; returns how many were sent.

        ``share`` says how much of ``WINDOW_LINES`` that is at a moment (seconds after the start). Here a line is
        intended when it is sent, so the figures say how much goes through, not how long it takes.
        """
        flight, line = self.flight, 0
        await asyncio.sleep(max(0.0, began - time.time()))
        while line < len(flight) and (now := time.time()) < began + seconds:
            window = max(1, round(WINDOW_LINES * share(now - began)))
            turn = min(max(1, window // TURNS_PER_WINDOW), LINES_PER_TURN, len(flight) - line)
            count = min(window - (line - flight.answered_lines), turn)
            if count < turn:
                await asyncio.sleep(TICK_SECONDS)
                continue
            flight.intended[line : line + count] = now
            await self.send(line, count)
            line += count
            await asyncio.sleep(0)
        await self.producer.flush()
        return line

    async def send(self, first: int, count: int) -> None:
        """Hand lines to the client, a batch per partition; their acknowledgement is noted when it comes."""
        messages = self.flight.crowd.lines(first, count, self.pay_date)
        hashes = murmur2_many([message.key.encode() for message in messages])
        batches: dict[int, tuple[Any, list[int]]] = {}
        for line, (message, hashed) in enumerate(zip(messages, hashes, strict=True), first):
            partition = hashed % self.partitions
            headers = event_headers(message.ce_id, message.ce_source, message.ce_type)
            key = message.key.encode()
            if partition not in batches:
                batches[partition] = (self.producer.create_batch(), [])
            batch, lines = batches[partition]
            if batch.append(key=key, value=message.value, timestamp=None, headers=headers) is None:
                await self._ship(partition, batch, lines)
                batch, lines = batches[partition] = (self.producer.create_batch(), [])
                batch.append(key=key, value=message.value, timestamp=None, headers=headers)
            lines.append(line)
        for partition, (batch, lines) in batches.items():
            await self._ship(partition, batch, lines)

    async def _ship(self, partition: int, batch: Any, lines: list[int]) -> None:
        batch.close()
        sending = await self.producer.send_batch(batch, PAYROLL_CONTRIBUTIONS.name, partition=partition)
        self.flight.sent[lines] = time.time()
        sending.add_done_callback(lambda done: self._acknowledge(done, lines))

    def _acknowledge(self, done: asyncio.Future[Any], lines: list[int]) -> None:
        if not done.cancelled() and done.exception() is None:
            self.flight.acknowledged[lines] = time.time()
