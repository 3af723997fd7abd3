"""One answer for each line, to the cent: what the load harness must not let pass."""

from __future__ import annotations

import numpy as np
import orjson

from deploy.load.people import LOAD_SOURCE, Crowd, line_amounts
from shared.events.payroll import Contribution
from tests.unit.load.flying import a_flight, answer, answered


def test_lines_that_are_all_answered_rightly_have_no_fault() -> None:
    flight = answered([0.1] * 25)
    assert flight.verdict() == []
    assert flight.answered_lines == 25


def test_one_wrong_cent_is_a_fault_of_its_line_and_of_the_sum() -> None:
    flight = a_flight(np.zeros(3))
    answer(flight, 0, 0.1)
    answer(flight, 1, 0.1, accepted_cents=flight.crowd.line_cents(1) - 1)
    answer(flight, 2, 0.1)
    faults = flight.verdict()
    assert len(faults) == 2
    assert faults[0].startswith("line 1:")


def test_a_rejected_cent_is_a_fault_although_the_sum_of_the_line_is_right() -> None:
    flight = a_flight(np.zeros(1))
    answer(flight, 0, 0.1, accepted_cents=flight.crowd.line_cents(0) - 1, rejected_cents=1)
    assert len(flight.verdict()) == 2


def test_a_missing_answer_is_a_fault() -> None:
    flight = a_flight(np.zeros(2))
    answer(flight, 0, 0.1)
    assert flight.verdict()[0] == "1 final receipts for 2 lines"


def test_a_repeat_on_the_wire_is_none_but_a_second_receipt_is() -> None:
    flight = answered([0.1])
    answer(flight, 0, 0.2)
    assert flight.verdict() == []
    assert flight.repeats == 1
    answer(flight, 0, 0.3, receipt_id="another")
    assert flight.verdict() == ["line 0 has a second final receipt"]


def test_a_line_that_was_sent_once_must_not_be_answered_with_duplicate() -> None:
    flight = answered([0.1])
    answer(flight, 0, 0.2, status="duplicate")
    assert "duplicate" in flight.verdict()[0]


def test_a_held_line_waits_for_its_final_receipt() -> None:
    flight = a_flight(np.zeros(1))
    answer(flight, 0, 0.1, status="held", accepted_cents=0)
    assert flight.verdict() != []
    answer(flight, 0, 0.2, receipt_id="final")
    assert flight.verdict() == []
    assert flight.held == 1


def test_receipts_of_other_senders_are_passed_by() -> None:
    flight = answered([0.1])
    answer(flight, 0, 0.2, request={"source": "/elsewhere", "id": "abc123:0"}, receipt_id="x")
    answer(flight, 0, 0.2, request={"source": LOAD_SOURCE, "id": "other:0"}, receipt_id="y")
    assert flight.verdict() == []


def test_a_line_says_what_its_number_says_and_is_a_contribution() -> None:
    crowd = Crowd("abc123", 7)
    for line, message in enumerate(crowd.lines(0, 30, "2026-11-20")):
        body = orjson.loads(message.value)
        Contribution.model_validate(body)
        amounts = tuple(amount["cents"] for amount in body["amounts"])
        assert amounts == line_amounts(line, line % 7)
        assert sum(amounts) == crowd.line_cents(line)
        assert message.key == body["participant_id"] == crowd.participant(line % 7)


def test_nobody_has_two_lines_in_one_run() -> None:
    bodies = [orjson.loads(message.value) for message in Crowd("abc123", 7).lines(0, 70, "2026-11-20")]
    assert len({(body["participant_id"], body["payroll_id"]) for body in bodies}) == 70


def test_a_run_that_was_cut_off_forgets_what_was_never_sent() -> None:
    flight = a_flight(np.zeros(5))
    flight.sent[3:] = np.nan
    flight.cut_off(3)
    for line in range(3):
        answer(flight, line, 0.1)
    assert flight.verdict() == []
    assert len(flight) == 3
