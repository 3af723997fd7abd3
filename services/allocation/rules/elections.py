"""Which funds a participant's money goes to. Percentages are kept in ten-thousandths; a group's sum to a million."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.events.requests import ElectionChanged

DECIMALS_MAX = 4
FULL = 100 * 10**DECIMALS_MAX
ALL = "all"
EMPLOYEE_SOURCES = frozenset({"pre_tax", "roth", "after_tax", "rollover_pre_tax", "rollover_roth", "loan_repayment"})

Parts = Mapping[str, Sequence[tuple[str, int]]]
"""Source group to (fund, ten-thousandths of a percent), sorted by fund."""


class InvalidElection(Exception):
    """The election can't be followed; the text says why."""


def election_parts(event: ElectionChanged) -> dict[str, list[tuple[str, int]]]:
    """The election by source group. Raises ``InvalidElection`` unless each group's funds differ and sum to 100 %."""
    groups: dict[str, dict[str, int]] = {}
    for part in event.elections if event.elections is not None else ():
        if part.source_group not in (None, ALL, "employee", "employer"):
            raise InvalidElection(f"{part.source_group} is not a source group")
        group = groups.setdefault(part.source_group if part.source_group is not None else ALL, {})
        if part.fund_id in group:
            raise InvalidElection(f"{part.fund_id} is named twice")
        group[part.fund_id] = _parts_per_million(part.percent)
    if not groups:
        raise InvalidElection("the election names no fund")
    for name, group in groups.items():
        if sum(group.values()) != FULL:
            raise InvalidElection(f"the percentages of {name} do not sum to 100")
    return {name: sorted((fund, share) for fund, share in group.items() if share) for name, group in groups.items()}


def _parts_per_million(percent: str) -> int:
    whole, _, fraction = percent.partition(".")
    if len(fraction.rstrip("0")) > DECIMALS_MAX:
        raise InvalidElection(f"{percent} is finer than {DECIMALS_MAX} decimals")
    scale: int = 10**DECIMALS_MAX
    return int(whole) * scale + int(fraction[:DECIMALS_MAX].ljust(DECIMALS_MAX, "0"))


def funds_named(parts: Parts) -> set[str]:
    """Every fund an election names."""
    return {fund for group in parts.values() for fund, _ in group}


def parts_for(source: str, parts: Parts | None, default_fund: str) -> Sequence[tuple[str, int]]:
    """The funds of one source: its group's election, the election for all, or the plan's default fund."""
    if parts is not None:
        group = "employee" if source in EMPLOYEE_SOURCES else "employer"
        chosen = parts.get(group) or parts.get(ALL)
        if chosen:
            return chosen
    return ((default_fund, FULL),)


def parts_from_json(raw: dict[str, Any]) -> dict[str, list[tuple[str, int]]]:
    """What was stored, as ``Parts``."""
    return {group: [(fund, share) for fund, share in funds] for group, funds in raw.items()}
