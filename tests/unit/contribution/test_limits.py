"""The table of yearly limits, and what age, wages and short years make of it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

import pytest

from services.contribution.rules.deferrals import catch_up_limit_of
from services.contribution.rules.limits import limits_of, limits_of_fact, must_be_roth, prorated_limit, reviewed_limits
from shared.events.limits import LimitsFact
from shared.values.money import cents_of
from tests.unit.contribution.builders import a_participant, a_plan, limits_2026


def test_every_year_names_the_notice_that_announced_it() -> None:
    assert {2022, 2023, 2024, 2025, 2026} == set(reviewed_limits())
    assert all(limits.notice.startswith("Notice 20") for limits in reviewed_limits().values())


@pytest.mark.parametrize(
    ("year", "deferral", "additions", "compensation"),
    [
        (2022, "20500", "61000", "305000"),
        (2023, "22500", "66000", "330000"),
        (2024, "23000", "69000", "345000"),
        (2025, "23500", "70000", "350000"),
        (2026, "24500", "72000", "360000"),
    ],
)
def test_limits_are_those_of_the_notices(year: int, deferral: str, additions: str, compensation: str) -> None:
    limits = reviewed_limits()[year]
    assert cents_of(deferral) == limits.elective_deferral_cents
    assert cents_of(additions) == limits.annual_additions_cents
    assert cents_of(compensation) == limits.compensation_cents


@pytest.mark.parametrize(
    ("born", "limit"),
    [
        (date(1977, 1, 1), "0"),
        (date(1976, 12, 31), "8000"),
        (date(1966, 12, 31), "11250"),
        (date(1963, 1, 1), "11250"),
        (date(1962, 12, 31), "8000"),
    ],
)
def test_catch_up_follows_the_age_attained_by_31_december(born: date, limit: str) -> None:
    assert cents_of(limit) == catch_up_limit_of(a_plan(), a_participant(born=born), limits_2026())


def test_a_plan_may_leave_out_the_higher_catch_up() -> None:
    plan = a_plan(catch_up_60_63=False)
    assert catch_up_limit_of(plan, a_participant(born=date(1966, 12, 31)), limits_2026()) == 800_000


def test_there_is_no_higher_catch_up_before_2025() -> None:
    assert catch_up_limit_of(a_plan(), a_participant(born=date(1963, 1, 1)), reviewed_limits()[2024]) == 750_000


def test_roth_catch_up_asks_for_wages_strictly_above_the_threshold() -> None:
    assert not must_be_roth(limits_2026(), cents_of("150000.00"))
    assert must_be_roth(limits_2026(), cents_of("150000.01"))
    assert not must_be_roth(limits_2026(), None)
    assert not must_be_roth(reviewed_limits()[2025], cents_of("900000.00"))


def test_a_limits_fact_gives_the_same_limits_as_the_table() -> None:
    fact = LimitsFact(**asdict(limits_2026())).model_dump(mode="json")
    assert limits_of_fact(fact) == limits_2026()


def test_a_short_year_has_a_part_of_the_limit() -> None:
    assert cents_of("180000.00") == prorated_limit(limits_2026().compensation_cents, 6)
    assert cents_of("36000.00") == prorated_limit(limits_2026().annual_additions_cents, 6)
    assert cents_of("137500.00") == prorated_limit(cents_of("275000.00"), 6)
    with pytest.raises(ValueError, match="1 to 12 months"):
        prorated_limit(100, 13)


@pytest.mark.parametrize("figure", [None, 0, -1, "24500", True])
def test_a_table_with_a_wrong_figure_is_refused(figure: object) -> None:
    figures = {"elective_deferral": figure, "catch_up": 8000, "annual_additions": 72000, "compensation": 360000}
    with pytest.raises(ValueError, match="elective_deferral"):
        limits_of(2026, figures)  # type: ignore[arg-type]
