"""What a poll takes of a partition, and how markers cut the log into business dates."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest
from aiokafka import TopicPartition

from shared.events.topics import (
    CONTRIBUTIONS_RELEASED,
    CONTRIBUTIONS_REROUTED,
    CUSTODIAN_CONFIRMATIONS,
    PAYROLL_CONTRIBUTIONS,
    Topic,
)
from shared.runtime.definition import Input
from shared.runtime.errors import Fenced, LogLoss
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane, LaneInput
from shared.runtime.migrations import SERVICES
from shared.runtime.records import RULED_BY_CUTS, VALUE_CUT, record_of
from shared.runtime.slicing import Slice, Slicing
from shared.runtime.strays import freeze
from shared.values.trading_days import GENESIS
from tests.support.fetched import NOON, SECRET, Fetched, a_lane_closed, a_marker, an_event

THURSDAY, FRIDAY, MONDAY = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)
LINES, RELEASED, REROUTED = PAYROLL_CONTRIBUTIONS.name, CONTRIBUTIONS_RELEASED.name, CONTRIBUTIONS_REROUTED.name
HOUR = 3_600_000


def an_input(topic: Topic) -> Input:
    return Input(
        topic, (), internal=topic in (CONTRIBUTIONS_RELEASED, CONTRIBUTIONS_REROUTED),
        all_to_all=topic is CONTRIBUTIONS_REROUTED,
    )  # fmt: skip


def cut(
    fetched: Sequence[Fetched],
    *,
    topic: Topic = PAYROLL_CONTRIBUTIONS,
    last_cut: date | None = THURSDAY,
    limit: date | None = None,
    budget: int = 1_000,
    market: bool = False,
    next_offset: int = 0,
    markers: dict[str, str] | None = None,
) -> Slice | None:
    """Cut a slice of partition 0 for a lane that has met ``last_cut`` in this topic; two lanes in all."""
    lane = Lane(0, 1, 1, 1, datetime(2026, 11, 20, tzinfo=UTC))
    lane.inputs[topic.name] = LaneInput(next_offset, last_cut, last_cut, None, None, markers or {})
    source = an_input(topic)
    slicing = Slicing(Guards(), SECRET, market, 2)
    return slicing.cut(TopicPartition(topic.name, 0), source, lane, fetched, limit, budget)


def taken(chosen: Slice | None) -> list[tuple[int, date]]:
    assert chosen is not None
    return [
        (record.offset, record.trade_date) for record in chosen.records if record.ce_type.endswith("contribution.v1")
    ]


# -- public logs -----------------------------------------------------------------------------------------------------


def test_records_belong_to_the_date_after_the_last_cut() -> None:
    chosen = cut([an_event(0), an_event(1)])
    assert taken(chosen) == [(0, FRIDAY), (1, FRIDAY)]
    assert chosen is not None
    assert (chosen.after.next_offset, chosen.after.last_cut, chosen.taken) == (2, THURSDAY, 2)


def test_before_any_cut_records_have_the_label_of_the_beginning() -> None:
    assert taken(cut([an_event(0)], last_cut=None)) == [(0, GENESIS)]


def test_a_marker_ends_the_slice_and_moves_the_cut() -> None:
    chosen = cut([an_event(0), a_marker(1, "2026-11-20"), an_event(2)])
    assert taken(chosen) == [(0, FRIDAY)]
    assert chosen is not None
    assert (chosen.after.next_offset, chosen.after.last_cut, chosen.after.first_cut) == (2, FRIDAY, THURSDAY)
    assert (chosen.before.last_cut, chosen.before.next_offset) == (THURSDAY, 0), "memory moves after the commit only"


def test_the_first_marker_of_all_is_remembered() -> None:
    chosen = cut([a_marker(0, "2026-11-20")], last_cut=None)
    assert chosen is not None
    assert (chosen.after.first_cut, chosen.after.last_cut) == (FRIDAY, FRIDAY)


@pytest.mark.parametrize("day", ["2026-11-19", "2026-11-18"])
def test_the_first_marker_of_a_date_counts_and_a_repeat_cuts_nothing(day: str) -> None:
    chosen = cut([an_event(0), a_marker(1, day), an_event(2)])
    assert taken(chosen) == [(0, FRIDAY), (2, FRIDAY)]
    assert chosen is not None
    assert (chosen.after.next_offset, chosen.after.last_cut) == (3, THURSDAY)


@pytest.mark.parametrize(
    "forged",
    [
        a_marker(1, "2026-11-20", secret=b"guessed"),
        a_marker(1, "2026-11-20", signed_for=1),
        a_lane_closed(1, "2026-11-20", LINES),
        Fetched(LINES, 0, 1, None, b"[]", (("ce_type", b"nestwork.day.cut.v1"),)),
        Fetched(LINES, 0, 1, None, None, (("ce_type", b"nestwork.day.cut.v1"),)),
        Fetched(LINES, 0, 1, None, b'{"trade_date": "soon"}', (("ce_type", b"nestwork.day.cut.v1"),)),
        Fetched(LINES, 0, 1, None, b'{"trade_date": 20261120}', (("ce_type", b"nestwork.day.cut.v1"),)),
    ],
)
def test_a_marker_nobody_of_us_signed_for_this_place_cuts_nothing(forged: Fetched) -> None:
    chosen = cut([an_event(0), forged, an_event(2)])
    assert taken(chosen) == [(0, FRIDAY), (2, FRIDAY)]
    assert chosen is not None
    assert chosen.after.last_cut == THURSDAY
    assert [record.trade_date for record in chosen.records] == [FRIDAY] * 3, "it is kept, to be dead-lettered"


def test_a_value_cut_moves_only_its_own_dates() -> None:
    marker = a_marker(1, "2026-11-19", CUSTODIAN_CONFIRMATIONS.name, ce_type=VALUE_CUT)
    events = [an_event(0, CUSTODIAN_CONFIRMATIONS.name), marker, an_event(2, CUSTODIAN_CONFIRMATIONS.name)]
    chosen = cut(events, topic=CUSTODIAN_CONFIRMATIONS)
    assert chosen is not None
    assert (chosen.after.last_cut, chosen.after.last_value_cut, chosen.after.first_value_cut) == (
        THURSDAY, THURSDAY, THURSDAY,
    )  # fmt: skip
    assert (chosen.before.open_value_date, chosen.after.open_value_date) == (GENESIS, FRIDAY)
    assert chosen.taken == 2


def test_a_value_cut_that_comes_again_cuts_nothing() -> None:
    name = CUSTODIAN_CONFIRMATIONS.name
    first = cut([a_marker(0, "2026-11-19", name, ce_type=VALUE_CUT)], topic=CUSTODIAN_CONFIRMATIONS)
    assert first is not None
    lane = first.lane
    lane.inputs[name] = first.after
    slicing = Slicing(Guards(), SECRET, False, 2)
    repeats = [a_marker(1, "2026-11-19", name, ce_type=VALUE_CUT), a_marker(2, "2026-11-18", name, ce_type=VALUE_CUT)]
    log = [*repeats, an_event(3, name)]
    chosen = slicing.cut(TopicPartition(name, 0), first.source, lane, log, None, 10)
    assert chosen is not None
    assert (chosen.taken, chosen.after.last_value_cut) == (3, THURSDAY)


def test_holes_that_transactions_left_are_stepped_over() -> None:
    chosen = cut([an_event(4), an_event(9)], next_offset=2)
    assert taken(chosen) == [(4, FRIDAY), (9, FRIDAY)]
    assert chosen is not None
    assert chosen.after.next_offset == 10


# -- limits ----------------------------------------------------------------------------------------------------------


def test_money_dated_after_the_limit_stays_where_it_is() -> None:
    assert cut([an_event(0)], limit=THURSDAY) is None
    assert taken(cut([an_event(0)], limit=FRIDAY)) == [(0, FRIDAY)]


def test_a_marker_is_met_although_money_of_its_date_must_wait() -> None:
    chosen = cut([a_marker(0, "2026-11-20"), an_event(1)], limit=THURSDAY)
    assert chosen is not None
    assert (chosen.after.last_cut, chosen.after.next_offset) == (FRIDAY, 1)


def test_no_more_is_taken_than_the_budget() -> None:
    chosen = cut([an_event(offset) for offset in range(5)], budget=3)
    assert taken(chosen) == [(0, FRIDAY), (1, FRIDAY), (2, FRIDAY)]
    assert chosen is not None
    assert chosen.after.next_offset == 3
    assert cut([an_event(0)], budget=0) is None


def test_nothing_fetched_is_no_slice() -> None:
    assert cut([]) is None


# -- market mode -----------------------------------------------------------------------------------------------------


def test_a28_in_market_mode_a_stamp_at_the_cutoff_belongs_to_the_next_date_before_any_marker() -> None:
    stamps = [NOON + 4 * HOUR - 1, NOON + 4 * HOUR]
    events = [an_event(offset, timestamp=stamp) for offset, stamp in enumerate(stamps)]
    assert taken(cut(events, market=True)) == [(0, FRIDAY), (1, MONDAY)]
    assert taken(cut(events)) == [(0, FRIDAY), (1, FRIDAY)]


def test_in_market_mode_the_later_of_marker_and_stamp_decides() -> None:
    assert taken(cut([an_event(0)], market=True, last_cut=FRIDAY)) == [(0, MONDAY)]


def test_in_market_mode_a_late_stamp_waits_for_the_facts_of_its_date() -> None:
    late = an_event(1, timestamp=NOON + 5 * HOUR)
    assert taken(cut([an_event(0), late, an_event(2)], market=True, limit=FRIDAY)) == [(0, FRIDAY)]


@pytest.mark.parametrize("at", [NOON + 4 * HOUR, NOON + 30 * HOUR])
def test_a_confirmation_that_comes_late_does_not_stand_in_the_way_of_its_date_s_marker(at: int) -> None:
    """The marker of D lets D be decided; nothing that waits for this decision may stand before it."""
    name = CUSTODIAN_CONFIRMATIONS.name
    log = [an_event(0, name, timestamp=at), a_marker(1, "2026-11-20", name)]
    chosen = cut(log, topic=CUSTODIAN_CONFIRMATIONS, market=True, limit=FRIDAY)
    assert taken(chosen) == [(0, FRIDAY)]
    assert chosen is not None
    assert (chosen.after.last_cut, chosen.after.next_offset) == (FRIDAY, 2)


def test_every_public_input_that_waits_for_a_cycle_is_ruled_by_the_cuts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NESTWORK_MARKER_KEY", "importing a service needs one")
    services = [importlib.import_module(f"services.{name}.app").SERVICE for name in SERVICES]
    waiting = {
        source.topic.name
        for service in services
        for source in service.inputs
        if not source.internal and (source.waits_for_decided or source.waits_for_closed)
    }
    by_value_cut = {fact.topic.name for service in services for fact in service.facts if fact.by_value_cut}
    assert waiting | by_value_cut == RULED_BY_CUTS


def test_a_stamp_beyond_the_calendar_waits_and_one_before_it_says_nothing() -> None:
    beyond = an_event(1, timestamp=NOON + 50 * 365 * 24 * HOUR)
    assert taken(cut([an_event(0), beyond, an_event(2)], market=True)) == [(0, FRIDAY)]
    assert cut([beyond], market=True, next_offset=1) is None
    for stamp in (-(2**63), -1, 0):
        assert taken(cut([an_event(0, timestamp=stamp)], market=True)) == [(0, FRIDAY)]


# -- internal logs ---------------------------------------------------------------------------------------------------


def released(offset: int) -> Fetched:
    return an_event(offset, RELEASED)


def test_an_internal_log_is_cut_by_the_closing_of_the_lane_before() -> None:
    chosen = cut([released(0), a_lane_closed(1, "2026-11-20", RELEASED)], topic=CONTRIBUTIONS_RELEASED)
    assert taken(chosen) == [(0, FRIDAY)]
    assert chosen is not None
    assert chosen.after.last_cut == FRIDAY


def test_a_signed_day_marker_does_not_belong_into_an_internal_log() -> None:
    chosen = cut([a_marker(0, "2026-11-20", RELEASED), released(1)], topic=CONTRIBUTIONS_RELEASED)
    assert chosen is not None
    assert chosen.after.last_cut == THURSDAY


@pytest.mark.parametrize("offsets", [[1, 2], [0, 2], [0, 1, 3, 4], [2, 3, 4]])
def test_a_gap_in_an_internal_log_is_loss(offsets: list[int]) -> None:
    with pytest.raises(LogLoss):
        cut([released(offset) for offset in offsets], topic=CONTRIBUTIONS_RELEASED)


def test_a_dense_internal_log_goes_on_where_the_lane_stands() -> None:
    chosen = cut([released(7), released(8)], topic=CONTRIBUTIONS_RELEASED, next_offset=7)
    assert taken(chosen) == [(7, FRIDAY), (8, FRIDAY)]


# -- rerouted records ------------------------------------------------------------------------------------------------


def rerouted(offset: int, landed_on: date, sender: int = 1) -> Fetched:
    stray = record_of(sender, an_event(40 + offset, partition=sender))
    stray.trade_date = landed_on
    headers = (("stream", b"contribution/%d/x/0" % sender), ("epoch", b"1"), ("seq", b"%d" % (offset + 1)))
    return Fetched(REROUTED, 0, offset, b"P1", freeze(stray), headers)


def closed(offset: int, day: str, sender: int) -> Fetched:
    return a_lane_closed(offset, day, REROUTED, stream=f"contribution/{sender}/{REROUTED}/0")


def test_a_rerouted_record_has_the_date_of_the_place_where_it_landed() -> None:
    chosen = cut([rerouted(0, FRIDAY), rerouted(1, MONDAY)], topic=CONTRIBUTIONS_REROUTED)
    assert taken(chosen) == [(0, FRIDAY), (1, MONDAY)]


def test_a_rerouted_record_of_a_later_date_waits_for_that_dates_facts() -> None:
    chosen = cut([rerouted(0, FRIDAY), rerouted(1, MONDAY)], topic=CONTRIBUTIONS_REROUTED, limit=FRIDAY)
    assert taken(chosen) == [(0, FRIDAY)]


def test_a_log_of_all_lanes_is_cut_when_the_last_of_them_has_closed() -> None:
    log = [closed(0, "2026-11-20", 0), rerouted(1, FRIDAY), closed(2, "2026-11-20", 1), rerouted(3, MONDAY)]
    chosen = cut(log, topic=CONTRIBUTIONS_REROUTED)
    assert taken(chosen) == [(1, FRIDAY)]
    assert chosen is not None
    assert (chosen.after.last_cut, chosen.after.next_offset) == (FRIDAY, 3)
    assert chosen.before.markers == {}, "memory moves after the commit only"


def test_a_lane_that_closed_twice_does_not_count_for_two() -> None:
    log = [closed(0, "2026-11-20", 0), closed(1, "2026-11-20", 0), closed(2, "2026-11-23", 0)]
    chosen = cut(log, topic=CONTRIBUTIONS_REROUTED)
    assert chosen is not None
    assert (chosen.after.last_cut, chosen.taken) == (THURSDAY, 3)


def test_the_slowest_lane_decides_the_cut() -> None:
    met = {"0": "2026-11-23", "1": "2026-11-19"}
    chosen = cut([closed(0, "2026-11-20", 1), rerouted(1, MONDAY)], topic=CONTRIBUTIONS_REROUTED, markers=met)
    assert chosen is not None
    assert (chosen.after.last_cut, chosen.taken) == (FRIDAY, 1)
    assert chosen.after.markers == {"0": "2026-11-23", "1": "2026-11-20"}


@pytest.mark.parametrize(
    ("topic", "offsets"),
    [
        (PAYROLL_CONTRIBUTIONS, [0, 1, 2, 1, 2]),
        (PAYROLL_CONTRIBUTIONS, [0, 1, 1]),
        (CONTRIBUTIONS_RELEASED, [0, 1, 2, 1, 2]),
        (CONTRIBUTIONS_RELEASED, [0, 1, 0]),
    ],
)
def test_a_reader_that_goes_back_between_two_fetches_is_not_believed_and_no_log_counts_as_lost(
    topic: Topic, offsets: list[int]
) -> None:
    with pytest.raises(Fenced, match="went back"):
        cut([an_event(offset, topic.name) for offset in offsets], topic=topic)
