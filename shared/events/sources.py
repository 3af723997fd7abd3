"""The money types of the contract."""

from __future__ import annotations

SOURCES = frozenset(
    {
        "pre_tax", "roth", "after_tax", "match", "safe_harbor_match", "profit_sharing", "qnec", "qmac",
        "rollover_pre_tax", "rollover_roth", "loan_repayment", "forfeiture",
    }
)  # fmt: skip
