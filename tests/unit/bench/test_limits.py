"""Limits that are made up for years nobody has announced any for: those of the last year, and said to be made up."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import orjson
import pytest

from deploy.bench.limits import is_unannounced, made_up, unannounced_years
from deploy.bench.payday import paydays
from deploy.bench.world import LINES_PER_YEAR_MAX, World, amounts_of
from deploy.load.people import made_up_limits
from services.contribution.rules.limits import limits_of_fact, reviewed_limits
from shared.events.limits import LimitsFact
from shared.events.topics import LIMITS
from shared.values.nyse_calendar import FIRST_YEAR, LAST_YEAR


def test_every_year_of_the_calendar_has_announced_limits_or_made_up_ones() -> None:
    assert [year for year in range(FIRST_YEAR, LAST_YEAR + 1) if is_unannounced(year)] == unannounced_years()
    assert sorted([*reviewed_limits(), *unannounced_years()]) == list(range(FIRST_YEAR, LAST_YEAR + 1))


def test_made_up_limits_are_those_of_the_last_announced_year_and_say_so() -> None:
    last = reviewed_limits()[max(reviewed_limits())]
    fact = LimitsFact.model_validate(made_up(2028))
    assert limits_of_fact(fact.model_dump()) == replace(last, year=2028, notice=fact.notice)
    assert "made up" in fact.notice


def test_the_measured_payday_and_the_load_bring_the_limits_of_the_years_they_may_reach() -> None:
    told = [event for event in World(1).head() if event.topic == LIMITS.name]
    assert [orjson.loads(event.value)["year"] for event in told] == unannounced_years()
    topic, fact = made_up_limits(2027)
    assert (topic, fact.key, orjson.loads(fact.value)) == (LIMITS.name, "2027", made_up(2027))


def test_paydays_follow_each_other_into_the_next_year() -> None:
    assert paydays(2) == [date(2026, 11, 20), date(2026, 11, 23)]
    assert paydays(40)[-1].year == 2027


def test_paydays_that_the_limits_of_a_year_would_cut_are_refused() -> None:
    largest = max(sum(cents for source, cents in amounts_of(n) if source != "match") for n in range(30_011))
    assert LINES_PER_YEAR_MAX * largest <= reviewed_limits()[2026].elective_deferral_cents
    with pytest.raises(ValueError, match="yearly limit"):
        paydays(28 + LINES_PER_YEAR_MAX + 1)
    assert len(paydays(28 + LINES_PER_YEAR_MAX + 1, 2)) == 28 + LINES_PER_YEAR_MAX + 1


def test_paydays_beyond_the_calendar_are_refused() -> None:
    with pytest.raises(ValueError, match="calendar ends with 2028"):
        paydays(1_000, 10)
