"""Which version of a fact governs a date."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from shared.events.fund import FundFact
from shared.events.market import PriceFact
from shared.events.plan import PlanFact
from shared.events.topics import FUNDS, MARKET_PRICES, PLANS
from shared.runtime.definition import FactTopic
from shared.runtime.factcache import FactCache, FactProgress
from shared.values.invariants import InvariantBroken
from shared.values.trading_days import AFTER_GENESIS, GENESIS

THURSDAY, FRIDAY, MONDAY = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)


def a_cache(**versions: list[tuple[date, Any]]) -> FactCache:
    """A cache of plans and funds that both gate money, and of prices that do not."""
    cache = FactCache(
        (
            FactTopic(PLANS, {PlanFact.ce_type: PlanFact}, key=lambda fact: fact.plan_id),
            FactTopic(FUNDS, {FundFact.ce_type: FundFact}, key=lambda fact: fact.fund_id),
            FactTopic(MARKET_PRICES, {PriceFact.ce_type: PriceFact}, key=lambda fact: fact.fund_id, gates_money=False),
        )
    )
    cache.versions[PLANS.name].update(versions)
    return cache


def test_a_changed_fact_governs_from_its_effective_date_on() -> None:
    cache = a_cache(ACME=[(THURSDAY, "old"), (MONDAY, "new")])
    governing = [cache.get(PLANS.name, "ACME", day) for day in (date(2026, 11, 18), THURSDAY, FRIDAY, MONDAY)]
    assert governing == [None, "old", "old", "new"]
    assert cache.get(PLANS.name, "ACME", date(2028, 1, 3)) == "new"


def test_of_two_changes_for_one_date_the_later_governs() -> None:
    cache = a_cache(ACME=[(THURSDAY, "first"), (FRIDAY, "second"), (FRIDAY, "third")])
    assert cache.get(PLANS.name, "ACME", FRIDAY) == "third"


def test_before_the_first_cut_the_first_fact_governs_and_its_change_the_first_real_date() -> None:
    cache = a_cache(ACME=[(GENESIS, "first"), (AFTER_GENESIS, "changed")])
    assert cache.get(PLANS.name, "ACME", GENESIS) == "first"
    assert cache.get(PLANS.name, "ACME", FRIDAY) == "changed"


def test_facts_of_another_key_or_topic_do_not_govern() -> None:
    cache = a_cache(ACME=[(THURSDAY, "plan")])
    assert cache.get(PLANS.name, "BETA", FRIDAY) is None
    assert cache.get(FUNDS.name, "ACME", FRIDAY) is None


def test_a_fact_that_must_be_there_and_is_not_is_our_defect() -> None:
    cache = a_cache(ACME=[(FRIDAY, "plan")])
    assert cache.need(PLANS.name, "ACME", FRIDAY) == "plan"
    with pytest.raises(InvariantBroken, match="ACME is known for 2026-11-19"):
        cache.need(PLANS.name, "ACME", THURSDAY)


def test_all_facts_of_a_date_leave_out_those_to_come() -> None:
    cache = a_cache(ACME=[(THURSDAY, "a"), (MONDAY, "a2")], BETA=[(MONDAY, "b")])
    assert cache.all_on(PLANS.name, FRIDAY) == {"ACME": "a"}
    assert cache.all_on(PLANS.name, MONDAY) == {"ACME": "a2", "BETA": "b"}


def test_money_may_pass_up_to_the_first_date_a_gating_fact_topic_is_still_open_for() -> None:
    cache = a_cache()
    assert cache.gate() == GENESIS
    cache.progress[PLANS.name] = FactProgress(last_cut=FRIDAY)
    assert cache.gate() == GENESIS
    cache.progress[FUNDS.name] = FactProgress(last_cut=THURSDAY)
    assert cache.gate() == FRIDAY
    cache.progress[FUNDS.name] = FactProgress(last_cut=FRIDAY)
    assert cache.gate() == MONDAY


def test_what_is_said_of_a_date_once_it_is_cut_waits_for_all_facts_of_that_date() -> None:
    cache = a_cache()
    assert cache.gate(after_the_cut=True) == GENESIS
    cache.progress[PLANS.name] = FactProgress(last_cut=FRIDAY)
    cache.progress[FUNDS.name] = FactProgress(last_cut=THURSDAY)
    assert cache.gate(after_the_cut=True) == THURSDAY
    cache.progress[FUNDS.name] = FactProgress(last_cut=FRIDAY)
    assert cache.gate(after_the_cut=True) == FRIDAY


def test_without_gating_facts_nothing_waits() -> None:
    assert FactCache(()).gate() is None
    assert FactCache(()).gate(after_the_cut=True) is None
