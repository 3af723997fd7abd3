"""Every state of small worlds: the protocol is safe with all its guards, and each guard is needed.

A counterexample is printed as the steps that lead to it. What the model leaves out is told in ``docs/testing.md``.
"""

from __future__ import annotations

import pytest

from tests.model.delivery_state import STRUCTURAL, Settings
from tests.model.delivery_steps import FAULT, Delivery
from tests.model.explorer import Result, TooLarge, explore
from tests.support.chaos_guards import REPLACEMENTS

Inputs = tuple[tuple[str, ...], ...]
ONE_LANE: Inputs = (("a", "a", "cut", "b"),)
TWO_LANES: Inputs = (("a", "cut"), ("b", "cut"))
FEW_RECORDS: Inputs = (("a", "cut"), ("cut",))
"""Two lanes that are small enough to be explored with a fault on every run."""
NEEDED = {
    # Guard: the smallest world and number of faults in which its absence shows, and what then is wrong.
    "claim": (ONE_LANE, 1, "STUCK: at rest the next service has"),
    "offsets": (ONE_LANE, 1, "the books of lane 0 hold"),
    "sequence": (ONE_LANE, 1, "although nothing was lost"),
    "gap": (ONE_LANE, 1, "the next service missed something"),
    "identity": (ONE_LANE, 0, "the books of lane 0 hold"),
    "heartbeat": (ONE_LANE, 1, "takes a lane from its owner"),
    "recovery": (ONE_LANE, 1, "STUCK: at rest the next service has"),
    "prefix": (ONE_LANE, 1, "although nothing was lost"),
    "hand_over_after_commit": (ONE_LANE, 0, "committed is only"),
    "marker_after_all": (ONE_LANE, 0, "the next service missed something"),
    "all_lanes_read": (TWO_LANES, 0, "the next service missed something"),
    "waits_for_closed": (ONE_LANE, 0, "on the wrong side of the marker"),
}


def explored(inputs: Inputs, faults: int, *without: str) -> Result[object]:
    delivery = Delivery(Settings(inputs, faults, frozenset(without)))
    return explore(
        delivery.settings.first(),
        delivery.steps,
        delivery.wrong,
        delivery.unfinished,
        lambda label: label.startswith(FAULT),
    )


@pytest.mark.parametrize(
    ("inputs", "faults", "states"),
    [(ONE_LANE, 0, 50), (TWO_LANES, 0, 100), (ONE_LANE, 1, 4_000), (FEW_RECORDS, 1, 50_000)],
)
def test_with_all_guards_nothing_wrong_can_be_reached(inputs: Inputs, faults: int, states: int) -> None:
    result = explored(inputs, faults)
    assert result.is_safe, str(result)
    assert result.states > states, "the world is smaller than it was: does every step still happen?"
    assert result.endings > 0


@pytest.mark.model_large
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(("inputs", "faults", "states"), [(ONE_LANE, 2, 100_000), (TWO_LANES, 1, 100_000)])
def test_larger_worlds_are_safe_too(inputs: Inputs, faults: int, states: int) -> None:
    result = explored(inputs, faults)
    assert result.is_safe, str(result)
    assert result.states > states


@pytest.mark.parametrize("guard", NEEDED)
def test_without_a_guard_there_is_a_counterexample(guard: str) -> None:
    inputs, faults, expected = NEEDED[guard]
    result = explored(inputs, faults, guard)
    assert not result.is_safe, f"nothing shows that {guard} is needed"
    print(f"without {guard}: {result}")  # noqa: T201 - a counterexample is there to be read (`pytest -s`).
    assert expected in result.trace[-1], str(result)


def test_every_guard_was_taken_out() -> None:
    assert NEEDED.keys() == STRUCTURAL | REPLACEMENTS.keys()


def test_a_world_that_is_too_large_is_not_called_explored() -> None:
    delivery = Delivery(Settings(ONE_LANE, 1))
    with pytest.raises(TooLarge):
        explore(
            delivery.settings.first(),
            delivery.steps,
            delivery.wrong,
            delivery.unfinished,
            lambda _: False,
            states_max=100,
        )


def test_a_guard_that_does_not_exist_can_not_be_taken_out() -> None:
    with pytest.raises(ValueError, match="no such guards"):
        Settings(ONE_LANE, 0, frozenset({"courage"}))
