"""The employer match the engine calculates, and the true-up of an annual formula.

Tiers are exact rationals over integers; there is one rounding, half-up to the cent, at the end (house rule).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from services.contribution.rules.sources import EMPLOYER
from shared.values.rounding import half_up_div

PER_PAY, ANNUAL = "per_pay", "annual"


@dataclass(frozen=True, slots=True)
class MatchFormula:
    """Tiers of (share of pay, share of the deferral matched), both in `1 / unit`.

    `tiers` ((300, 10000), (200, 5000)) with `unit` 10000 reads: the first 3 % of pay at 100 %, the next 2 % at 50 %.
    """

    tiers: tuple[tuple[int, int], ...]
    unit: int
    period: str = PER_PAY
    source: str = "match"


def match_formula_of(fact: object) -> MatchFormula:
    """Return the formula of a plan fact: `tiers` of percent texts, `period`, optionally the `source` it credits.

    Raises ValueError when a percent is not a number from 0 up, the period is unknown, or the source is no employer's.
    """
    if not isinstance(fact, Mapping):
        raise ValueError("match must have tiers and a period")
    tiers = fact.get("tiers")
    if not isinstance(tiers, Sequence) or isinstance(tiers, str) or not tiers:
        raise ValueError("match needs at least one tier of [percent of pay, percent matched]")
    period, source = fact.get("period", PER_PAY), fact.get("source", "match")
    if period not in (PER_PAY, ANNUAL):
        raise ValueError(f"match period must be {PER_PAY} or {ANNUAL}, not {period!r}")
    if source not in EMPLOYER:
        raise ValueError(f"match must go to a source of employer money, not {source!r}")
    pairs = [(_percent(tier[0]), _percent(tier[1])) for tier in tiers if len(tier) == 2]
    if len(pairs) != len(tiers):
        raise ValueError("a match tier is [percent of pay, percent matched]")
    decimals = max(-_exponent(percent) for pair in pairs for percent in pair)
    scale = 10**decimals
    return MatchFormula(
        tiers=tuple((int(pay * scale), int(rate * scale)) for pay, rate in pairs),
        unit=100 * scale,
        period=period,
        source=source,
    )


def _percent(value: object) -> Decimal:
    try:
        percent = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError(f"{value!r} is not a percent") from error
    if not percent.is_finite() or percent < 0:
        raise ValueError(f"{value!r} is not a percent from 0 up")
    return percent


def _exponent(percent: Decimal) -> int:
    exponent = percent.as_tuple().exponent
    return exponent if isinstance(exponent, int) and exponent < 0 else 0


def match_on(formula: MatchFormula, deferral_cents: int, counted_compensation_cents: int) -> int:
    """Return the match in cents on a deferral (catch-up included) and the compensation that counts (401(a)(17)).

    Each tier takes its share of pay from what is left of the deferral. Half-up once, at the end (A4).
    """
    unit = formula.unit
    left = deferral_cents * unit  # In 1/unit cents, so that shares of pay are whole numbers.
    total = 0
    for pay_share, rate in formula.tiers:
        room = counted_compensation_cents * pay_share
        if left <= room:
            total += left * rate
            break
        total += room * rate
        left -= room
    return half_up_div(total, unit * unit)


class TrueUp(NamedTuple):
    """What a year's end adds to the match, and the difference to the annual formula that stays (rounding drift)."""

    cents: int
    drift_cents: int


def true_up(formula: MatchFormula, deferral_cents: int, counted_compensation_cents: int, paid_cents: int) -> TrueUp:
    """Return max(0, annual formula - paid); a negative difference is drift to log, never a claw-back (A5).

    `deferral_cents`: the year's deferrals with catch-up; `counted_compensation_cents`: the year's pay up to
    401(a)(17); `paid_cents`: the match paid so far.
    """
    difference = match_on(formula, deferral_cents, counted_compensation_cents) - paid_cents
    return TrueUp(max(0, difference), min(0, difference))
