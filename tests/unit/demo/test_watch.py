"""What is read is kept once, whatever the wire repeats."""

from __future__ import annotations

from typing import Any

from deploy.demo.watch import Seen


def body(status: str = "accepted", accepted: int = 100, **more: Any) -> dict[str, Any]:
    return {
        "request": {"source": "/s", "id": "L1"},
        "status": status,
        "accepted_cents": accepted,
        "rejected_cents": 0,
        "credited": [{"source": "pre_tax", "cents": accepted}, {"source": "match", "cents": 5}],
        "codes": [],
    } | more


def test_a_repeated_receipt_changes_nothing() -> None:
    seen = Seen()
    for stamp in (1, 2):
        seen.add_receipt(body(), stamp)
    assert seen.finals["L1"].stamp_ms == 1
    assert seen.finals["L1"].credited_cents == 105
    assert not seen.contradictions


def test_two_final_receipts_that_differ_are_a_contradiction() -> None:
    seen = Seen()
    seen.add_receipt(body(), 1)
    seen.add_receipt(body(accepted=99), 2)
    assert seen.contradictions == ["L1"]


def test_held_is_not_final_and_an_answer_to_a_resend_is_neither() -> None:
    seen = Seen()
    seen.add_receipt(body("held", 0), 1)
    seen.add_receipt(body("duplicate", original_receipt_id="r"), 2)
    assert not seen.finals
    assert seen.held["L1"].status == "held"
    assert seen.seconds["L1"].status == "duplicate"


def test_only_errors_cut() -> None:
    seen = Seen()
    codes = [{"code": "LIMIT_402G", "severity": "error"}, {"code": "LIMIT_401A17", "severity": "info"}]
    seen.add_receipt(body(codes=codes), 1)
    assert seen.finals["L1"].cuts == {"LIMIT_402G"}
    assert seen.finals["L1"].codes == ("LIMIT_402G", "LIMIT_401A17")


def test_a_dead_letter_is_counted_once_by_its_place() -> None:
    seen = Seen()
    for _ in range(2):
        seen.add_dead_letter(0, 7, "P1", "NOT_JSON")
    seen.add_dead_letter(1, 7, "P1", "NOT_JSON")
    assert seen.dead_letters["P1", "NOT_JSON"] == 2
