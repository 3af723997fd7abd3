"""Shares as whole units of a fund's smallest share, prices as exact decimals, and the only ways between the two.

A fund's ``share_decimals`` (0 to 6) says how small a share gets: with 3, one unit is 0.001 shares.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from shared.values.rounding import half_up_div

SHARE_DECIMALS_MAX = 6
_DECIMAL = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?")
_TEN_TO: tuple[int, ...] = tuple(10**n for n in range(64))


def _ten_to(exponent: int) -> int:
    return _TEN_TO[exponent] if exponent < 64 else int(10**exponent)


def units_of(text: str, share_decimals: int) -> int:
    """Return the units of shares such as "53.020" (zeros beyond the fund's scale are harmless).

    Raises ``ValueError`` for what is no plain decimal or is finer than the fund's smallest share.
    """
    _require_scale(share_decimals)
    found = _DECIMAL.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is not a decimal number of shares")
    sign, whole, decimals = found.groups(default="")
    if decimals[share_decimals:].strip("0"):
        raise ValueError(f"{text!r} is finer than {share_decimals} decimals")
    units = int(whole + decimals[:share_decimals].ljust(share_decimals, "0"))
    return -units if sign else units


def shares_text(units: int, share_decimals: int) -> str:
    """Return units as shares with exactly ``share_decimals`` decimals: 53020 at 3 is "53.020"."""
    _require_scale(share_decimals)
    sign = "-" if units < 0 else ""
    if share_decimals == 0:
        return f"{sign}{abs(units)}"
    whole, part = divmod(abs(units), _TEN_TO[share_decimals])
    return f"{sign}{whole}.{part:0{share_decimals}d}"


def _require_scale(share_decimals: int) -> None:
    if not 0 <= share_decimals <= SHARE_DECIMALS_MAX:
        raise ValueError(f"share_decimals is 0 to {SHARE_DECIMALS_MAX}, not {share_decimals}")


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per share, exactly: ``mantissa`` / 10 ** ``scale``, always positive.

    Kept in lowest decimal terms, so that 23.50 and 23.5 are equal, hash alike and read the same.
    """

    mantissa: int
    scale: int

    def __post_init__(self) -> None:
        mantissa, scale = self.mantissa, self.scale
        if mantissa <= 0 or scale < 0:
            raise ValueError("a price is positive")
        while scale and mantissa % 10 == 0:
            mantissa //= 10
            scale -= 1
        object.__setattr__(self, "mantissa", mantissa)
        object.__setattr__(self, "scale", scale)

    @classmethod
    def parse(cls, text: str) -> Price:
        """Return the price of a plain decimal text such as "23.47"; any number of decimals.

        Raises ``ValueError`` for zero, negatives, NaN, exponents and whatever else is no plain decimal.
        """
        found = _DECIMAL.fullmatch(text) if isinstance(text, str) else None
        if found is None or found[1]:
            raise ValueError(f"{text!r} is not a positive decimal price")
        decimals = found[3] or ""
        return cls(int(found[2] + decimals), len(decimals))

    def text(self) -> str:
        """Return the shortest decimal text: 23.50 reads "23.5"."""
        if self.scale == 0:
            return str(self.mantissa)
        digits = str(self.mantissa).zfill(self.scale + 1)
        return f"{digits[: -self.scale]}.{digits[-self.scale :]}"

    def exact(self) -> Fraction:
        """Return the dollars per share as a fraction, for comparisons."""
        return Fraction(self.mantissa, _ten_to(self.scale))


def shares_bought(cents: int, price: Price, share_decimals: int) -> int:
    """Return the units that ``cents`` buy at ``price``, half-up."""
    return half_up_div(cents * _ten_to(price.scale + share_decimals), 100 * price.mantissa)


def dollars_of(units: int, share_decimals: int, price: Price) -> int:
    """Return the cents that ``units`` are worth at ``price``, half-up."""
    return half_up_div(units * price.mantissa * 100, _ten_to(share_decimals + price.scale))


def exact_value(units: int, share_decimals: int, price: Price) -> Fraction:
    """Return the dollars that ``units`` are worth at ``price``, unrounded: sums of these are rounded once."""
    return Fraction(units * price.mantissa, _ten_to(share_decimals + price.scale))


def shares_deviation_is_a_unit_or_more(units: int, cents: int, price: Price, share_decimals: int) -> bool:
    """Say whether ``units`` are a unit or more away from ``cents`` / ``price``, exactly.

    A confirmation rounded in any honest way is less than a unit off; more is a break (house rule of the day cycle).
    """
    return abs(units * 100 * price.mantissa - cents * _ten_to(price.scale + share_decimals)) >= 100 * price.mantissa
