"""What a number of accounts needs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """Machines, partitions, storage and cost for a number of accounts."""

    accounts: int
    peak_lines: int
    """Contributions of the busiest payday."""
    peak_per_second: int
    workers: dict[str, int]
    """Worker processes by service; one uses at most one CPU."""
    partitions: int
    broker_cpus: int
    database_cpus: dict[str, int]
    """CPUs of the primary, by service."""
    terabytes_per_year: dict[str, Decimal]
    """What is added in a year, one copy: tables by service, and the log."""
    databases: dict[str, str]
    """How each service's database is laid out."""
    dollars_per_year: Decimal
    cents_per_participant: Decimal
