"""The names of the money types ("sources") as they stand on the wire."""

from __future__ import annotations

from typing import Literal, get_args

Source = Literal[
    "pre_tax",
    "roth",
    "after_tax",
    "match",
    "safe_harbor_match",
    "profit_sharing",
    "qnec",
    "qmac",
    "rollover_pre_tax",
    "rollover_roth",
    "loan_repayment",
    "forfeiture",
]

SOURCES: frozenset[str] = frozenset(get_args(Source))
