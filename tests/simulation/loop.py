"""An event loop with virtual time and seeded order: one actor's step at a time, and always the same for a seed.

An actor is a process of the simulated world (a worker, the outsider, the servers). Within an actor callbacks keep
asyncio's order; between actors the seed chooses. A frozen actor takes no step, a dead one never again: nothing of its
code runs, no ``finally``, no ``except``, as after kill -9.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import warnings
from collections import deque
from collections.abc import Coroutine
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, TypeVar

ACTOR: ContextVar[str] = ContextVar("actor", default="world")
START = 1_795_194_000.0
"""2026-11-20 12:00 in New York, in seconds since 1970."""
Result = TypeVar("Result")


class Stuck(Exception):
    """Nothing will ever happen again, or too much has happened."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """``chance`` chooses which actor goes on."""

    def __init__(self, chance: Random, steps_max: int = 5_000_000) -> None:
        super().__init__()
        self.chance, self.steps_left = chance, steps_max
        self.clock = 0.0
        self.queues: dict[str, deque[asyncio.Handle]] = {}
        self.frozen: set[str] = set()
        self.dead: set[str] = set()
        self.set_exception_handler(self._note)
        self.complaints: list[BaseException] = []
        self.tasks: list[asyncio.Task[Any]] = []
        """All there ever were: a killed actor's code must not run its ``finally`` when memory is tidied up."""
        self.is_over = False

    def time(self) -> float:
        """Seconds since the world began."""
        return self.clock

    def wall_clock(self) -> float:
        """Seconds since 1970, as the actors see them."""
        return START + self.clock

    def _note(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        failure = context.get("exception")
        if failure is not None:
            self.complaints.append(failure)

    def _run_once(self) -> None:
        self.steps_left -= 1
        if self.steps_left < 0:
            raise Stuck("too many steps")
        self._sort_ready()
        awake = [name for name, queue in self.queues.items() if queue and name not in self.frozen]
        while not awake:
            self._wait_for_timer()
            self._sort_ready()
            awake = [name for name, queue in self.queues.items() if queue and name not in self.frozen]
        handle = self.queues[awake[0] if len(awake) == 1 else self.chance.choice(awake)].popleft()
        if not handle._cancelled:
            handle._run()

    def _sort_ready(self) -> None:
        """Give each ready callback to its actor's queue."""
        scheduled = self._scheduled
        while scheduled and (scheduled[0]._cancelled or scheduled[0].when() <= self.clock):
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            if not timer._cancelled:
                self._ready.append(timer)
        while self._ready:
            handle = self._ready.popleft()
            actor = handle._context.get(ACTOR, "world")  # type: ignore[attr-defined]
            if actor not in self.dead and not handle._cancelled:
                self.queues.setdefault(actor, deque()).append(handle)

    def _wait_for_timer(self) -> None:
        scheduled = self._scheduled
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        if not scheduled:
            raise Stuck("everybody waits for somebody")
        self.clock = max(self.clock, scheduled[0].when())

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """As asyncio's, and remembered."""
        task = super().create_task(coro, **options)
        self.tasks.append(task)
        return task

    # -- actors ------------------------------------------------------------------------------------------------------

    def start(self, actor: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine as this actor."""
        context = copy_context()
        context.run(ACTOR.set, actor)
        return self.create_task(work, context=context)

    def later(self, seconds: float, act: Any, *args: Any) -> asyncio.TimerHandle:
        """Let the world do something after a while, whatever becomes of the actor that asks."""
        return self.call_later(seconds, act, *args, context=Context())

    def kill(self, actor: str) -> None:
        """End an actor at once."""
        self.dead.add(actor)
        self.queues.pop(actor, None)

    def freeze(self, actor: str, seconds: float) -> None:
        """Stop an actor for a while (SIGSTOP); it wakes up with everything it had."""
        self.frozen.add(actor)
        self.later(seconds, self.frozen.discard, actor)

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no file descriptors."""

    def _write_to_self(self) -> None:
        """There are no other threads."""


def run(loop: SimulatedLoop, work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end of ``work`` and leave nothing behind."""
    try:
        return loop.run_until_complete(work)
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loop.is_over = True
            for task in loop.tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                with contextlib.suppress(BaseException):
                    task.get_coro().close()  # type: ignore[union-attr]
            loop._ready.clear()
            loop._scheduled.clear()
            loop.close()
