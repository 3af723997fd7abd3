"""Which decisions write the row of a participant's year: never one of a line that somebody else's key brought."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from services.contribution.handlers import Batch, moves_year
from services.contribution.items import LineItem
from services.contribution.rules.intake import Line
from services.contribution.rules.limits import reviewed_limits
from services.contribution.rules.line import LineDecision, decide_line, refuse_line
from services.contribution.rules.participant import Employment, Participant
from services.contribution.rules.plan_rules import plan_rules_of
from services.contribution.rules.records import YearToDate

BORN, HIRED, DAY = date(1980, 3, 2), date(2020, 1, 6), date(2026, 11, 20)
BEFORE = YearToDate(regular_pre_tax_cents=100_000)


def line(amounts: list[tuple[str, int]], employer_money: str | None = None) -> Line:
    return Line("ACME", "P1", "R1", DAY, 400_000, amounts, [], employer_money)


def item(said: Line, key: str) -> LineItem:
    at = datetime(2026, 11, 20, 15, tzinfo=UTC)
    return LineItem(0, "lines", 1, at, DAY, key, "c1", "/acme", b"i" * 16, b"b" * 16, said)


def decided(said: Line) -> LineDecision:
    plan = plan_rules_of("ACME", {"sources": ["pre_tax", "match"]})
    person = Participant(BORN, (Employment(HIRED),))
    return decide_line(said, plan, person, reviewed_limits()[2026], BEFORE)


def batch() -> Batch:
    return Batch({}, {("P1", "ACME", 2026): BEFORE}, {})


@pytest.mark.parametrize(
    "said", [line([("pre_tax", 5_000)]), line([("pre_tax", 0)]), line([("match", 7_000)], "restoration")]
)
def test_what_the_rules_decided_writes_the_year_with_its_mark(said: Line) -> None:
    assert moves_year(batch(), item(said, "P1"), decided(said))


def test_a_line_that_is_refused_as_sent_writes_nothing() -> None:
    said = line([("pre_tax", -1)])
    assert not moves_year(batch(), item(said, "P1"), refuse_line(said, "INVALID_AMOUNT", BEFORE))


def test_a_line_under_another_key_writes_nothing_even_where_nothing_is_known_yet() -> None:
    said = line([("pre_tax", 5_000)])
    refused = refuse_line(said, "KEY_MISMATCH", YearToDate())
    assert not moves_year(Batch({}, {}, {}), item(said, "P2"), refused)


def test_a_refused_line_of_somebody_unknown_leaves_the_year_to_the_opening_that_the_census_may_bring() -> None:
    said, nobody = line([("pre_tax", 5_000)]), Batch({}, {}, {})
    of_p1 = item(said, "P1")
    refused = refuse_line(said, "UNKNOWN_PARTICIPANT", nobody.year_to_date(of_p1.waits_behind))
    assert not moves_year(nobody, of_p1, refused)
