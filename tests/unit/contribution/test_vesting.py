"""Vesting schedules, service, forfeitures (A12)."""

from __future__ import annotations

from datetime import date

import pytest

from services.contribution.rules.participant import Employment
from services.contribution.rules.vesting import (
    CLIFF_2,
    CLIFF_3,
    GRADED_2_6,
    IMMEDIATE,
    VestingSchedule,
    VestingTerms,
    breaks_in_service,
    is_as_fast_as,
    is_forfeited,
    use_forfeitures,
    vested_after_partial_distribution,
    vested_percent,
    vested_split,
    vesting_schedule_of,
    vesting_service,
    years_of_service,
)
from shared.values.money import cents_of
from tests.unit.contribution.builders import a_participant


def test_a12_match_after_four_years_of_2_6_graded() -> None:
    person = a_participant(employment=(Employment(date(2020, 1, 6), date(2024, 1, 31)),))
    percent = vested_percent(VestingTerms({"match": GRADED_2_6}), "match", person, date(2026, 11, 20))
    assert (cents_of("5062.37"), cents_of("3374.92")) == vested_split(cents_of("8437.29"), percent)
    assert vested_split(200_123, percent) == (120_074, 80_049)


def test_a12_forfeitures_pay_employer_money_first() -> None:
    assert (cents_of("3374.92"), cents_of("1625.08")) == use_forfeitures(cents_of("3374.92"), cents_of("5000.00"))
    assert use_forfeitures(500, 100) == (100, 0)


def test_a12_vested_part_after_a_partial_distribution() -> None:
    vested = vested_after_partial_distribution(cents_of("4000.00"), cents_of("5062.37"), 80)
    assert cents_of("2187.53") == vested
    assert vested_after_partial_distribution(0, 100, 20) == 0


@pytest.mark.parametrize(
    ("schedule", "percents"),
    [
        (IMMEDIATE, [100] * 8),
        (CLIFF_3, [0, 0, 0, 100, 100, 100, 100, 100]),
        (GRADED_2_6, [0, 0, 20, 40, 60, 80, 100, 100]),
        (VestingSchedule((25, 50, 75, 100)), [0, 25, 50, 75, 100, 100, 100, 100]),
    ],
)
def test_vested_percent_by_years_of_service(schedule: VestingSchedule, percents: list[int]) -> None:
    assert percents == [schedule.percent_after(years) for years in range(8)]


def test_a_source_without_a_schedule_is_vested_at_once() -> None:
    newcomer = a_participant(employment=(Employment(date(2026, 11, 2)),))
    terms = VestingTerms({"match": GRADED_2_6})
    assert [vested_percent(terms, source, newcomer, date(2026, 11, 20)) for source in ("pre_tax", "match")] == [100, 0]


@pytest.mark.parametrize(
    ("hired", "ended", "as_of", "percent"),
    [
        ("2025-01-06", None, "2026-03-01", 0),  # The day before his 65th birthday.
        ("2025-01-06", None, "2026-03-02", 100),
        ("2025-01-06", "2026-03-02", "2026-11-20", 100),  # Left on the day itself, and keeps what is his.
        ("2025-01-06", "2026-03-01", "2026-11-20", 0),  # Left a day too early.
        ("2026-06-01", None, "2026-11-20", 100),  # Hired after it.
        ("2026-06-01", None, "2026-05-31", 0),
    ],
)
def test_who_works_at_normal_retirement_age_is_vested(hired: str, ended: str | None, as_of: str, percent: int) -> None:
    spell = Employment(date.fromisoformat(hired), date.fromisoformat(ended) if ended else None)
    person = a_participant(born=date(1961, 3, 2), employment=(spell,))
    day = date.fromisoformat(as_of)
    assert vested_percent(VestingTerms({"match": CLIFF_3}, 65), "match", person, day) == percent
    assert vested_percent(VestingTerms({"match": CLIFF_3}), "match", person, day) == 0


def test_a_plan_may_be_faster_than_the_law_and_never_slower() -> None:
    assert VestingSchedule((0, 50, 100)) == vesting_schedule_of("match", [0, 50, 100])
    assert is_as_fast_as(VestingSchedule((0, 0, 100)), CLIFF_3)
    assert not is_as_fast_as(VestingSchedule((0, 0, 40, 60, 80, 100)), GRADED_2_6)
    for slow in ([0, 0, 0, 100], [0, 20, 40, 60, 80, 90], [0, 0, 40, 60, 80, 100]):
        with pytest.raises(ValueError, match="slower"):
            vesting_schedule_of("match", slow)


@pytest.mark.parametrize("fact", ["cliff_2", [0, 100], [50, 100], [100], "immediate"])
def test_a_safe_harbor_match_is_vested_after_two_years_at_the_latest(fact: object) -> None:
    schedule = vesting_schedule_of("safe_harbor_match", fact)
    assert is_as_fast_as(schedule, CLIFF_2)
    assert schedule.percent_after(2) == 100


@pytest.mark.parametrize(
    ("source", "fact", "reason"),
    [
        ("safe_harbor_match", "graded_2_6", r"slower than IRC 401\(k\)\(13\)"),
        ("safe_harbor_match", "cliff_3", r"slower than IRC 401\(k\)\(13\)"),
        ("safe_harbor_match", [0, 99, 100], r"slower than IRC 401\(k\)\(13\)"),
        ("qnec", "cliff_2", "at once by law"),
        ("pre_tax", [0, 100], "at once by law"),
        ("bonus", "cliff_3", "unknown source"),
        ("match", "cliff_5", "unknown vesting schedule"),
        ("match", [50, 40], "rise"),
        ("match", [0, 101], "rise"),
        ("match", 3, "a name or a list"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(source: str, fact: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        vesting_schedule_of(source, fact)


def test_a_year_of_service_has_a_thousand_hours() -> None:
    assert years_of_service({2023: 1000, 2024: 999, 2025: 2080, 2026: 1500}, through_year=2025) == 2


def test_five_breaks_in_a_row_forfeit() -> None:
    hours = {2020: 2080, 2021: 500}
    assert breaks_in_service(hours, last_worked_year=2020, through_year=2025) == 5
    assert breaks_in_service({**hours, 2021: 501}, last_worked_year=2020, through_year=2025) == 4
    assert is_forfeited(has_cashed_out=False, consecutive_breaks=5)
    assert not is_forfeited(has_cashed_out=False, consecutive_breaks=4)
    assert is_forfeited(has_cashed_out=True, consecutive_breaks=0)


@pytest.mark.parametrize(
    ("spells", "as_of", "years"),
    [
        ([("2022-11-20", None)], "2026-11-18", 3),
        ([("2022-11-20", None)], "2026-11-19", 4),
        ([("2022-11-20", None)], "2022-11-19", 0),
        ([("2022-11-20", "2024-11-19")], "2026-11-20", 2),
        ([("2022-11-20", "2024-11-18")], "2026-11-20", 1),
        # Away for less than twelve months: it counts as worked. Away for longer: what was served before adds up.
        ([("2020-01-01", "2020-12-31"), ("2021-06-01", None)], "2023-01-01", 3),
        ([("2020-01-01", "2021-12-31"), ("2024-01-01", None)], "2024-12-31", 3),
        ([("2020-01-01", "2021-12-31"), ("2024-01-01", None)], "2024-12-29", 2),
        ([("2020-02-29", None)], "2021-02-27", 1),
    ],
)
def test_vesting_service_by_elapsed_time(spells: list[tuple[str, str | None]], as_of: str, years: int) -> None:
    history = tuple(
        Employment(date.fromisoformat(hired), None if ended is None else date.fromisoformat(ended))
        for hired, ended in spells
    )
    assert vesting_service(a_participant(employment=history), date.fromisoformat(as_of)) == years


def test_vesting_service_by_hours_where_the_census_tells_them() -> None:
    hired = (Employment(date(2023, 3, 1)),)
    person = a_participant(employment=hired, hours_by_year={2023: 1000, 2024: 999, 2025: 2080, 2026: 1000})
    assert [vesting_service(person, date(year, 12, 31)) for year in (2022, 2023, 2024, 2025, 2026)] == [0, 1, 1, 2, 3]


@pytest.mark.parametrize(
    ("spells", "hours", "as_of", "years"),
    [
        # Five years from 2020-01-06 and 360 days are elapsed time; 2026 counts by its hours.
        ([("2020-01-06", None)], {2026: 1000}, "2026-11-20", 6),
        ([("2020-01-06", None)], {2026: 999}, "2026-11-20", 5),
        # Two years and 360 days before 2023, two years and 324 days after it: 684 days are one more year.
        ([("2020-01-06", None)], {2023: 2080}, "2026-11-20", 6),
        ([("2020-01-06", None)], {2023: 0}, "2026-11-20", 5),
        ([("2020-01-06", None)], {2020: 2080, 2021: 2080}, "2025-12-31", 6),
        # A year in the middle of nothing else: 184 days of 2020 and 181 of 2022 are a year.
        ([("2020-07-01", "2022-06-30")], {2021: 500}, "2026-11-20", 1),
        ([("2020-07-01", "2022-06-29")], {2021: 500}, "2026-11-20", 0),
        ([("2020-07-01", None)], {2019: 2080}, "2021-06-29", 1),
        ([("2020-01-01", "2021-12-31"), ("2024-01-01", None)], {2021: 1500}, "2024-12-31", 3),
    ],
)
def test_hours_of_some_years_leave_the_elapsed_time_of_the_others(
    spells: list[tuple[str, str | None]], hours: dict[int, int], as_of: str, years: int
) -> None:
    history = tuple(
        Employment(date.fromisoformat(hired), None if ended is None else date.fromisoformat(ended))
        for hired, ended in spells
    )
    person = a_participant(employment=history, hours_by_year=hours)
    assert vesting_service(person, date.fromisoformat(as_of)) == years
