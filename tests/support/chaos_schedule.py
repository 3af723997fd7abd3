"""A random schedule of faults with calm phases, and what each cost: recovery is timed, progress is demanded."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.support.chaos_bounds import PATIENCE
from tests.support.chaos_faults import FAULTS, Fault
from tests.support.chaos_field import Field
from tests.support.chaos_lanes import LaneWatch

CALM_SHARE = 0.25
SAMPLE_SECONDS = 0.2
FRESH_SECONDS = 2.0 * PATIENCE
"""Answers are up to date when no line waits longer than this."""
PROGRESS_SECONDS = 45.0 * PATIENCE
"""Under a fault that leaves somebody to take over, no line may wait longer: session, claim and a busy machine."""
HEAL_SECONDS = 120.0 * PATIENCE
"""And after any fault, answers must be up to date within this."""
ANSWERS_SECONDS = 8.0
"""A fault of this length that leaves somebody to go on must see answers while it lasts."""
MIX = [name for name in os.environ.get("CHAOS_FAULTS", "").split(",") if name]
"""The only faults of the run, by name; all when empty."""


@dataclass
class Episode:
    """One fault."""

    fault: str
    began: float
    """Seconds since the run began."""
    lasted: float = 0.0
    answered: int = 0
    """Lines answered between its beginning and its end."""
    silence: float = 0.0
    """The longest time within that in which no line at all was answered."""
    longest_wait: float = 0.0
    """The longest any line waited for its answer, from the fault's beginning until answers were up to date again."""
    recovered: float = 0.0
    """Seconds from the fault's end until answers were up to date, each partition had answered a line that came after
    that end, and every lane of every service had a worker."""
    ownerless: float = 0.0
    """The longest that a lane had no worker that answers, from the fault's beginning until ``recovered``."""
    ready_least: int = 0
    """The fewest workers that called themselves ready meanwhile."""
    said: list[str] = field(default_factory=list)
    """What the fault saw of its own."""


class Unlively(AssertionError):
    """Answers stood still when they should not have, or did not come back."""


def demand_progress(fault: str, waited: float) -> None:
    """While somebody can take over, during the fault and until it is healed, no line waits too long."""
    if waited > PROGRESS_SECONDS:
        raise Unlively(f"{fault}: no progress for {waited:.0f} s although others can take over")


def demand_answers(episode: Episode) -> None:
    """Whoever can go on does so during the fault, not after it."""
    if episode.lasted >= ANSWERS_SECONDS and not episode.answered:
        raise Unlively(f"{episode.fault}: no line was answered in the {episode.lasted:.0f} s it lasted")


class Schedule:
    """Runs faults one after the other; between them it waits until answers are up to date."""

    def __init__(self, field: Field) -> None:
        self.field, self.load = field, field.load
        self.lanes = LaneWatch(field.cluster, field.workers, field.load.config.partitions, field.doubles)
        self.episodes: list[Episode] = []
        self.started = time.monotonic()

    async def run(self, until: asyncio.Event) -> None:
        """Draw faults until told to stop; the one under way is finished and healed first."""
        dice = self.field.dice
        deck: list[Fault] = []
        possible = mix(self.field.left_out)
        looking = asyncio.create_task(self.lanes.run())
        try:
            while not until.is_set():
                if dice.random() < CALM_SHARE:
                    await _sleep(until, dice.uniform(5, 10))
                    continue
                if not deck:  # Every fault comes, the likelier ones more often, before any comes more often than due.
                    deck = [fault for fault in possible for _ in range(fault.weight)]
                    dice.shuffle(deck)
                await self.suffer(deck.pop())
                await _sleep(until, dice.uniform(0.5, 4))
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking

    async def suffer(self, fault: Fault) -> Episode:
        """One fault, from its beginning until all is well again."""
        episode = Episode(fault.name, time.monotonic() - self.started)
        self.episodes.append(episode)
        self.field.say = episode.said.append
        self.field.stops_all = fault.stops_all
        self.lanes.begin()
        before, began = self.load.answered, time.monotonic()
        heard, heard_at = before, began
        running: asyncio.Task[None] = asyncio.create_task(fault.run(self.field))
        while not running.done():
            self._watch(episode)
            if self.load.answered != heard:
                heard, heard_at = self.load.answered, time.monotonic()
            episode.silence = max(episode.silence, time.monotonic() - heard_at)
            await asyncio.wait({running}, timeout=SAMPLE_SECONDS)
        await running
        ended = time.monotonic()
        episode.lasted, episode.answered = ended - began, self.load.answered - before
        if not self.field.stops_all:
            demand_answers(episode)
        await self._heal(episode, ended)
        return episode

    async def _heal(self, episode: Episode, ended: float) -> None:
        # One look at a moment when nothing waits proves little: it must stay so.
        well_since = None
        while well_since is None or time.monotonic() - well_since < FRESH_SECONDS:
            self._watch(episode)
            if not self._is_well(ended):
                well_since = None
            elif well_since is None:
                well_since = time.monotonic()
            if time.monotonic() - ended > HEAL_SECONDS:
                raise Unlively(f"{episode.fault}: {HEAL_SECONDS:.0f} s after the end of the fault {self._lacks(ended)}")
            await asyncio.sleep(SAMPLE_SECONDS)
        episode.recovered = well_since - ended

    def _is_well(self, ended: float) -> bool:
        """Right after a kill everything still looks well: it counts what came, and who was asked, after it."""
        is_served = not self.load.unserved_since(ended) and self.lanes.is_whole_since(ended)
        return is_served and self.load.oldest() <= FRESH_SECONDS

    def _lacks(self, ended: float) -> str:
        return (
            f"a line still waits {self.load.oldest():.0f} s, partitions {self.load.unserved_since(ended)} answered "
            f"no newer line, lanes {self.lanes.lacking()} have no worker"
        )

    def _watch(self, episode: Episode) -> None:
        waited = self.load.oldest()
        episode.longest_wait = max(episode.longest_wait, waited)
        episode.ownerless, episode.ready_least = self.lanes.longest, self.lanes.ready_least
        if not self.field.stops_all:
            demand_progress(episode.fault, waited)

    def as_json(self) -> list[dict[str, Any]]:
        """The episodes, seconds to a tenth, and what was left out and why."""
        return [
            {name: round(value, 1) if isinstance(value, float) else value for name, value in asdict(one).items()}
            for one in self.episodes
        ] + [{"fault": name, "left_out": why} for name, why in self.field.left_out.items()]

    def summary(self) -> list[str]:
        """A line for each episode, and for each fault that was left out."""
        return [
            f"{one.fault}: lasted {one.lasted:.1f} s with {one.answered} answers and {one.silence:.1f} s without any, "
            f"longest wait {one.longest_wait:.1f} s, recovered after "
            f"{one.recovered:.1f} s, a lane had no worker for {one.ownerless:.1f} s, at least {one.ready_least} ready"
            + "".join(f"; {text}" for text in one.said)
            for one in self.episodes
        ] + [f"LEFT OUT {name}: {why}" for name, why in self.field.left_out.items()]


def mix(left_out: Mapping[str, str]) -> list[Fault]:
    """The faults to draw from. Raises ``ValueError`` when nothing is left, or a name is unknown."""
    names = {fault.name for fault in FAULTS}
    if unknown := sorted(set(MIX) - names):
        raise ValueError(f"there is no fault {', '.join(unknown)}; there are {', '.join(sorted(names))}")
    found = [fault for fault in FAULTS if fault.name in (MIX or names) and fault.name not in left_out]
    if not found:
        raise ValueError(f"no fault is left: {dict(left_out)}")
    return found


async def _sleep(until: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(until.wait(), seconds)
    except TimeoutError:
        return
