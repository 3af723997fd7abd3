"""As fast as lines are answered: never more unanswered than the profile says, and intended when they are sent."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import pytest
from aiokafka.producer.message_accumulator import BatchBuilder

from deploy.load.flight import Flight
from deploy.load.people import Crowd
from deploy.load.sending import WINDOW_LINES, Sender

SECONDS = 0.5


class Silence:
    """A client of a broker that takes every batch, and behind which nobody answers."""

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(1 << 20, 0, is_transactional=False)

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[Any]:
        done = asyncio.get_running_loop().create_future()
        done.set_result((topic, partition, batch.record_count()))
        return done

    async def flush(self) -> None:
        return None


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01])
async def test_a_share_of_the_window_is_what_may_be_unanswered(share: float) -> None:
    flight = Flight(Crowd("abc123", 10), np.zeros(4_000))
    sender: Any = Sender(Silence(), flight, "2026-11-20", 8)  # type: ignore[arg-type]
    began = time.time()
    sent = await sender.closed_loop(began, SECONDS, lambda _second: share)
    assert sent == flight.sent_lines == max(1, round(WINDOW_LINES * share))
    assert np.all(flight.intended[:sent] >= began)


async def test_the_window_follows_the_profile_and_nothing_is_sent_before_the_start() -> None:
    flight = Flight(Crowd("abc123", 10), np.zeros(4_000))
    sender: Any = Sender(Silence(), flight, "2026-11-20", 8)  # type: ignore[arg-type]
    began = time.time() + 0.1
    sent = await sender.closed_loop(began, SECONDS, lambda second: 0.001 if second < SECONDS / 2 else 0.002)
    assert sent == round(WINDOW_LINES * 0.002)
    assert flight.intended[0] >= began
    assert np.all(flight.intended[round(WINDOW_LINES * 0.001) : sent] >= began + SECONDS / 2)
