"""When a payday counts as proven, and how its figures are made."""

from __future__ import annotations

from array import array

from deploy.bench.costs import group_of, microseconds_each, used
from deploy.bench.following import ReceiptTotals, StageTimes
from deploy.bench.payday import faults_of
from deploy.bench.world import World
from deploy.cluster.state import ProcessRecord

WORLD = World(10)
PROVEN = {"status": "proven", "proof": {"a = b": {"left": 1, "right": 1, "ok": True}}}
BROKEN = {"status": "broken", "proof": {"a = b": {"left": 1, "right": 2, "ok": False}}}


def some_totals(finals: int = 10, accepted: int = WORLD.total_cents, rejected: int = 0) -> ReceiptTotals:
    return ReceiptTotals(finals=finals, accepted_cents=accepted, rejected_cents=rejected)


def test_a_proven_day_with_all_receipts_has_no_fault() -> None:
    assert faults_of(WORLD, some_totals(), PROVEN) == []


def test_a_broken_proof_is_a_fault_that_names_the_equation() -> None:
    assert faults_of(WORLD, some_totals(), BROKEN) == ["the day is broken: a = b"]


def test_a_missing_receipt_is_a_fault_although_the_day_is_proven() -> None:
    assert faults_of(WORLD, some_totals(finals=9), PROVEN) == ["9 final receipts of 10 lines"]


def test_a_cent_too_few_or_rejected_is_a_fault() -> None:
    assert len(faults_of(WORLD, some_totals(accepted=WORLD.total_cents - 1), PROVEN)) == 1
    assert len(faults_of(WORLD, some_totals(rejected=1), PROVEN)) == 1


def test_percentiles_are_the_nearest_rank() -> None:
    totals = ReceiptTotals(delays_ms=array("q", range(1, 101)))
    assert totals.delay_ms(50) == 50
    assert totals.delay_ms(99) == 99
    assert ReceiptTotals().delay_ms(99) is None


def test_a_rate_needs_a_stage_that_went_through() -> None:
    times = StageTimes(first={"trading": 10.0})
    assert times.rate("trading", 100) is None
    times.through["trading"] = 12.0
    assert times.rate("trading", 100) == 50.0


def test_cpu_is_counted_per_service_and_contribution() -> None:
    assert group_of(ProcessRecord("trading-1", "worker", 1, "", "")) == "trading"
    assert group_of(ProcessRecord("kafka-1", "broker", 1, "", "")) == "broker"
    spent = used({"trading": 1.0}, {"trading": 3.0, "broker": 0.5})
    assert spent == {"broker": 0.5, "trading": 2.0}
    assert microseconds_each(spent, 1_000) == {"broker": 500.0, "trading": 2000.0}
