"""What a chaos test puts in the place of the frame's points and guards; production code knows nothing of it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from shared.runtime.guards import ClaimGuard, GapGuard, Guards, IdentityGuard, OffsetGuard, Points, SequenceGuard
from shared.runtime.metrics import BUFFERED_BYTES, RECORDS_PUBLISHED

FOLDER_VARIABLE = "NESTWORK_TEST_FOLDER"
WITHOUT_VARIABLE = "NESTWORK_TEST_WITHOUT"
POLL_RECORDS_VARIABLE = "NESTWORK_TEST_POLL_RECORDS"
SIGNALS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}


class NoClaim(ClaimGuard):
    """Whoever believes to own a lane may write."""

    def check(self, claimed: dict[int, tuple[int, int]], stored: dict[int, tuple[int, int]]) -> None:
        """Accept any claim."""


class NoOffset(OffsetGuard):
    """A poll may start anywhere."""

    def check(self, expected: int, moved: int) -> None:
        """Accept any position."""

    def check_read(self, stored: int, fetched: int) -> None:
        """Accept any record."""


class NoSequence(SequenceGuard):
    """Every record is taken for new."""

    def is_repeat(self, last: tuple[int, int], epoch: int, seq: int) -> bool:
        """Never."""
        return False


class NoGap(GapGuard):
    """Nothing is ever missed."""

    def check_sequence(self, lane: int, stream: str, last: tuple[int, int], epoch: int, seq: int) -> None:
        """Accept any number."""

    def check_offset(self, topic: str, partition: int, expected: int, got: int) -> None:
        """Accept any offset."""


class NoIdentity(IdentityGuard):
    """No request was ever decided before."""

    def known(self, found: Mapping[bytes, object], identity: bytes) -> bool:
        """Never."""
        return False


REPLACEMENTS: dict[str, type] = {
    "claim": NoClaim,
    "offsets": NoOffset,
    "sequence": NoSequence,
    "gap": NoGap,
    "identity": NoIdentity,
}


class FaultPoints(Points):
    """Kills or freezes this process at a point, when a file of the test asks for it.

    The file is called ``SERVICE.POINT`` or ``SERVICE.POINT.TOPIC`` and says ``kill 3 0``: at the third passing from now
    in one process (with a topic: of those that published something to it) with so many bytes fetched and not decided.
    It is renamed before the fault, so that the worker's successor lives.
    """

    def __init__(self, service: str, folder: Path) -> None:
        self.service, self.folder = service, folder
        self.passed: Counter[str] = Counter()
        self.published: dict[str, float] = {}

    async def reach(self, name: str) -> None:
        """Look for a wish and obey it."""
        for file in self.folder.glob(f"{self.service}.{name}*.wish"):
            topic = file.name.removeprefix(f"{self.service}.{name}").removesuffix(".wish").strip(".")
            if topic and not self._published_more(topic):
                continue
            self._count(file)

    def _published_more(self, topic: str) -> bool:
        count: float = RECORDS_PUBLISHED.labels(topic=topic)._value.get()
        before, self.published[topic] = self.published.get(topic, 0), count
        return count > before

    def _count(self, file: Path) -> None:
        try:
            action, number, buffered = file.read_text().split()
            if BUFFERED_BYTES._value.get() < int(buffered):
                return
            self.passed[file.name] += 1
            if self.passed[file.name] < int(number):
                return
            file.rename(file.with_suffix(f".{os.getpid()}.done"))
        except FileNotFoundError:
            return  # Another worker of this service had the fault.
        self.passed[file.name] = 0
        os.kill(os.getpid(), SIGNALS[action])


def guards_from(service: str, environment: Mapping[str, str]) -> Guards:
    """The production guards, but for those that the environment of a test names."""
    without = [name for name in environment.get(WITHOUT_VARIABLE, "").split(",") if name]
    points = FaultPoints(service, Path(environment[FOLDER_VARIABLE]))
    return Guards(points=points, **{name: REPLACEMENTS[name]() for name in without})
