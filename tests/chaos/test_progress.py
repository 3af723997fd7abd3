"""What a long run demands while a fault lasts and until it is healed."""

from __future__ import annotations

import pytest

from tests.support.chaos_faults import FAULTS
from tests.support.chaos_schedule import (
    ANSWERS_SECONDS,
    PROGRESS_SECONDS,
    Episode,
    Unlively,
    demand_answers,
    demand_progress,
)

pytestmark = pytest.mark.chaos_short


def test_a_line_that_waits_too_long_ends_the_run() -> None:
    demand_progress("a_fault", PROGRESS_SECONDS)
    with pytest.raises(Unlively, match="no progress"):
        demand_progress("a_fault", PROGRESS_SECONDS + 1)


@pytest.mark.parametrize(("lasted", "answered"), [(ANSWERS_SECONDS, 1), (ANSWERS_SECONDS - 0.1, 0)])
def test_a_fault_with_answers_or_a_short_one_is_well(lasted: float, answered: int) -> None:
    demand_answers(Episode("a_fault", 0.0, lasted=lasted, answered=answered))


def test_a_fault_during_which_nothing_was_answered_ends_the_run() -> None:
    with pytest.raises(Unlively, match="no line was answered"):
        demand_answers(Episode("a_fault", 0.0, lasted=ANSWERS_SECONDS))


def test_only_where_nothing_can_be_decided_is_nothing_demanded() -> None:
    assert {fault.name for fault in FAULTS if fault.stops_all} == {
        "freeze_a_service", "all_brokers_die", "database_crashes", "database_restarts", "database_fails_over",
        "standby_dies", "slow_disk", "no_connections_left", "database_disk_full", "network_cut",
    }  # fmt: skip
