"""The simulated world: servers, actors, and what goes wrong at which step of the wire.

Every statement, fetch, send and heartbeat is a step with a number. A fault is (step, kind, seconds): drawn by the seed
while faults are wanted, or taken from a plan when a failing run is tried again and shrunk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from tests.simulation.loop import ACTOR, SimulatedLoop

FIRST_PID = 1_000


class Fault(NamedTuple):
    """What goes wrong at a step."""

    step: int
    kind: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.step}:{self.kind}:{self.seconds:.1f}"


DATABASE_FAULTS = ("kill", "kill_after", "freeze", "freeze_after", "cut", "cut_after", "slow", "restart")
SEND_FAULTS = ("kill", "kill_after", "freeze", "freeze_after", "refuse", "refuse_after", "slow")
READ_FAULTS = ("kill", "freeze", "refuse", "go_back", "slow")
GROUP_FAULTS = ("kill", "freeze", "refuse", "expel", "slow")
KINDS: Mapping[str, tuple[str, ...]] = {
    "database": DATABASE_FAULTS, "send": SEND_FAULTS, "fetch": READ_FAULTS, "heartbeat": GROUP_FAULTS,
}  # fmt: skip
LOSS = "lose"
"""A broker that loses what it acknowledged: only on request, since the engine must stop then and not go on."""
FREEZE_SECONDS = (0.5, 3.0, 8.0, 15.0)


@dataclass
class Faults:
    """Draws faults, or follows a plan. ``rate`` is the chance of a fault at one step."""

    chance: Random
    rate: float = 0.0
    most: int = 0
    plan: Mapping[int, Fault] | None = None
    happened: list[Fault] = field(default_factory=list)
    kinds: frozenset[str] = frozenset()
    """Only these, when there are any."""

    def _kinds(self, operation: str) -> list[str]:
        if not self.kinds:
            return list(KINDS[operation])
        possible = (*KINDS[operation], LOSS) if operation == "send" else KINDS[operation]
        return [kind for kind in possible if kind in self.kinds]

    def at(self, step: int, operation: str) -> Fault | None:
        """The fault of this step, if any."""
        draw, pick, seconds = self.chance.random(), self.chance.random(), self.chance.choice(FREEZE_SECONDS)
        if self.plan is not None:
            fault = self.plan.get(step)
            if fault is not None and fault.kind not in self._kinds(operation):
                fault = None
        elif draw < self.rate and len(self.happened) < self.most:
            kinds = self._kinds(operation)
            fault = Fault(step, kinds[int(pick * len(kinds))], seconds) if kinds else None
        else:
            fault = None
        if fault is not None:
            self.happened.append(fault)
        return fault


class World:
    """What all actors share."""

    def __init__(self, loop: SimulatedLoop, chance: Random, faults: Faults) -> None:
        self.loop, self.chance, self.faults = loop, chance, faults
        self.steps = 0
        self.pids = FIRST_PID
        self.faulty = False
        """True while faults may happen."""
        self.on_kill: Callable[[str], None] = loop.kill
        self.on_restart: Callable[[], None] = lambda: None
        self.story: list[str] = []

    def next_pid(self) -> int:
        """A number for a session."""
        self.pids += 1
        return self.pids

    def tell(self, text: str) -> None:
        """Note what happened, for the story of a failing run."""
        self.story.append(f"{self.loop.clock:9.4f} {ACTOR.get()}: {text}")

    async def before(self, operation: str, what: str) -> str:
        """The way to a server: time passes, and the actor may not survive it. Returns what the server makes of it."""
        if self.loop.is_over:
            raise asyncio.CancelledError
        self.steps += 1
        actor = ACTOR.get()
        mortal = self.faulty and "#" in actor
        fault = self.faults.at(self.steps, operation) if mortal else None
        await asyncio.sleep(self.chance.uniform(0.0002, 0.003))
        if fault is None:
            return ""
        self.tell(f"fault {fault} at {operation} {what}")
        kind, seconds = fault.kind, fault.seconds
        if kind == "kill":
            self.on_kill(actor)
            await self._never()
        if kind == "freeze":
            self.loop.freeze(actor, seconds)
            await asyncio.sleep(0)
            return ""
        if kind == "slow":
            await asyncio.sleep(seconds / 3)
            return ""
        if kind == "restart":
            self.on_restart()
            return ""
        return f"{kind}:{seconds}"

    async def after(self, outcome: str) -> None:
        """The way back: the server has done it, and the actor may never hear of it."""
        kind, _, seconds = outcome.partition(":")
        actor = ACTOR.get()
        if kind == "kill_after":
            self.on_kill(actor)
            await self._never()
        if kind == "freeze_after":
            self.loop.freeze(actor, float(seconds))
            await asyncio.sleep(0)

    async def _never(self) -> None:
        await self.loop.create_future()

    def later(self, seconds: float, act: Callable[..., Any], *args: Any) -> None:
        """Something the servers do by themselves."""
        self.loop.later(seconds, act, *args)
