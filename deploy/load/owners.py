"""Whose money it is in the end: what the books hold for each participant and source, beside what was sent. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from deploy.load.people import SOURCES, Crowd, line_amounts

EXAMPLES_MAX = 20


class Owners:
    """Cents by participant and source that the first ``lines`` lines of a run said, to be found in the books."""

    def __init__(self, crowd: Crowd, lines: int) -> None:
        self._crowd = crowd
        self._missing: npt.NDArray[np.int64] = np.zeros((crowd.participants, len(SOURCES)), dtype=np.int64)
        for line in range(lines):
            number = line % crowd.participants
            self._missing[number] += line_amounts(line, number)
        self._strangers: list[str] = []
        self.found_cents = 0

    def found(self, participant: str, source: str, cents: int) -> None:
        """The books hold ``cents`` at cost for a participant of this run (ids begin with its tag)."""
        self.found_cents += cents
        number = participant.removeprefix(self._crowd.prefix)
        if source in SOURCES and number.isdecimal() and int(number) < self._crowd.participants:
            self._missing[int(number), SOURCES.index(source)] -= cents
        else:
            self._strangers.append(f"{cents} cents of {source} are invested for {participant}, who contributed none")

    def faults(self) -> list[str]:
        """Every participant and source whose cents are not what his lines said; some of them when they are many."""
        wrong = np.argwhere(self._missing)
        found = self._strangers[:EXAMPLES_MAX]
        for number, source in wrong[:EXAMPLES_MAX].tolist():
            missing = int(self._missing[number, source])
            said = f"{missing} cents are missing" if missing > 0 else f"there are {-missing} cents too much"
            found.append(f"of {SOURCES[source]} of {self._crowd.participant(number)} {said} in the books")
        if (more := len(wrong) + len(self._strangers) - len(found)) > 0:
            found.append(f"and {more} more positions that are not what was contributed")
        return found
