"""Which funds a participant's money goes to. Percentages are kept as basis points; a group's sum to 10,000."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.events.requests import ElectionChanged, basis_points

FULL = 10_000
EMPLOYEE_SOURCES = frozenset({"pre_tax", "roth", "after_tax", "rollover_pre_tax", "rollover_roth", "loan_repayment"})

Parts = Mapping[str, Sequence[tuple[str, int]]]
"""Source group to (fund, basis points), sorted by fund."""


class InvalidElection(Exception):
    """The election can't be followed; the text says why."""


def election_parts(event: ElectionChanged) -> dict[str, list[tuple[str, int]]]:
    """The election by source group. Raises ``InvalidElection`` unless each group names different funds and sums to 100 %."""
    groups: dict[str, dict[str, int]] = {}
    for part in event.elections or []:
        group = groups.setdefault(part.source_group, {})
        if part.fund_id in group:
            raise InvalidElection(f"{part.fund_id} is named twice")
        group[part.fund_id] = basis_points(part.percent)
    if not groups:
        raise InvalidElection("the election names no fund")
    for name, group in groups.items():
        if sum(group.values()) != FULL:
            raise InvalidElection(f"the percentages of {name} sum to {sum(group.values()) / 100:g}, not 100")
    return {name: sorted((fund, share) for fund, share in group.items() if share) for name, group in groups.items()}


def funds_named(parts: Parts) -> set[str]:
    """Every fund an election names."""
    return {fund for group in parts.values() for fund, _ in group}


def parts_for(source: str, parts: Parts | None, default_fund: str) -> Sequence[tuple[str, int]]:
    """The funds of one source: its group's election, the election for all, or the plan's default fund."""
    if parts is not None:
        group = "employee" if source in EMPLOYEE_SOURCES else "employer"
        chosen = parts.get(group) or parts.get("all")
        if chosen:
            return chosen
    return ((default_fund, FULL),)


def parts_from_json(raw: dict[str, Any]) -> dict[str, list[tuple[str, int]]]:
    """What was stored, as ``Parts``."""
    return {group: [(fund, share) for fund, share in funds] for group, funds in raw.items()}
