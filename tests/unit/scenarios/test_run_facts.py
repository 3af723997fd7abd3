"""What a file says of runs, changed plans and new limits, as it goes out."""

from __future__ import annotations

import hashlib

import orjson
import pytest

from deploy.scenarios.model import (
    ClosedEvent,
    FileProblem,
    LimitsEvent,
    OpenedEvent,
    PlanChangeEvent,
    ReturnEvent,
    parse_scenario,
)
from deploy.scenarios.observed import Observed
from shared.events.base import Event
from shared.events.limits import LimitsFact
from shared.events.payroll import PayrollClosed, PayrollOpened, PayrollReturned
from shared.events.plan import PlanFact
from tests.unit.scenarios.builders import DAY, TEXT, a_receipt, a_run


def sent(model: type[Event], event: object) -> dict[str, object]:
    """The body of what goes out, after the contract has read it."""
    out = a_run().outgoing(event, DAY)
    assert out.ce_type == model.ce_type
    model.model_validate_json(out.value)
    return dict(orjson.loads(out.value))


def test_totals_of_a_run_name_its_plan_and_hash_the_people_as_the_cluster_knows_them() -> None:
    closed = sent(
        PayrollClosed,
        ClosedEvent.model_validate(
            {"closed": "R1", "line_count": 2, "cents_total": "669.23", "cents_by_source": {"pre_tax": "669.23"},
             "people": ["P1", "P2"]}
        ),
    )  # fmt: skip
    heads = [int.from_bytes(hashlib.sha256(name).digest()[:4]) for name in (b"s000-P1", b"s000-P2")]
    assert closed == {
        "payroll_id": "s000-R1", "plan_id": "s000-ACME", "line_count": 2, "cents_total": 66_923,
        "cents_by_source": {"pre_tax": 66_923}, "hash_total": sum(heads) % 10**10,
    }  # fmt: skip
    assert "plan_id" not in sent(PayrollOpened, OpenedEvent(opened="R9"))
    assert sent(PayrollOpened, OpenedEvent(opened="R9", plan="ACME"))["plan_id"] == "s000-ACME"


def test_what_the_bank_took_back_is_owed_again() -> None:
    run, observed = a_run(), Observed()
    observed.add_receipt("a", a_receipt("c1"))
    out = run.outgoing(ReturnEvent.model_validate({"returned": "R1", "amount": "9.23"}), DAY)
    assert PayrollReturned.model_validate_json(out.value).cents == 923
    assert run.owed("R1", observed) == 16_923 + 923


def test_a_changed_plan_keeps_what_was_not_named() -> None:
    run = a_run()
    change = PlanChangeEvent.model_validate(
        {"plan_change": "ACME", "sources": ["pre_tax"], "short_years": {2026: 6}, "eligibility": {"age": 21}}
    )
    first = PlanFact.model_validate_json(run.outgoing(change, DAY).value)
    again = run.outgoing(PlanChangeEvent.model_validate({"plan_change": "ACME", "short_years": None}), DAY)
    second = PlanFact.model_validate_json(again.value)
    assert (first.sources, first.default_fund, first.short_years) == (("pre_tax",), "s000-F1", {2026: 6})
    assert (second.sources, second.short_years, second.eligibility) == (("pre_tax",), {}, first.eligibility)


def test_a_plan_may_name_its_normal_retirement_age() -> None:
    change = PlanChangeEvent.model_validate({"plan_change": "ACME", "normal_retirement_age": 65})
    assert PlanFact.model_validate(sent(PlanFact, change)).normal_retirement_age == 65


def test_limits_of_a_year_are_the_same_for_all_files() -> None:
    event = LimitsEvent.model_validate(
        {"limits": 2027, "elective_deferral": "25000.00", "catch_up": "8000.00", "annual_additions": "74000.00",
         "compensation": "370000.00"}
    )  # fmt: skip
    fact = LimitsFact.model_validate(sent(LimitsFact, event))
    assert (fact.year, fact.elective_deferral_cents, fact.catch_up_60_63_cents) == (2027, 2_500_000, None)


def test_a_change_of_an_unknown_plan_is_an_error() -> None:
    with pytest.raises(FileProblem, match="unknown plan NONE"):
        parse_scenario(TEXT.replace("- {resend: c1}", "- {plan_change: NONE}"))
