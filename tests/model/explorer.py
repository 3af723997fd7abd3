"""Breadth first through every state that can be reached; the shortest way to a wrong one is the counterexample."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State", bound=Hashable)
Step = tuple[str, State]
"""What happens, in words, and what the world is afterwards."""


class TooLarge(Exception):
    """There are more states than were allowed for: the result would not be exhaustive."""


@dataclass(frozen=True)
class Result(Generic[State]):
    """``trace`` is empty when nothing wrong can be reached."""

    states: int
    endings: int
    trace: tuple[str, ...]

    @property
    def is_safe(self) -> bool:
        """True when every state was looked at and none is wrong."""
        return not self.trace

    def __str__(self) -> str:
        if self.is_safe:
            return f"{self.states} states, {self.endings} endings, nothing wrong"
        steps = "\n".join(f"{number:3}. {step}" for number, step in enumerate(self.trace, 1))
        return f"counterexample after {self.states} states:\n{steps}"


def explore(
    first: State,
    steps: Callable[[State], Iterable[Step[State]]],
    wrong: Callable[[State], str],
    unfinished: Callable[[State], str],
    is_fault: Callable[[str], bool],
    states_max: int = 3_000_000,
) -> Result[State]:
    """Look at every state once. ``wrong`` is asked of all, ``unfinished`` of those where only faults could go on."""
    came_from: dict[State, tuple[State, str] | None] = {first: None}
    ahead = deque([first])
    endings = 0
    while ahead:
        state = ahead.popleft()
        complaint = wrong(state)
        if complaint:
            return Result(len(came_from), endings, (*_way_to(state, came_from), f"WRONG: {complaint}"))
        goes_on = False
        for label, following in steps(state):
            goes_on |= following != state and not is_fault(label)
            if following not in came_from:
                came_from[following] = (state, label)
                ahead.append(following)
        if not goes_on:
            endings += 1
            complaint = unfinished(state)
            if complaint:
                return Result(len(came_from), endings, (*_way_to(state, came_from), f"STUCK: {complaint}"))
        if len(came_from) > states_max:
            raise TooLarge(f"more than {states_max} states")
    return Result(len(came_from), endings, ())


def _way_to(state: State, came_from: dict[State, tuple[State, str] | None]) -> Iterator[str]:
    way: list[str] = []
    before = came_from[state]
    while before is not None:
        state, label = before
        way.append(label)
        before = came_from[state]
    return reversed(way)
