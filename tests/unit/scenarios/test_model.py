"""Scenario files are read strictly: what the runner would not understand is an error with its place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from deploy.scenarios.model import ContributionEvent, FileProblem, LaterEvent, parse_scenario, read_scenario

HEAD = """
scenario: a small one
plans:
  ACME: {sources: [pre_tax, roth], default_fund: F1, trade_on: file}
funds: {F1: {share_decimals: 3}}
participants:
  P1: {plan: ACME, born: 1986-03-02, hired: "2020-01-06", elections: {F1: "100"}}
"""
LINE = (
    "{contribution: c1, participant: P1, payroll: R1, pay_date: 2026-11-20, "
    'compensation: "2000.00", amounts: {pre_tax: "169.23"}}'
)


def a_file(day: str = "{date: 2026-11-20}", *, head: str = HEAD) -> str:
    return f"{head}days:\n  - {day}\n"


def with_event(event: str) -> str:
    return a_file(f"{{date: 2026-11-20, events: [{event}]}}")


def problem_of(text: str) -> tuple[str, str]:
    with pytest.raises(FileProblem) as caught:
        parse_scenario(text)
    return caught.value.path, caught.value.reason


def test_money_becomes_cents_and_dates_may_be_quoted_or_not() -> None:
    scenario = parse_scenario(with_event(LINE))
    event = scenario.days[0].events[0]
    assert isinstance(event, ContributionEvent)
    assert event.amounts == {"pre_tax": 16_923}
    assert date(2020, 1, 6) == scenario.participants["P1"].hired
    assert date(1986, 3, 2) == scenario.participants["P1"].born


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ("{contribution: c1, colour: red}", "days[0].events[0]"),
        ('{funding: R1, amonut: "1.00"}', "days[0].events[0].amonut"),
        ("{resend: c1, amounts: {}}", "days[0].events[0].amounts"),
        ("{dance: P1}", "days[0].events[0]"),
        (LINE.replace('"169.23"', "169.23"), "days[0].events[0].amounts.pre_tax"),
        (LINE.replace('"169.23"', '"169.234"'), "days[0].events[0].amounts.pre_tax"),
        (f"{LINE}, {LINE}", "days[0].events[1].contribution"),
        ("{resend: c9}", "days[0].events[0]"),
        ("{census: P9, plan: ACME}", "days[0].events[0].born"),
    ],
)
def test_a_wrong_event_is_an_error_with_its_place(event: str, path: str) -> None:
    assert problem_of(with_event(event))[0].startswith(path)


@pytest.mark.parametrize(
    ("as_of", "path"),
    [
        ("{date: 2026-11-20, colour: red}", "days[0].expect.as_of.colour"),
        ("{known_at: 2026-11-20}", "days[0].expect.as_of.date"),
        ("[{date: 2026-11-20}, {date: noon}]", "days[0].expect.as_of[1].date"),
    ],
)
def test_a_wrong_block_of_what_was_known_is_an_error_with_its_place(as_of: str, path: str) -> None:
    assert path == problem_of(a_file(f"{{date: 2026-11-20, expect: {{as_of: {as_of}}}}}"))[0]


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ("funds: {F1: {share_decimals: 7}}", "funds.F1.share_decimals"),
        ("funds: {F1: {scale: 3}}", "funds.F1.scale"),
        ("colours: {}\nfunds: {F1: {}}", "colours"),
    ],
)
def test_a_wrong_head_is_an_error_with_its_place(wrong: str, path: str) -> None:
    assert path == problem_of(a_file(head=HEAD.replace("funds: {F1: {share_decimals: 3}}", wrong)))[0]


def test_a_key_given_twice_is_an_error() -> None:
    path, reason = problem_of(a_file(head=HEAD + "funds: {F2: {}}\n"))
    assert path == ""
    assert "given twice" in reason


def test_a_gap_between_listed_days_is_an_error() -> None:
    _, reason = problem_of(a_file("{date: 2026-11-20}\n  - {date: 2026-11-24}"))
    assert "2026-11-23" in reason


def test_a_day_without_trading_is_an_error() -> None:
    assert "not a trading day" in problem_of(a_file("{date: 2026-11-26}"))[1]


def test_thanksgiving_lies_between_two_consecutive_days() -> None:
    parsed = parse_scenario(a_file("{date: 2026-11-25}\n  - {date: 2026-11-27}"))
    assert [date(2026, 11, 25), date(2026, 11, 27)] == [day.date for day in parsed.days]


def test_a_participant_may_be_called_n() -> None:
    assert "N" in parse_scenario(a_file(head=HEAD.replace("P1:", "N:"))).participants


def test_names_may_be_what_yaml_takes_for_numbers_and_dates() -> None:
    line = LINE.replace("P1", "1001").replace("R1", "2026-11-20")
    parsed = parse_scenario(with_event(line).replace("P1:", "1001:"))
    event = parsed.days[0].events[0]
    assert isinstance(event, ContributionEvent)
    assert (list(parsed.participants), event.participant, event.payroll) == (["1001"], "1001", "2026-11-20")


def test_anchors_and_aliases_work() -> None:
    head = HEAD.replace("P1: {", "P1: &p {") + "  P2: *p\n"
    assert parse_scenario(a_file(head=head)).participants["P2"].plan == "ACME"


@pytest.mark.parametrize("event", ["{split: F1, ratio: 2}", "{rebalance: P1}"])
def test_event_kinds_of_later_features_are_recognised(event: str) -> None:
    assert isinstance(parse_scenario(with_event(event)).days[0].events[0], LaterEvent)


def test_an_unknown_custodian_action_or_fund_is_an_error() -> None:
    day = "{date: 2026-11-20, custodian: {orders: [{fund: %s, side: buy, action: %s}]}}"
    assert problem_of(a_file(day % ("F1", "dance")))[0] == "days[0].custodian.orders[0].action"
    assert problem_of(a_file(day % ("F9", "late")))[0] == "days[0].custodian.orders[0].fund"


def test_a_file_that_cannot_be_read_is_a_problem_of_that_file(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="not readable"):
        read_scenario(tmp_path / "missing.yaml")
    (tmp_path / "broken.yaml").write_text("scenario: [")
    with pytest.raises(FileProblem, match="YAML"):
        read_scenario(tmp_path / "broken.yaml")


def test_a_reversal_is_none_itself_before_and_may_name_a_line_that_is_to_come_or_never_comes() -> None:
    assert parse_scenario(with_event("{reversal: r1, reverses: c9}")).days
    assert parse_scenario(with_event(f"{{reversal: r1, reverses: c1}}, {LINE}")).days
    with pytest.raises(FileProblem, match="r1 is already used"):
        parse_scenario(with_event("{reversal: r1, reverses: c9}, {reversal: r1, reverses: c8}"))


def test_an_election_may_name_somebody_whose_census_comes_later_or_never() -> None:
    assert parse_scenario(with_event('{election: P9, funds: {F1: "100"}}')).days


def test_a_line_may_tell_hours_and_what_payroll_believes_of_the_year() -> None:
    line = LINE.replace("compensation", 'hours: 80, ytd: {pre_tax: "500.00"}, compensation')
    for hours, read in (("80", 80), ('"80.5"', "80.5")):
        event = parse_scenario(with_event(line.replace("hours: 80", f"hours: {hours}"))).days[0].events[0]
        assert isinstance(event, ContributionEvent)
        assert (event.hours, event.ytd) == (read, {"pre_tax": 50_000})
    assert "quoted" in problem_of(with_event(line.replace("hours: 80", "hours: 80.5")))[1]


def test_a_fund_may_say_nothing_and_a_schedule_may_stand_unquoted() -> None:
    head = HEAD.replace("default_fund: F1", "default_fund: F1, vesting: {match: [20, 40, 100]}")
    parsed = parse_scenario(a_file(head=head.replace("share_decimals: 3", "")))
    assert parsed.plans["ACME"].vesting == {"match": ["20", "40", "100"]}
    assert parsed.funds["F1"].share_decimals == 3


def test_a_whole_percent_may_stand_unquoted_a_broken_one_may_not() -> None:
    assert parse_scenario(a_file(head=HEAD.replace('"100"', "100"))).participants["P1"].elections == {"F1": "100"}
    assert "quoted decimals" in problem_of(a_file(head=HEAD.replace('"100"', "99.5")))[1]
