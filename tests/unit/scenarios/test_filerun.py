"""What a file still waits for."""

from __future__ import annotations

from datetime import date

from deploy.scenarios.filerun import FileRun
from deploy.scenarios.model import FundingEvent, ReversalEvent, parse_scenario
from deploy.scenarios.names import Namespace
from deploy.scenarios.observed import Observed
from tests.unit.scenarios.builders import DAY, NEXT_DAY, TEXT, a_receipt, a_run


def test_a_run_owes_what_its_final_receipts_credited_match_included() -> None:
    run, observed = a_run(), Observed()
    match = [{"source": "pre_tax", "cents": 16_923}, {"source": "match", "cents": 14_808}]
    observed.add_receipt("r1", a_receipt("c1", credited=match))
    assert run.undecided("R1", observed) == ["c2"]
    observed.add_receipt("r2", a_receipt("c2", "held", 0))
    assert run.undecided("R1", observed) == ["c2"]
    observed.add_receipt("r3", a_receipt("c2", "rejected", 0, 50_000))
    assert run.undecided("R1", observed) == []
    assert run.owed("R1", observed) == 16_923 + 14_808


def test_a_second_funding_owes_only_what_was_not_paid() -> None:
    run, observed = a_run(), Observed()
    observed.add_receipt("r1", a_receipt("c1"))
    run.funding(FundingEvent(funding="R1"), 10_000, DAY)
    assert run.owed("R1", observed) == 6_923


def test_a_run_owes_less_for_what_is_reversed_before_it_has_its_cash() -> None:
    run, observed = a_run(), Observed()
    observed.add_receipt("r1", a_receipt("c1"))
    observed.add_receipt("r2", a_receipt("c2", cents=50_000))
    run.date_closed(observed)
    sent = run.outgoing(ReversalEvent(reversal="v1", reverses="c2", amounts={"pre_tax": "100.00"}), DAY)
    assert (sent.key, sent.ce_id) == ("s000-P2", "s000-v1")
    assert run.undecided("R1", observed) == ["v1"]
    observed.add_receipt("r3", a_receipt("v1", credited=[{"source": "pre_tax", "cents": -10_000}]))
    assert run.owed("R1", observed) == 16_923 + 40_000


def test_a_run_owes_no_less_for_what_is_reversed_after_it_had_its_cash() -> None:
    run, observed = a_run(), Observed()
    observed.add_receipt("r1", a_receipt("c1"))
    observed.add_receipt("r2", a_receipt("c2", "rejected", 0, 50_000))
    run.funding(FundingEvent(funding="R1"), 16_923, DAY)
    run.date_closed(observed)
    run.outgoing(ReversalEvent(reversal="v1", reverses="c1"), DAY)
    observed.add_receipt("r3", a_receipt("v1", credited=[{"source": "pre_tax", "cents": -16_923}]))
    assert run.owed("R1", observed) == 0
    assert "v1" not in run.unanswered(observed)


def test_every_sending_of_a_line_wants_an_answer() -> None:
    run, observed = a_run(), Observed()
    assert run.unanswered(observed) == ["c1", "c2"]
    observed.add_receipt("r1", a_receipt("c1"))
    observed.add_receipt("r2", a_receipt("c2", "held", 0))
    assert run.unanswered(observed) == ["c1"]
    observed.add_receipt("r3", a_receipt("c1", "duplicate"))
    assert run.unanswered(observed) == []


def test_nobody_waits_twice_for_an_answer_that_did_not_come() -> None:
    run, observed = a_run(), Observed()
    run.give_up("c1")
    assert run.unanswered(observed) == ["c2"]


def test_orders_the_custodian_did_not_answer_are_their_own_files() -> None:
    run, observed = a_run(), Observed()
    order = {"plan_id": "s000-ACME", "trade_date": "2026-11-20"}
    observed.add_order(order | {"order_id": "o1"})
    observed.add_order(order | {"order_id": "o2"})
    observed.add_order(order | {"order_id": "o3", "plan_id": "s001-ACME"})
    observed.add_order(order | {"order_id": "o4", "trade_date": "2026-11-23"})
    observed.add_confirmation({"order_id": "o1", "version": 1, "status": "confirmed"})
    assert run.unconfirmed(DAY, observed) == ["o2"]


def test_orders_whose_last_word_is_pending_are_in_the_air() -> None:
    observed = Observed()
    observed.add_confirmation({"order_id": "o1", "version": 1, "status": "pending"})
    assert observed.orders_in_the_air() == ["o1"]
    observed.add_confirmation({"order_id": "o1", "version": 2, "status": "confirmed"})
    observed.add_confirmation({"order_id": "o1", "version": 1, "status": "pending"})
    assert observed.orders_in_the_air() == []


def test_after_its_last_day_a_file_repeats_its_last_prices_and_prices_every_fund() -> None:
    text = TEXT.replace('prices: {F1: "24.00", F2: "10.00"}', 'prices: {F1: "24.00"}').replace(
        "F2: {}}", "F2: {}, F3: {}}"
    )
    run = FileRun("two.yaml", Namespace(0), parse_scenario(text))
    assert run.prices_of(NEXT_DAY) == {"F1": "24.00"}
    assert run.prices_of(date(2026, 11, 24)) == {"F1": "24.00", "F2": "10.00", "F3": "1.00"}
    assert run.prices_of(date(2026, 11, 19)) == {}
