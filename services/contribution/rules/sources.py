"""The money types ("sources") and what each attribute of theirs changes.

Which limits count what: IRC 402(g), 414(v), 415(c); vesting: IRC 411(a), 401(k)(12), 401(k)(13). One row per source;
rules ask the row, never the name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class TaxType(Enum):
    """How the money is taxed when it is paid out."""

    PRE_TAX = "pre_tax"
    ROTH = "roth"
    AFTER_TAX = "after_tax"
    AS_ORIGIN = "as_origin"  # Loan repayments return to the sources the loan came from.


class Party(Enum):
    """Whose money it is before it enters the plan."""

    EMPLOYEE = "employee"
    EMPLOYER = "employer"
    ROLLOVER = "rollover"
    LOAN = "loan"


@dataclass(frozen=True, slots=True)
class Source:
    """One money type.

    `is_elective_deferral`: shares the one cap of 402(g) and may become catch-up.
    `is_annual_addition`: counts toward 415(c) (a deferral only as far as it is not catch-up).
    `may_have_schedule`: a plan may make it vest over years; everything else is vested at once by law.
    `vests_in_two_years`: at the latest; the safe harbor of a qualified automatic contribution arrangement (QACA).
    `needs_employment`: money of a pay cheque, refused for someone no longer employed; the rest (rollovers, loan
    repayments, year-end and corrective employer money) may come later.
    `cut_rank`: the order in which 415(c) cuts, lowest first; 0 = never cut.
    """

    name: str
    tax_type: TaxType
    party: Party
    is_elective_deferral: bool = False
    is_annual_addition: bool = False
    may_have_schedule: bool = False
    vests_in_two_years: bool = False
    needs_employment: bool = False
    cut_rank: int = 0


CUT_EMPLOYER, CUT_AFTER_TAX, CUT_DEFERRALS = 1, 2, 3


def _deferral(name: str, tax_type: TaxType) -> Source:
    return Source(
        name,
        tax_type,
        Party.EMPLOYEE,
        is_elective_deferral=True,
        is_annual_addition=True,
        needs_employment=True,
        cut_rank=CUT_DEFERRALS,
    )


def _employer(
    name: str, *, may_have_schedule: bool, needs_employment: bool, vests_in_two_years: bool = False
) -> Source:
    return Source(
        name,
        TaxType.PRE_TAX,
        Party.EMPLOYER,
        is_annual_addition=True,
        may_have_schedule=may_have_schedule,
        vests_in_two_years=vests_in_two_years,
        needs_employment=needs_employment,
        cut_rank=CUT_EMPLOYER,
    )


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        _deferral("pre_tax", TaxType.PRE_TAX),
        _deferral("roth", TaxType.ROTH),
        Source(
            "after_tax",
            TaxType.AFTER_TAX,
            Party.EMPLOYEE,
            is_annual_addition=True,
            needs_employment=True,
            cut_rank=CUT_AFTER_TAX,
        ),
        _employer("match", may_have_schedule=True, needs_employment=True),
        _employer("safe_harbor_match", may_have_schedule=True, needs_employment=True, vests_in_two_years=True),
        _employer("profit_sharing", may_have_schedule=True, needs_employment=False),
        _employer("qnec", may_have_schedule=False, needs_employment=False),
        _employer("qmac", may_have_schedule=False, needs_employment=False),
        Source("rollover_pre_tax", TaxType.PRE_TAX, Party.ROLLOVER),
        Source("rollover_roth", TaxType.ROTH, Party.ROLLOVER),
        Source("loan_repayment", TaxType.AS_ORIGIN, Party.LOAN),
        _employer("forfeiture", may_have_schedule=True, needs_employment=False),
    )
}

DEFERRALS = frozenset(name for name, source in SOURCES.items() if source.is_elective_deferral)
ADDITIONS = frozenset(name for name, source in SOURCES.items() if source.is_annual_addition)
EMPLOYER = frozenset(name for name, source in SOURCES.items() if source.party is Party.EMPLOYER)
NEEDS_EMPLOYMENT = frozenset(name for name, source in SOURCES.items() if source.needs_employment)
SCHEDULED = frozenset(name for name, source in SOURCES.items() if source.may_have_schedule)
