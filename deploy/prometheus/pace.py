"""Durations of rules, and a way to run the very same rules faster: a test cannot wait three days for a ticket."""

from __future__ import annotations

from dataclasses import dataclass

SHORTEST_SECONDS = 3


@dataclass(frozen=True)
class Pace:
    """How often the clock of the rules ticks in one second; 1 in production."""

    faster: int = 1

    def seconds(self, seconds: int) -> int:
        """A length of time in an expression."""
        return seconds if self.faster == 1 else max(SHORTEST_SECONDS, seconds // self.faster)

    def window(self, seconds: int) -> str:
        """The same as a PromQL duration."""
        paced = self.seconds(seconds)
        for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
            if paced % size == 0:
                return f"{paced // size}{unit}"
        return f"{paced}s"


MINUTE, HOUR, DAY = 60, 3_600, 86_400
