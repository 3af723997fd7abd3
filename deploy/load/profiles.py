"""How much is offered when: every line has an intended moment, fixed before the run. Pure.

A schedule never looks at the engine. If the engine (or the sender) falls behind, the lines that should have gone out
meanwhile keep their intended moments, so waiting shows up as latency and is not left out of the figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

ProfileName = Literal["steady", "ramp", "cutoff-rush", "spike", "backlog", "soak", "kill"]
PROFILES: tuple[ProfileName, ...] = get_args(ProfileName)

Seconds = npt.NDArray[np.float64]
RAMP_STEPS = 10
SOAK_DAY_SECONDS = 60.0
"""A soak closes a business day about this often."""
KILL_EVERY_SECONDS = 15.0
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_PIECE = re.compile(rf"({_NUMBER.pattern}):({_NUMBER.pattern})(?:-({_NUMBER.pattern}))?")
CUT_IN_RUSH = 0.8
"""The cut falls into the rush after this part of the run."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time in which the rate goes evenly from one value to another (lines per second)."""

    seconds: float
    rate_from: float
    rate_to: float


@dataclass(frozen=True, slots=True)
class Profile:
    """What a run looks like, apart from its size."""

    pieces: Callable[[float, float], list[Piece]]
    """(rate, seconds) to the pieces of the run."""
    cuts: Callable[[float], list[float]] = lambda _seconds: []
    """Seconds after the start at which a business day is closed while lines keep coming."""
    kills: Callable[[float], list[float]] = lambda _seconds: []
    """Seconds after the start at which a worker is killed."""
    waits: bool = False
    """All lines are in the log before the first service starts."""


def _even(rate: float, seconds: float) -> list[Piece]:
    return [Piece(seconds, rate, rate)]


def _ramp(rate: float, seconds: float) -> list[Piece]:
    step = seconds / RAMP_STEPS
    return [Piece(step, rate * number / RAMP_STEPS, rate * number / RAMP_STEPS) for number in range(1, RAMP_STEPS + 1)]


def _spike(rate: float, seconds: float) -> list[Piece]:
    calm = Piece(seconds * 0.4, rate * 0.2, rate * 0.2)
    return [calm, Piece(seconds * 0.2, rate, rate), calm]


def _rush(rate: float, seconds: float) -> list[Piece]:
    """Rises to the full rate, stays there over the cut, and falls off."""
    late = Piece(seconds * 0.1, rate * 0.3, rate * 0.3)
    return [Piece(seconds * 0.7, rate * 0.1, rate), Piece(seconds * 0.2, rate, rate), late]


def _every(step: float) -> Callable[[float], list[float]]:
    return lambda seconds: [step * number for number in range(1, int(seconds / step)) if step * number < seconds - step]


def _blows(seconds: float) -> list[float]:
    count = max(1, int(seconds / KILL_EVERY_SECONDS))
    return [seconds * (number + 0.5) / count for number in range(count)]


PROFILE: dict[ProfileName, Profile] = {
    "steady": Profile(_even),
    "ramp": Profile(_ramp),
    "cutoff-rush": Profile(_rush, cuts=lambda seconds: [seconds * CUT_IN_RUSH]),
    "spike": Profile(_spike),
    "backlog": Profile(_even, waits=True),
    "soak": Profile(_even, cuts=_every(SOAK_DAY_SECONDS)),
    "kill": Profile(_even, kills=_blows),
}
OWN = "own"
"""The name of a shape that was told (``read_shape``)."""


def read_shape(text: str) -> tuple[Piece, ...]:
    """The pieces of ``SECONDS:RATE`` or ``SECONDS:FROM-TO``, with commas between, lines per second.

    Raises ``ValueError`` for anything else.
    """
    pieces = []
    for part in text.split(","):
        found = _PIECE.fullmatch(part.strip())
        if found is None:
            raise ValueError(f"a piece is SECONDS:RATE or SECONDS:FROM-TO, not {part.strip()!r}")
        seconds, before, after = (float(one) if one else 0.0 for one in found.groups())
        piece = Piece(seconds, before, after if found[3] else before)
        if not seconds:
            raise ValueError(f"a piece takes time, not {part.strip()!r}")
        pieces.append(piece)
    return tuple(pieces)


def read_moments(text: str) -> tuple[float, ...]:
    """Seconds with commas between, ascending; nothing is none. Raises ``ValueError`` for anything else."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(_NUMBER.fullmatch(part) for part in parts):
        raise ValueError(f"seconds after the start with commas between, not {text!r}")
    return tuple(sorted(float(part) for part in parts))


def own_profile(pieces: Sequence[Piece], cuts: Sequence[float] = (), kills: Sequence[float] = ()) -> Profile:
    """A profile of told pieces, with told closes of business days and kills (seconds after the start).

    Raises ``ValueError`` for a moment after the end.
    """
    ends = sum(piece.seconds for piece in pieces)
    if late := [moment for moment in (*cuts, *kills) if moment >= ends]:
        raise ValueError(f"{late[0]:g} s is not within the {ends:g} s of the shape")
    return Profile(lambda _rate, _seconds: list(pieces), lambda _seconds: list(cuts), lambda _seconds: list(kills))


def intended_seconds(pieces: Sequence[Piece]) -> Seconds:
    """When each line is due, in seconds after the start, ascending.

    Line k is due when the area under the rate reaches k + 1/2, so a rate of r spaces lines 1/r apart. Where all of it
    is less than a line, the one line is due at its half.
    """
    first = min(0.5, _area(pieces) / 2)
    found, begins, before = [], 0.0, 0.0
    for piece in pieces:
        after = before + _area([piece])
        areas: Seconds = np.arange(np.ceil(before - first), np.ceil(after - first), dtype=np.float64) + (first - before)
        found.append(begins + _when(areas, piece))
        begins, before = begins + piece.seconds, after
    return np.concatenate(found) if found else np.empty(0)


def _when(areas: Seconds, piece: Piece) -> Seconds:
    """The moments inside a piece at which its area reaches ``areas``."""
    slope = (piece.rate_to - piece.rate_from) / piece.seconds
    if not slope:
        return areas / piece.rate_from
    root: Seconds = np.sqrt(piece.rate_from**2 + 2 * slope * areas)
    return (root - piece.rate_from) / slope


def line_count(pieces: Sequence[Piece]) -> int:
    """How many lines a schedule has, without making it: at least one when anything is offered at all."""
    area = _area(pieces)
    return max(round(area), 1 if area else 0)


def _area(pieces: Sequence[Piece]) -> float:
    """The lines under the rate of ``pieces``, as a number with a fraction."""
    return sum(piece.seconds * (piece.rate_from + piece.rate_to) / 2 for piece in pieces)


def step_bounds(seconds: float) -> list[tuple[float, float]]:
    """Begin and end of each step of a ramp, in seconds after the start."""
    step = seconds / RAMP_STEPS
    return [(number * step, (number + 1) * step) for number in range(RAMP_STEPS)]


def share_of_peak(pieces: Sequence[Piece], second: float) -> float:
    """The rate at a moment as a share of the highest one; that of the nearest end outside the pieces' time.

    What is left of a shape where lines are sent as fast as they are answered (``--rate max``): the share of the lines
    that may be unanswered then.
    """
    peak = max(max(piece.rate_from, piece.rate_to) for piece in pieces)
    begins, rate = 0.0, pieces[0].rate_from
    for piece in pieces:
        if second < begins:
            break
        part = min((second - begins) / piece.seconds, 1.0)
        rate = piece.rate_from + (piece.rate_to - piece.rate_from) * part
        begins += piece.seconds
    return rate / peak
