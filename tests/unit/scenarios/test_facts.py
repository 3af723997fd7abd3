"""What a file publishes: its own namespace, integer cents on the wire, resends with the same bytes."""

from __future__ import annotations

import orjson

from deploy.scenarios.facts import FileEvents, Outgoing
from deploy.scenarios.model import CensusEvent, ContributionEvent, ReversalEvent, parse_scenario
from deploy.scenarios.names import Namespace
from shared.events.census import Census
from shared.events.fund import FundFact
from shared.events.market import PriceFact
from shared.events.payroll import Contribution, PayrollFunded, Reversal
from shared.events.plan import PlanFact
from shared.events.requests import ElectionChanged
from tests.unit.scenarios.builders import DAY, TEXT, a_run, a_scenario

MODELS = (Census, FundFact, PriceFact, Contribution, PayrollFunded, PlanFact, ElectionChanged, Reversal)
UNKNOWN = (
    "- {contribution: c9, participant: GHOST, payroll: R1, pay_date: 2026-11-20, compensation: '0.00', amounts: {}}"
)
MODEL_BY_TYPE = {model.ce_type: model for model in MODELS}


def file_events() -> FileEvents:
    return FileEvents(a_scenario(), Namespace(0))


def body(event: Outgoing) -> dict[str, object]:
    """The event's body, after the contract has read it."""
    MODEL_BY_TYPE[event.ce_type].model_validate_json(event.value)
    return dict(orjson.loads(event.value))


def first_line(events: FileEvents) -> Outgoing:
    event = a_scenario().days[0].events[0]
    assert isinstance(event, ContributionEvent)
    return events.contribution(event)


def test_head_facts_are_funds_plans_participants_and_elections_in_the_files_namespace() -> None:
    head = list(file_events().head())
    assert [event.key for event in head] == ["s000-F1", "s000-F2", "s000-ACME", "s000-P1", "s000-P2", "s000-P1"]
    assert body(head[2])["default_fund"] == "s000-F1"
    assert body(head[5])["elections"] == [
        {"fund_id": "s000-F1", "percent": "60"},
        {"fund_id": "s000-F2", "percent": "40"},
    ]
    assert len(head) == len({event.ce_id for event in head})


def test_every_head_fact_satisfies_its_contract() -> None:
    for event in file_events().head():
        assert body(event)


def test_year_to_date_deferrals_are_sent_as_the_census_opening() -> None:
    census = body(list(file_events().head())[4])
    assert census["opening"] == {"year": 2026, "regular_cents": 2_430_100, "catch_up_cents": 0, "compensation_cents": 0}
    assert census["prior_year_wages_cents"] == 15_000_001


def test_a_line_is_keyed_by_participant_and_speaks_integer_cents() -> None:
    line = first_line(file_events())
    said = body(line)
    assert (line.key, line.ce_id, line.ce_source) == ("s000-P1", "s000-c1", "/scenario/s000")
    assert said["amounts"] == [{"source": "pre_tax", "cents": 16_923}]
    assert (said["plan_id"], said["payroll_id"], said["compensation_cents"]) == ("s000-ACME", "s000-R1", 423_077)


def test_a_line_says_hours_and_year_to_date_only_where_the_file_does() -> None:
    events, event = file_events(), a_scenario().days[0].events[0]
    assert isinstance(event, ContributionEvent)
    told = body(events.contribution(event.model_copy(update={"hours": "80.5", "ytd": {"roth": 5}})))
    assert (told["hours"], told["ytd"]) == ("80.5", [{"source": "roth", "cents": 5}])
    assert {"hours", "ytd", "employer_money"}.isdisjoint(body(events.contribution(event)))


def test_a_reversal_of_a_line_that_is_to_come_or_never_comes_says_what_it_can() -> None:
    events = file_events()
    coming = events.reversal(ReversalEvent(reversal="v1", reverses="c2"))
    said = body(coming)
    assert (coming.key, said["participant_id"], said["payroll_id"]) == ("s000-P2", "s000-P2", "s000-R1")
    never = body(events.reversal(ReversalEvent(reversal="v2", reverses="c9")))
    assert (never["participant_id"], never["plan_id"], never["reverses"]) == ("s000-P1", "s000-ACME", "s000-c9")
    assert "amounts" not in never
    named = events.reversal(ReversalEvent(reversal="v3", reverses="c9", participant="P2"))
    assert named.key == "s000-P2"


def test_a_resend_repeats_identity_and_bytes() -> None:
    events = file_events()
    assert first_line(events) == events.resend("c1")


def test_a_changed_resend_keeps_the_identity_and_changes_the_amounts_only() -> None:
    events = file_events()
    line = first_line(events)
    changed = events.resend_changed("c1", {"roth": 1})
    assert line.ce_id == changed.ce_id
    assert body(line) | {"amounts": [{"source": "roth", "cents": 1}]} == body(changed)
    assert line == events.resend("c1")


def test_funding_belongs_to_the_plan_of_its_runs_lines() -> None:
    events = file_events()
    first_line(events)
    funding = events.funding("R1", 66_923, DAY)
    assert (funding.key, body(funding)["cents"], body(funding)["received_on"]) == ("s000-R1", 66_923, "2026-11-20")


TWO_PLANS = TEXT.replace("plans:", "plans:\n  FIRST: {sources: [pre_tax], default_fund: F1}")


def test_cash_before_its_lines_is_of_the_plan_the_file_lists_its_run_in() -> None:
    early = FileEvents(parse_scenario(TWO_PLANS), Namespace(0)).funding("R1", 1, DAY)
    assert body(early)["plan_id"] == "s000-ACME"


def test_cash_of_a_run_without_lines_is_of_the_files_only_plan() -> None:
    assert body(file_events().funding("R9", 1, DAY))["plan_id"] == "s000-ACME"
    assert "plan_id" not in body(FileEvents(parse_scenario(TWO_PLANS), Namespace(0)).funding("R9", 1, DAY))
    opened = TWO_PLANS.replace("- {resend: c1}", "- {opened: R9, plan: FIRST}")
    assert body(FileEvents(parse_scenario(opened), Namespace(0)).funding("R9", 1, DAY))["plan_id"] == "s000-FIRST"


def test_a_census_event_changes_what_it_names_and_keeps_the_rest() -> None:
    event = CensusEvent.model_validate({"census": "P2", "terminated": "2026-11-20"})
    changed = body(file_events().census(event))
    assert (changed["birth_date"], changed["termination_date"]) == ("1976-12-31", "2026-11-20")


def test_a_census_event_may_bring_an_election() -> None:
    event = CensusEvent.model_validate(
        {"census": "P9", "plan": "ACME", "born": "1990-05-01", "hired": "2026-11-16", "elections": {"F2": "100"}}
    )
    census, election = a_run().published(event, DAY)
    assert (census.key, body(census)["birth_date"]) == ("s000-P9", "1990-05-01")
    assert (election.key, body(election)["plan_id"]) == ("s000-P9", "s000-ACME")
    assert body(election)["elections"] == [{"fund_id": "s000-F2", "percent": "100"}]
    silent = CensusEvent.model_validate({"census": "P1", "terminated": "2026-11-20"})
    assert len(a_run().published(silent, DAY)) == 1


def test_prices_are_final_and_keyed_by_fund_and_date() -> None:
    (price,) = file_events().prices(DAY, {"F1": "23.47"})
    assert price.key == "s000-F1:2026-11-20"
    assert tuple(body(price)[name] for name in ("price", "status", "version")) == ("23.47", "final", 1)


def test_the_custodians_actions_name_the_files_own_funds() -> None:
    assert file_events().custodian_actions() == [
        {"fund": "s000-F1", "trade_date": "2026-11-20", "side": "buy", "action": "late"}
    ]


def test_no_prefix_starts_another() -> None:
    assert not Namespace(100).owns(Namespace(1000).full("P1"))
    assert not Namespace(1000).owns(Namespace(100).full("P1"))


def test_a_line_of_somebody_who_is_not_listed_is_of_its_runs_plan() -> None:
    listed = TEXT.replace("plans:", "plans:\n  FIRST: {sources: [pre_tax], default_fund: F1}")
    unknown = listed.replace("- {resend: c1}", UNKNOWN)
    scenario = parse_scenario(unknown)
    lines = [event for event in scenario.days[0].events if isinstance(event, ContributionEvent)]
    events = FileEvents(scenario, Namespace(0))
    assert [body(events.contribution(line))["plan_id"] for line in reversed(lines)] == ["s000-ACME"] * 3
