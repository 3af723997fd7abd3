"""The result of a load run as one JSON document: what `--out` holds and `load compare` reads.

Milliseconds unless a name says otherwise. The JSON Schema of it is generated into docs/load-result.schema.json.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

LatencyFrom = Literal["intended", "sent", "released"]


class Part(BaseModel):
    """A block of the result; fields of newer versions are ignored by older readers."""

    model_config = ConfigDict(extra="ignore")


class Quantiles(Part):
    """One latency distribution."""

    count: int = Field(description="Lines that were measured.")
    mean: float
    p50: float
    p90: float
    p99: float
    p999: float = Field(description="The 99.9th percentile.")
    max: float


class Offered(Part):
    """What the sender did."""

    open_loop: bool = Field(
        description="False with --rate max, where latencies only describe the window, and for a backlog: latency_from "
        "says which."
    )
    lines: int
    seconds: float
    per_s: float
    generator_lag_ms: Quantiles = Field(description="How late lines were handed to the client.")
    generator_kept_up: bool = Field(description="False when the sender itself was late by more than 100 ms (p99).")


class Achieved(Part):
    """What the engine did."""

    answered: int
    per_s: float = Field(description="Answered lines over the time from the first intended moment to the last receipt.")
    drain_seconds: float = Field(description="From the last line's intended moment to the last receipt.")
    backlog_lines_max: int = Field(description="Most lines due and unanswered at a time.")


class Window(Part):
    """The lines that were due in one stretch of time."""

    second: float = Field(description="Begin of the window, in seconds after the start.")
    seconds: float
    offered: int
    answered: int = Field(description="Receipts that came within the window, whenever their lines were due.")
    p50: float
    p99: float
    max: float


class Step(Part):
    """One step of a ramp."""

    rate: float = Field(description="Offered lines per second.")
    answered_per_s: float
    p50: float
    p99: float
    sustained: bool = Field(description="p99 within the bound and the backlog not growing.")


class Kill(Part):
    """One kill -9 of a worker."""

    second: float
    worker: str
    ready_again_seconds: float | None
    worst_latency_ms: float = Field(description="Largest latency of lines due in the ten seconds after it.")


class Correctness(Part):
    """Nothing lost, nothing doubled, no cent wrong; a run is ok only when this is."""

    ok: bool
    faults: list[str]
    lines: int
    final_receipts: int
    accepted_cents: int
    expected_cents: int
    invested_cents: int | None = Field(description="Cost of the run's positions in valuation; null without a close.")
    repeats_on_the_wire: int = Field(description="Receipts seen twice with the same ce_id, which the contract allows.")
    days: list[dict[str, Any]] = Field(description="Each closed date with its steps, orders and proof.")

    def complaints(self) -> list[str]:
        """The faults that are told, and what the figures themselves say against it: a flag alone is not believed."""
        found = list(self.faults)
        if self.final_receipts != self.lines:
            found.append(f"{self.final_receipts} final receipts for {self.lines} lines")
        if self.accepted_cents != self.expected_cents:
            found.append(f"{self.accepted_cents} cents are accepted of {self.expected_cents}")
        if self.invested_cents is not None and self.invested_cents != self.accepted_cents:
            found.append(f"{self.invested_cents} cents are invested of {self.accepted_cents}")
        for day in self.days:
            said = f"{day.get('trade_date')} is not proven"
            if day.get("proof") != "ok" and not any(fault.startswith(said) for fault in found):
                found.append(said)
        if not self.ok and not found:
            found.append("the run says of itself that it is not correct")
        return list(dict.fromkeys(found))


class LoadResult(Part):
    """A load run."""

    version: int = 1
    ok: bool
    profile: str
    shape: str | None = Field(None, description="What an own profile was told: pieces, closes and kills.")
    rate: float | None = Field(description="Lines per second that were asked for; null for max.")
    seconds: float
    participants: int
    seed: int
    tag: str = Field(description="Begins the ids of the run's participants.")
    started_at: str
    target: str = Field(description="own, folder or environment.")
    latency_from: LatencyFrom | None = Field(
        None,
        description="What every latency counts from. intended: the moment the line was due, fixed beforehand. sent: "
        "the moment it was sent, in the closed loop of --rate max: lines wait for answers before they are sent, and "
        "that wait is in no figure. released: the moment the services were let at a backlog. null: an older result.",
    )
    offered: Offered
    achieved: Achieved
    latency_ms: dict[str, Quantiles] = Field(
        description="From the moment that latency_from names: acknowledged (broker has the line), receipt_appended "
        "(receipt is in the log), publish_to_receipt (a reader has it)."
    )
    histograms: dict[str, str] = Field(description="The same as compressed HdrHistograms of microseconds, base64.")
    windows: list[Window]
    steps: list[Step] = Field(description="Ramp only.")
    knee_per_s: float | None = Field(description="Ramp only: the highest sustained rate; null when none was.")
    kills: list[Kill]
    cpu_seconds: dict[str, float] = Field(description="By process group, while lines were sent and answered.")
    cpu_microseconds_per_contribution: dict[str, float]
    others_cpu_share: float | None = Field(
        None,
        description="Part of the machine's CPU time that went to others meanwhile; null where processes are not ours.",
    )
    memory_mb: dict[str, dict[str, int]] = Field(
        description="Resident memory by process: at the start, at the end, peak."
    )
    correctness: Correctness
    environment: dict[str, Any]


def result_schema() -> dict[str, Any]:
    """The JSON Schema of a result."""
    return LoadResult.model_json_schema()
