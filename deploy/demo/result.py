"""What a demo run found, ready to be printed, drawn or written as JSON. Money in whole cents, durations in seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True)
class Options:
    """What was asked for."""

    participants: int = 20_000
    plans: int = 300
    seed: int = 401
    fault_rate: float = 0.01
    lines_per_second: int = 2_000
    """The steady rate of the second payday; the first is published as fast as it goes."""
    partitions: int = 8


@dataclass(frozen=True)
class Check:
    """Two figures from different places that must agree, seen from outside the engine."""

    name: str
    left: str
    right: str
    ok: bool


@dataclass(frozen=True)
class KindOutcome:
    """One kind of line: how many were sent, what must come of them, and how many got exactly that."""

    kind: str
    sent: int
    expected: str
    as_expected: int
    examples: tuple[str, ...] = ()
    """Lines that got something else, and what."""

    @property
    def ok(self) -> bool:
        """Whether every line of the kind got exactly what it must."""
        return self.sent == self.as_expected


@dataclass(frozen=True)
class Latency:
    """From the moment a line is handed to the client until the broker has its receipt, in milliseconds."""

    p50: float
    p99: float
    slowest: float


@dataclass
class DayResult:
    """One trade date."""

    day: date
    pace: str
    plans_paid: int
    lines: int
    sendings: int
    requested_cents: int
    accepted_cents: int = 0
    rejected_cents: int = 0
    credited_cents: int = 0
    runs_funded: int = 0
    receipts: dict[str, int] = field(default_factory=dict)
    """By status, second answers and held ones included."""
    codes: dict[str, int] = field(default_factory=dict)
    kinds: list[KindOutcome] = field(default_factory=list)
    orders: dict[str, int] = field(default_factory=dict)
    """By state, as trading shows them."""
    ordered_cents: int = 0
    custodian: dict[str, int] = field(default_factory=dict)
    """Answers of the custodian by status, and how many it repeated."""
    proof: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    status: str = "not closed"
    latency: Latency | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    receipts_per_second: float = 0.0
    lines_to_value_per_second: float = 0.0
    sent_at: list[tuple[float, int]] = field(default_factory=list)
    """When (since 1970) how many lines had been handed over; for the drawing."""
    receipt_stamps_ms: list[int] = field(default_factory=list)
    balances: Balances | None = None

    @property
    def ok(self) -> bool:
        """Proven, and every line got what it must."""
        return self.status == "proven" and bool(self.kinds) and all(kind.ok for kind in self.kinds)


@dataclass
class Balances:
    """Balances at one proven close."""

    participants: int
    total_cents: int
    cost_cents: int
    cents: list[int]
    by_fund: dict[str, tuple[str, int]]
    """Shares as decimal text and value in cents (rounded per fund, for show)."""
    unpriced: int = 0


@dataclass
class Journey:
    """One participant's money from payroll to balance."""

    participant_id: str
    plan_id: str
    lines: Sequence[Mapping[str, Any]]
    transactions: Sequence[Mapping[str, Any]]
    balance: Mapping[str, Any]


@dataclass
class Result:
    """The whole run."""

    options: Options
    days: list[DayResult] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    plan_sizes: list[int] = field(default_factory=list)
    designs: dict[str, int] = field(default_factory=dict)
    elections: dict[str, int] = field(default_factory=dict)
    prices: list[dict[str, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    journey: Journey | None = None
    problem: str = ""
    report: str = ""
    kept_in: str = ""
    pages: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """All is well: both dates proven, every line answered as it must be, every figure agrees."""
        return not self.problem and len(self.days) == 2 and all(day.ok for day in self.days) and self._agrees

    @property
    def _agrees(self) -> bool:
        return bool(self.checks) and all(check.ok for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """One document; the long lists that only the drawings need are left out."""
        document = asdict(self)
        for day, found in zip(document["days"], self.days, strict=True):
            del day["sent_at"], day["receipt_stamps_ms"]
            day["ok"], day["day"] = found.ok, found.day.isoformat()
            if day["balances"]:
                del day["balances"]["cents"]
        del document["plan_sizes"]
        return {"ok": self.ok, **document}
