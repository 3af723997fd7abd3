"""A random schedule of faults with calm phases, and what each cost: recovery is timed, progress is demanded."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import asdict, dataclass
from typing import Any

from tests.support.chaos_faults import FAULTS, Fault, Field
from tests.support.chaos_load import Load

CALM_SHARE = 0.25
SAMPLE_SECONDS = 0.2
PATIENCE = float(os.environ.get("CHAOS_PATIENCE", "1"))
"""Stretches the limits below on a machine that is busy with other things."""
FRESH_SECONDS = 2.0 * PATIENCE
"""Answers are up to date when no line waits longer than this."""
PROGRESS_SECONDS = 45.0 * PATIENCE
"""Under a fault that leaves somebody to take over, no line may wait longer: session, claim and a busy machine."""
HEAL_SECONDS = 120.0 * PATIENCE
"""And after any fault, answers must be up to date within this."""


@dataclass
class Episode:
    """One fault."""

    fault: str
    began: float
    """Seconds since the run began."""
    lasted: float = 0.0
    answered: int = 0
    """Lines answered between its beginning and its end."""
    longest_wait: float = 0.0
    """The longest any line waited for its answer, from the fault's beginning until answers were up to date again."""
    recovered: float = 0.0
    """Seconds from the fault's end until answers were up to date."""


class Unlively(AssertionError):
    """Answers stood still when they should not have, or did not come back."""


class Schedule:
    """Runs faults one after the other; between them it waits until answers are up to date."""

    def __init__(self, field: Field) -> None:
        self.field, self.load = field, field.load
        self.episodes: list[Episode] = []
        self.started = time.monotonic()

    async def run(self, until: asyncio.Event) -> None:
        """Draw faults until told to stop; the one under way is finished and healed first."""
        dice = self.field.dice
        deck: list[Fault] = []
        while not until.is_set():
            if dice.random() < CALM_SHARE:
                await _sleep(until, dice.uniform(5, 10))
                continue
            if not deck:  # Every fault comes, the likelier ones more often, before any comes more often than its share.
                deck = [fault for fault in FAULTS for _ in range(fault.weight)]
                dice.shuffle(deck)
            await self.suffer(deck.pop())
            await _sleep(until, dice.uniform(0.5, 4))

    async def suffer(self, fault: Fault) -> Episode:
        """One fault, from its beginning until answers are up to date."""
        episode = Episode(fault.name, time.monotonic() - self.started)
        self.episodes.append(episode)
        before, began = self.load.answered, time.monotonic()
        running: asyncio.Task[None] = asyncio.create_task(fault.run(self.field))
        while not running.done():
            self._watch(episode, fault)
            await asyncio.wait({running}, timeout=SAMPLE_SECONDS)
        await running
        ended = time.monotonic()
        episode.lasted, episode.answered = ended - began, self.load.answered - before
        # One look at a moment when nothing waits proves little: it must stay so.
        fresh_since = None
        while fresh_since is None or time.monotonic() - fresh_since < FRESH_SECONDS:
            self._watch(episode, None)
            if self.load.oldest() > FRESH_SECONDS:
                fresh_since = None
            elif fresh_since is None:
                fresh_since = time.monotonic()
            if time.monotonic() - ended > HEAL_SECONDS:
                raise Unlively(
                    f"{fault.name}: a line still waits {self.load.oldest():.0f} s after the end of the fault"
                )
            await asyncio.sleep(SAMPLE_SECONDS)
        episode.recovered = fresh_since - ended
        return episode

    def _watch(self, episode: Episode, fault: Fault | None) -> None:
        episode.longest_wait = max(episode.longest_wait, self.load.oldest())
        if fault is not None and not fault.stops_all and self.load.oldest() > PROGRESS_SECONDS:
            raise Unlively(f"{fault.name}: no progress for {self.load.oldest():.0f} s although others can take over")

    def as_json(self) -> list[dict[str, Any]]:
        """The episodes, seconds to a tenth."""
        return [
            {name: round(value, 1) if isinstance(value, float) else value for name, value in asdict(one).items()}
            for one in self.episodes
        ]


async def _sleep(until: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(until.wait(), seconds)
    except TimeoutError:
        return


def in_words(load: Load) -> str:
    """Where a sender stands."""
    return f"{load.answered} answered, {len(load.unanswered)} wait, the oldest {load.oldest():.1f} s"
