"""The checks that make the protocol safe, each a small object that a test can swap out to see the suite go red.

Production wiring uses the classes of this file as they are; nothing here can be switched off by a setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.runtime.errors import Fenced, LogLoss


class ClaimGuard:
    """A poll may only write while its claim is the stored one (a zombie wakes up with an old one)."""

    def check(self, claimed: dict[int, tuple[int, int]], stored: dict[int, tuple[int, int]]) -> None:
        """Raise ``Fenced`` when any lane's (incarnation, generation) is not the claimed one."""
        if claimed != {lane: stored.get(lane) for lane in claimed}:
            raise Fenced(f"claims moved: had {claimed}, stored {stored}")

    def may_take(self, answered: int | None, mine: int) -> bool:
        """A claim is granted only at the generation at which the group answers a heartbeat, under the row locks.

        Then nobody can have claimed at a later one. That the stored one is higher only says that the group had expired
        and its generations began anew.
        """
        return answered == mine


class OffsetGuard:
    """A poll may only start where the lane's stored position is (redelivery, unknown commits)."""

    def check(self, expected: int, moved: int) -> None:
        """Raise ``Fenced`` when fewer positions moved than were polled."""
        if expected != moved:
            raise Fenced(f"{expected - moved} of {expected} positions were not where this worker read from")

    def check_read(self, stored: int, fetched: int) -> None:
        """Raise ``Fenced`` when a reader hands over a record from before the lane's position."""
        if fetched < stored:
            raise Fenced(f"a reader went back to offset {fetched}, the lane is at {stored}")


class SequenceGuard:
    """Internal records arrive at least once; each is applied once, in the order of its stream."""

    def is_repeat(self, last: tuple[int, int], epoch: int, seq: int) -> bool:
        """True for a record that was applied before (same epoch, not newer) or of an older epoch."""
        return (epoch, seq) <= last


class GapGuard:
    """A jump in a stream's sequence, or in an internal log's offsets, means loss: stop, never skip."""

    def check_sequence(self, lane: int, stream: str, last: tuple[int, int], epoch: int, seq: int) -> None:
        """Raise ``LogLoss`` unless ``seq`` continues ``last`` (a new epoch starts at 1)."""
        expected = last[1] + 1 if epoch == last[0] else 1
        if seq != expected:
            raise LogLoss(f"stream {stream}: expected {epoch}/{expected}, got {epoch}/{seq}", lane)

    def check_offset(self, topic: str, partition: int, expected: int, got: int) -> None:
        """Raise ``LogLoss`` when a dense log skips an offset."""
        if got != expected:
            raise LogLoss(f"{topic}/{partition}: expected offset {expected}, got {got}", partition)


class IdentityGuard:
    """A request that was decided before is never decided again."""

    def known(self, found: Mapping[bytes, object], identity: bytes) -> bool:
        """True when ``identity`` was decided before."""
        return identity in found


class Points:
    """Named places in the life of a poll, for tests that kill a worker exactly there. Does nothing itself."""

    async def reach(self, name: str) -> None:
        """Called as each place is passed."""


@dataclass(frozen=True)
class Guards:
    """All guards of a worker."""

    claim: ClaimGuard = field(default_factory=ClaimGuard)
    offsets: OffsetGuard = field(default_factory=OffsetGuard)
    sequence: SequenceGuard = field(default_factory=SequenceGuard)
    gap: GapGuard = field(default_factory=GapGuard)
    identity: IdentityGuard = field(default_factory=IdentityGuard)
    points: Points = field(default_factory=Points)
