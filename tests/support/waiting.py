"""Waiting for something to become true, instead of sleeping and hoping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], Awaitable[bool]], *, seconds: float = 20.0, every: float = 0.05) -> None:
    """Return as soon as ``condition`` holds; fail the test after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"did not hold within {seconds} s: {condition.__qualname__}"
        await asyncio.sleep(every)
