"""The figures of each year, in cents: those of the reference's table, made-up ones of a year loaded late."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from tests.scenarios.random.exact import half_up

UNLOADED_YEAR, LATE_YEAR = 2027, 2028
"""A year whose limits never come, and one whose limits come on a day of their own."""


@dataclass(frozen=True)
class Limits:
    """One year's figures, in cents; None = the rule was not in force."""

    deferral: int
    catch_up: int
    catch_up_60_63: int | None
    additions: int
    pay: int
    roth_wages: int | None

    def of_months(self, months: int) -> Limits:
        """In a limitation year of so many months; what counts by the calendar year stays."""
        additions, pay = (half_up(Fraction(whole * months, 12)) for whole in (self.additions, self.pay))
        return replace(self, additions=additions, pay=pay)


def _limits(deferral: int, catch_up: int, higher: int | None, additions: int, pay: int, wages: int | None) -> Limits:
    cents = [None if figure is None else figure * 100 for figure in (higher, wages)]
    return Limits(deferral * 100, catch_up * 100, cents[0], additions * 100, pay * 100, cents[1])


LIMITS = {
    2022: _limits(20_500, 6_500, None, 61_000, 305_000, None),
    2023: _limits(22_500, 7_500, None, 66_000, 330_000, None),
    2024: _limits(23_000, 7_500, None, 69_000, 345_000, None),
    2025: _limits(23_500, 7_500, 11_250, 70_000, 350_000, None),
    2026: _limits(24_500, 8_000, 11_250, 72_000, 360_000, 150_000),
}
LATE = _limits(2_550, 850, 1_200, 7_500, 37_000, 155_000)
