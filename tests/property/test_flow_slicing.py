"""Nothing that an outsider writes raises out of slicing: a worker that ended there would end again, and so the next."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import orjson
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from shared.events.topics import CUSTODIAN_CONFIRMATIONS, PAYROLL_CONTRIBUTIONS, Topic
from shared.runtime.definition import Input
from shared.runtime.guards import Guards
from shared.runtime.lanes import Lane, LaneInput
from shared.runtime.records import DAY_CUT, LANE_CLOSED, VALUE_CUT, headers_as_json, record_of
from shared.runtime.signing import SIGNATURE_HEADER
from shared.runtime.slicing import Slicing
from shared.runtime.strays import freeze, thaw
from tests.support.fetched import NOON, SECRET, Fetched

THURSDAY = date(2026, 11, 19)
STRUCTURED = b"application/cloudevents+json; charset=utf-8"
TYPES = (DAY_CUT, VALUE_CUT, LANE_CLOSED, "nestwork.payroll.contribution.v1")

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
nests = st.integers(200, 1_100).map(lambda depth: b"[" * depth + b"]" * depth)
written = json_values.map(orjson.dumps)


@st.composite
def envelopes(draw: st.DrawFn) -> bytes:
    """Structured mode, with attributes that may be anything and data that may be nested to any depth."""
    names = ("specversion", "id", "source", "type", "time", "traceparent", "trade_date")
    attributes = {name: draw(st.sampled_from(TYPES) | st.text() | st.integers(0, 9)) for name in names}
    return orjson.dumps(attributes)[:-1] + b',"data":' + draw(nests | written) + b"}"


headers = st.lists(
    st.tuples(
        st.sampled_from(["ce_type", "ce_id", "ce_source", "content-type", "traceparent", "stream", SIGNATURE_HEADER])
        | st.text(),
        st.none() | st.binary() | st.sampled_from([STRUCTURED, *(name.encode() for name in TYPES)]),
    ),
    max_size=6,
).map(tuple)
stamps = st.integers(-(2**63), 2**63 - 1) | st.integers(NOON - 10**10, NOON + 10**10)
records = st.builds(
    lambda key, value, pairs, is_structured, stamp: (
        key, value, (("content-type", STRUCTURED), *pairs) if is_structured else pairs, stamp,
    ),
    st.none() | st.binary(), st.none() | st.binary() | written | nests | envelopes(), headers, st.booleans(), stamps,
)  # fmt: skip


@given(st.sampled_from([PAYROLL_CONTRIBUTIONS, CUSTODIAN_CONFIRMATIONS]), st.lists(records, max_size=4), st.booleans())
def test_nothing_that_an_outsider_writes_raises_out_of_slicing(
    topic: Topic, written_there: list[tuple[Any, ...]], in_market_mode: bool
) -> None:
    fetched = [Fetched(topic.name, 0, offset, *parts) for offset, parts in enumerate(written_there)]
    lane = Lane(0, 1, 1, 1, datetime(2026, 11, 20, tzinfo=UTC))
    lane.inputs[topic.name] = LaneInput(0, THURSDAY, THURSDAY, None, None, {})
    slicing = Slicing(Guards(), SECRET, in_market_mode, 1)
    chosen = slicing.cut(TopicPartition(topic.name, 0), Input(topic, ()), lane, fetched, None, 100)
    assert lane.inputs[topic.name].last_cut == THURSDAY
    for record in chosen.records if chosen is not None else ():
        assert record.original_value == fetched[record.offset].value
        headers_as_json(record)
        carrier = Fetched(
            "contributions.rerouted.v1", 0, 0, record.key, freeze(record),
            (("stream", b"contribution/0/x/0"), ("epoch", b"1"), ("seq", b"1")),
        )  # fmt: skip
        home = thaw(record_of(0, carrier))
        assert (home.value, home.ce_type, home.original_value) == (record.value, record.ce_type, record.original_value)
