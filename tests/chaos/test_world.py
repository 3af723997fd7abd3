"""The made-up company of long runs: nobody meets a limit, dates don't run out, repeats are drawn from the whole."""

from __future__ import annotations

import random
from collections import Counter

import orjson
import pytest

from shared.events import topics
from shared.events.fields import CENTS_MAX
from shared.events.limits import LimitsFact
from shared.values.trading_days import has_next_trading_day
from tests.chaos.conftest import MINUTES, RATE
from tests.support import events
from tests.support.chaos_bounds import (
    DAY_SECONDS,
    HEAD_DAY,
    LINE_CENTS_MAX,
    LINES_MAX,
    MINUTES_MAX,
    RATE_MAX,
    dates,
    made_up_limits,
    refusal,
)
from tests.support.chaos_cluster import actions
from tests.support.chaos_memory import Memory
from tests.support.chaos_poison import ANSWER, LETTER, POISON, poisoned
from tests.support.chaos_world import HUGE_BYTES, HUGE_MAX, SOURCES, World

pytestmark = pytest.mark.chaos_short
LINES = topics.PAYROLL_CONTRIBUTIONS.name


def test_the_longest_and_fastest_run_reaches_no_limit_were_it_all_one_persons() -> None:
    most = LINES_MAX * LINE_CENTS_MAX * len(SOURCES)
    limits = [LimitsFact.model_validate(one) for one in made_up_limits()]
    assert all(most < min(one.elective_deferral_cents, one.annual_additions_cents) for one in limits)
    assert max(one.compensation_cents for one in limits) <= CENTS_MAX


def test_every_year_that_a_run_reaches_has_limits_and_every_date_can_be_closed() -> None:
    reached = dates()
    assert reached[0] == HEAD_DAY
    assert len(reached) - 1 >= MINUTES_MAX * 60 / DAY_SECONDS + 1
    assert {one["year"] for one in made_up_limits()} == {day.year for day in reached} == {2026, 2027, 2028}
    assert has_next_trading_day(reached[-1])


def test_the_custodian_errs_on_every_date_that_a_run_reaches() -> None:
    asked = {(one["trade_date"], one["action"]) for one in actions()}
    assert asked == {(day.isoformat(), action) for day in dates() for action in ("duplicate", "misprice")}


def test_a_run_that_would_be_too_long_or_too_fast_is_refused() -> None:
    assert refusal(MINUTES_MAX, RATE_MAX) is None
    assert refusal(MINUTES, RATE) is None
    assert "exchange calendar" in (refusal(MINUTES_MAX + 1, 40) or "")
    assert "limits" in (refusal(1, RATE_MAX + 1) or "")


def test_amounts_of_lines_stay_below_what_the_limits_were_made_for() -> None:
    world = World(7)
    lines = [one for one in (world.next(HEAD_DAY).record for _ in range(3_000)) if one.topic == LINES and one.value]
    good = [orjson.loads(one.value or b"") for one in lines if not dict(one.headers).get(LETTER)]
    assert max(part["cents"] for body in good for part in body["amounts"]) <= LINE_CENTS_MAX


def test_what_is_remembered_is_bounded_and_comes_from_the_whole_run() -> None:
    memory = Memory(7, kept_max=100)
    for number in range(10_000):
        memory.keep(events.line("P1", ce_id=f"line-{number}").but(partition=3))
    again = memory.newest_first(LINES, random.Random(1), 90)
    numbers = [int(one.ce_id.removeprefix("line-")) for one in again]
    assert len(memory.kept[LINES]) == 100
    assert numbers == sorted(set(numbers), reverse=True)
    assert len(numbers) == 90
    by_quarter = Counter(number // 2_500 for number in numbers)
    assert all(by_quarter[quarter] > 10 for quarter in range(4))
    assert {one.partition for one in again} == {3}


def test_a_topic_of_which_nothing_was_said_has_nothing_to_say_again() -> None:
    memory = Memory(7)
    assert memory.any_of(LINES, random.Random(1)) is None
    assert memory.newest_first(LINES, random.Random(1), 9) == []


def test_records_of_nearly_a_megabyte_are_legal_and_few() -> None:
    world = World(7)
    records = [world.next(HEAD_DAY).record for _ in range(30_000)]
    huge = [one for one in records if len(one.value or b"") > HUGE_BYTES]
    assert len(huge) == HUGE_MAX
    size = max(len(one.value or b"") + sum(len(name) + len(value) for name, value in one.headers) for one in huge)
    assert size < topics.RECORD_BYTES_MAX


@pytest.mark.parametrize("kind", POISON)
def test_each_poison_says_what_must_come_of_it(kind: str) -> None:
    line = events.line("P1", {"pre_tax": 5, "roth": 7}, ce_id="line-1")
    record = poisoned(kind, line, "poison-1")
    headers = dict(record.headers)
    said = (headers.get(LETTER, b"").decode() or None, headers.get(ANSWER, b"").decode() or None)
    assert said == (POISON[kind].letter, POISON[kind].answer)
    assert any(said)
    assert record != line


def test_every_kind_of_poison_comes_in_a_run() -> None:
    world = World(7)
    records = [world.next(HEAD_DAY).record for _ in range(5_000)]
    asked = {(headers.get(LETTER), headers.get(ANSWER)) for headers in (dict(one.headers) for one in records)}
    made = {tuple(code and code.encode() for code in (one.letter, one.answer)) for one in POISON.values()}
    assert made | {(None, b"UNKNOWN_FUND")} <= asked
    assert any(one.value is None for one in records)


def test_what_is_taken_back_would_be_seen_if_it_counted() -> None:
    world = World(7)
    cash, line, price, choice = world.unsaid(HEAD_DAY, random.Random(1))
    assert (cash.topic, price.topic) == (topics.PAYROLL_RUNS.name, topics.MARKET_PRICES.name)
    assert (line.topic, choice.topic) == (LINES, topics.PARTICIPANT_REQUESTS.name)
    assert not any(dict(one.headers).get(LETTER) for one in (cash, line, price, choice))
