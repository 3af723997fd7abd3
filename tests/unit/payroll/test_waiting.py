"""Each line gets one answer: the first decision, or what a resend was told, whenever it arrives."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.payroll.kept import Prepared
from deploy.payroll.receipts import Receipt, ReceiptCode, Request
from deploy.payroll.waiting import NO_ANSWER, Batch, Waiting


def a_receipt(ce_id: str, status: str = "accepted", **more: object) -> Receipt:
    values = {"accepted_cents": 100, "rejected_cents": 0, "codes": [], **more}
    return Receipt(request=Request("/x", ce_id), status=status, **values)  # type: ignore[arg-type]


def expecting(*ids: str, before: Sequence[Receipt] = ()) -> tuple[Waiting, Batch, list[Prepared]]:
    waiting, batch = Waiting(), Batch(0, len(ids), 0.0)
    waiting.answered_before(before)
    lines = [Prepared(row, f"P{row}", ce_id, b"{}") for row, ce_id in enumerate(ids, start=2)]
    return waiting, batch, waiting.expect(batch, lines)


def test_a_receipt_answers_its_line_and_others_answer_none() -> None:
    waiting, batch, _ = expecting("a", "b")
    assert [waiting.take(a_receipt(one)) for one in ("a", "c", "a", "b")] == [True, False, False, True]
    assert (batch.is_answered, dict(batch.answers), batch.accepted_cents, batch.rejects) == (
        True,
        {"accepted": 2},
        200,
        [],
    )


def test_two_rows_of_one_content_get_the_decision_and_the_answer_to_a_resend() -> None:
    waiting, batch, _ = expecting("a", "a")
    assert waiting.take(a_receipt("a"))
    assert not waiting.take(a_receipt("a"))  # The first decision, twice on the wire.
    assert waiting.take(a_receipt("a", "duplicate", original_receipt_id="r"))
    assert dict(batch.answers) == {"accepted": 1, "duplicate": 1}


def test_what_was_answered_before_a_crash_is_not_sent_again() -> None:
    _, batch, unsent = expecting("a", "b", "c", before=[a_receipt("a"), a_receipt("c", "held")])
    assert [line.ce_id for line in unsent] == ["b"]
    assert dict(batch.answers) == {"accepted": 1, "held": 1}


def test_of_two_equal_rows_one_answered_before_a_crash_the_other_is_sent() -> None:
    _, _, unsent = expecting("a", "a", before=[a_receipt("a"), a_receipt("a")])
    assert [line.row for line in unsent] == [3]


def test_every_code_that_cut_or_holds_a_line_is_a_reject() -> None:
    codes = [
        ReceiptCode("LIMIT_402G", "error", "pre_tax", 40), ReceiptCode("SOURCE_NOT_IN_PLAN", "error", "match", 2),
        ReceiptCode("LIMIT_401A17", "info"),
    ]  # fmt: skip
    waiting, batch, _ = expecting("a", "b", "c")
    waiting.take(a_receipt("a", "partially_accepted", rejected_cents=42, codes=codes))
    waiting.take(a_receipt("b", "held", accepted_cents=0, codes=[ReceiptCode("UNKNOWN_PLAN", "error")]))
    waiting.take(a_receipt("c", codes=[ReceiptCode("LIMIT_401A17", "info")]))
    told = [(one["row"], one["status"], one["code"], one["cents"]) for one in batch.rejects]
    assert told == [
        (2, "partially_accepted", "LIMIT_402G", 40), (2, "partially_accepted", "SOURCE_NOT_IN_PLAN", 2),
        (3, "held", "UNKNOWN_PLAN", None),
    ]  # fmt: skip


def test_a_resend_of_a_cut_or_held_line_is_told_too() -> None:
    waiting, batch, _ = expecting("a", "b", "c")
    held = [ReceiptCode("WAITING_FOR_EARLIER_LINE", "info")]
    waiting.take(a_receipt("a", "duplicate", rejected_cents=7, original_receipt_id="r"))
    waiting.take(a_receipt("b", "duplicate", accepted_cents=0, codes=held, original_receipt_id="r"))
    waiting.take(a_receipt("c", "duplicate", original_receipt_id="r"))
    assert [(one["row"], one["code"]) for one in batch.rejects] == [
        (2, "DECIDED_BEFORE"),
        (3, "WAITING_FOR_EARLIER_LINE"),
    ]


def test_a_line_nobody_answers_is_given_up_by_name() -> None:
    waiting, batch, _ = expecting("a", "b")
    waiting.take(a_receipt("a"))
    waiting.give_up(batch)
    assert batch.is_answered
    assert batch.answers[NO_ANSWER] == 1
    assert [(one["row"], one["code"]) for one in batch.rejects] == [(3, "RECEIPT_MISSING")]
    assert len(waiting) == 0
