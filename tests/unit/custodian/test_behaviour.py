"""Which order gets which answer."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from deploy.custodian.answers import Order
from deploy.custodian.behaviour import Behaviour, ListedAction, millionths, read_actions
from deploy.custodian.settings import CustodianSettings


def an_order(order_id: str = "o1", **changes: str) -> Order:
    facts = {"plan_id": "ACME", "fund_id": "F1", "trade_date": "2026-11-24", "side": "buy"} | changes
    return Order(order_id, cents=10_000, shares=None, **facts)


REJECT_F1 = ListedAction(fund="F1", trade_date="2026-11-24", side="buy", action="reject")


def test_a_listed_action_meets_its_fund_side_and_date_only() -> None:
    behaviour = Behaviour([REJECT_F1])
    assert behaviour.decide(an_order()).action == "reject"
    assert behaviour.decide(an_order(fund_id="F2")).action == "confirm"
    assert behaviour.decide(an_order(side="sell")).action == "confirm"
    assert behaviour.decide(an_order(trade_date="2026-11-25")).action == "confirm"


def test_a_listed_action_may_name_one_plan() -> None:
    behaviour = Behaviour([REJECT_F1.model_copy(update={"plan": "BETA"})])
    assert behaviour.decide(an_order()).action == "confirm"
    assert behaviour.decide(an_order(plan_id="BETA")).action == "reject"


def test_rates_are_drawn_alike_by_a_restarted_custodian() -> None:
    behaviour = Behaviour(seed=7, millionths_by_action=(("reject", 300_000), ("late", 300_000)))
    orders = [an_order(f"o{number}") for number in range(2_000)]
    drawn = Counter(behaviour.decide(order).action for order in orders)
    assert drawn == Counter(behaviour.decide(order).action for order in orders)
    assert 500 < drawn["reject"] < 700
    assert 500 < drawn["late"] < 700


def test_the_file_of_actions_wins_over_rates() -> None:
    behaviour = Behaviour([REJECT_F1], millionths_by_action=(("late", 1_000_000),))
    assert behaviour.decide(an_order()).action == "reject"
    assert behaviour.decide(an_order(fund_id="F2")).action == "late"


def test_a_file_of_actions_is_read_strictly(tmp_path: Path) -> None:
    file = tmp_path / "actions.json"
    file.write_text('[{"fund": "F1", "trade_date": "2026-11-24", "side": "buy", "action": "late", "plan": "ACME"}]')
    assert read_actions(file)[0].action == "late"
    file.write_text('[{"fund": "F1", "trade_date": "2026-11-24", "side": "buy", "action": "sleep"}]')
    with pytest.raises(ValidationError):
        read_actions(file)


@pytest.mark.parametrize("rate", ["-0.1", "1.1"])
def test_a_rate_lies_between_0_and_1(rate: str) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        millionths(Decimal(rate))


def test_rates_of_all_actions_together_may_not_exceed_1() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        CustodianSettings(rate_reject=Decimal("0.6"), rate_late=Decimal("0.6")).behaviour()


def test_a_custodian_told_nothing_confirms_everything() -> None:
    assert CustodianSettings().behaviour().decide(an_order()).action == "confirm"
