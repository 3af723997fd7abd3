"""From fetched bytes to something a handler can decide."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from shared.runtime.errors import LogLoss, PoisonMessage
from shared.runtime.records import (
    Record,
    dated,
    instant_of,
    letter_headers,
    public_record,
    record_of,
    unknown_type_code,
    who_sent,
)
from shared.runtime.strays import freeze, thaw
from shared.values.identity import body_hash, identity_of
from shared.values.trading_days import GENESIS
from tests.support.fetched import NOON, Fetched, an_event

BODY = {"plan_id": "ACME", "amounts": [{"source": "roth", "cents": 5}]}
HEADERS = {"ce_id": b"c1", "ce_source": b"/acme", "ce_type": b"nestwork.payroll.contribution.v1"}
FRIDAY = date(2026, 11, 20)


def a_record(value: bytes | None = None, key: bytes | None = b"P1", **headers: bytes | None) -> Record:
    kept = {name: text for name, text in (HEADERS | headers).items() if text is not None}
    fetched = Fetched("t", 2, 7, key, orjson.dumps(BODY) if value is None else value, tuple(kept.items()))
    return record_of(2, fetched)


def poison_of(record: Record) -> str:
    with pytest.raises(PoisonMessage) as caught:
        public_record(record)
    return caught.value.code


# -- binary mode -----------------------------------------------------------------------------------------------------


def test_a_binary_event_is_read_from_key_headers_and_value() -> None:
    record = a_record()
    record.trade_date = FRIDAY
    (public,) = public_record(record)
    assert (public.lane, public.topic, public.offset, public.trade_date) == (2, "t", 7, FRIDAY)
    assert (public.key, public.ce_id, public.ce_source) == ("P1", "c1", "/acme")
    assert public.ce_type == "nestwork.payroll.contribution.v1"
    assert public.body == BODY
    assert public.identity == identity_of("P1", "/acme", "c1")
    assert public.body_hash == body_hash(BODY)
    assert public.recorded_at == datetime(2026, 11, 20, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ce_id": None}, "MISSING_HEADERS"),
        ({"ce_source": None}, "MISSING_HEADERS"),
        ({"ce_id": b""}, "MISSING_HEADERS"),
        ({"ce_source": b""}, "MISSING_HEADERS"),
        ({"ce_id": b"\xff"}, "MISSING_HEADERS"),
        ({"key": None}, "MISSING_HEADERS"),
        ({"key": b"\xff"}, "MISSING_HEADERS"),
        ({"key": b"k" * 129}, "PARTICIPANT_KEY_TOO_LONG"),
        ({"key": b"a\x00b"}, "WRONG_SHAPE"),
        ({"value": b""}, "NOT_JSON"),
        ({"value": b"{"}, "NOT_JSON"),
        ({"value": b"\xff\xfe"}, "NOT_JSON"),
        ({"value": b"[]"}, "WRONG_SHAPE"),
        ({"value": b"null"}, "WRONG_SHAPE"),
        ({"value": b'{"plan_id": "a\\u0000"}'}, "WRONG_SHAPE"),
    ],
)
def test_a_record_that_breaks_the_contract_has_a_code(changes: dict[str, Any], code: str) -> None:
    assert poison_of(a_record(**changes)) == code


def test_a_key_of_128_bytes_is_taken() -> None:
    assert public_record(a_record(key=b"k" * 128))[0].key == "k" * 128


def test_a_tombstone_is_not_json() -> None:
    fetched = Fetched("t", 0, 0, b"P1", None, tuple(HEADERS.items()))
    assert poison_of(record_of(0, fetched)) == "NOT_JSON"


def test_a_type_that_is_no_text_is_not_a_type() -> None:
    assert a_record(ce_type=None).ce_type == ""
    assert a_record(ce_type=b"\xff").ce_type == "\ufffd"


@pytest.mark.parametrize(
    ("body", "cents"),
    [
        (BODY, 5),
        ({"amounts": [{"cents": 5}, {"cents": -2}, {"cents": "3"}, {"cents": True}, 7, {}]}, 3),
        ({"amounts": {"cents": 5}}, 0),
        ({}, 0),
    ],
)
def test_cents_at_stake_are_those_that_can_be_read(body: dict[str, Any], cents: int) -> None:
    assert public_record(a_record(orjson.dumps(body)))[0].cents == cents


# -- structured mode -------------------------------------------------------------------------------------------------

ENVELOPE = {
    "specversion": "1.0", "id": "c1", "source": "/acme", "type": "nestwork.payroll.contribution.v1",
    "time": "2026-11-20T17:00:00Z", "data": BODY,
}  # fmt: skip


def structured(value: bytes, content_type: bytes = b"application/cloudevents+json; charset=utf-8") -> Record:
    return record_of(2, Fetched("t", 2, 7, b"P1", value, (("content-type", content_type),)))


def test_a_structured_event_is_the_same_event() -> None:
    (folded,) = public_record(structured(orjson.dumps(ENVELOPE)))
    (plain,) = public_record(a_record())
    assert (folded.identity, folded.body_hash, folded.body) == (plain.identity, plain.body_hash, plain.body)
    assert (folded.ce_id, folded.ce_source, folded.ce_type) == (plain.ce_id, plain.ce_source, plain.ce_type)


def test_a_structured_events_own_attributes_stand_before_headers() -> None:
    headers = ((b"content-type".decode(), b"application/cloudevents+json"), ("ce_id", b"other"))
    record = record_of(2, Fetched("t", 2, 7, b"P1", orjson.dumps(ENVELOPE), headers))
    assert public_record(record)[0].ce_id == "c1"


def test_an_envelope_without_data_has_no_body() -> None:
    bare = {name: value for name, value in ENVELOPE.items() if name != "data"}
    assert poison_of(structured(orjson.dumps(bare))) == "WRONG_SHAPE"


@pytest.mark.parametrize("value", [b"{", b"", b"[]", b"7", orjson.dumps(ENVELOPE | {"id": 7})])
def test_an_envelope_that_cannot_be_read_says_nothing(value: bytes) -> None:
    assert poison_of(structured(value)) == "MISSING_HEADERS"


def nested(depth: int) -> bytes:
    """The envelope with a field in its data that nobody reads, nested this deep."""
    data = orjson.dumps(BODY)[:-1] + b',"x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"
    return orjson.dumps(ENVELOPE | {"data": None, "plan_id": "ACME"}).replace(b'"data":null', b'"data":' + data)


def test_data_nested_as_deep_as_it_can_be_written_again_is_a_body() -> None:
    assert public_record(structured(nested(254)))[0].body["plan_id"] == "ACME"


@pytest.mark.parametrize("depth", [255, 300, 1_023])
def test_data_nested_deeper_is_refused_for_its_shape_and_still_says_who_sent_it(depth: int) -> None:
    value = nested(depth)
    record = structured(value)
    assert poison_of(record) == "WRONG_SHAPE"
    assert who_sent(record) == ("P1", "c1", "/acme")
    assert record.ce_type == "nestwork.payroll.contribution.v1"
    assert record.original_value == value


def test_a_stray_whose_data_is_nested_too_deep_is_refused_where_it_belongs() -> None:
    stray = structured(nested(300))
    sequence = (("stream", b"contribution/3/x/1"), ("epoch", b"1"), ("seq", b"9"))
    home = thaw(record_of(1, Fetched("contributions.rerouted.v1", 1, 5, b"P1", freeze(stray), sequence)))
    assert poison_of(home) == "WRONG_SHAPE"
    assert home.original_value == stray.original_value


def test_without_the_content_type_an_envelope_is_an_ordinary_body() -> None:
    assert poison_of(structured(orjson.dumps(ENVELOPE), b"application/json")) == "MISSING_HEADERS"


# -- dates and types -------------------------------------------------------------------------------------------------


def test_a_packed_record_must_speak_of_the_date_its_place_gives_it() -> None:
    record = a_record()
    record.trade_date = FRIDAY
    assert dated(record, "2026-11-20") == FRIDAY
    with pytest.raises(LogLoss, match="2026-11-23") as caught:
        dated(record, "2026-11-23")
    assert caught.value.lanes == (record.lane,)


def test_before_the_first_cut_a_packed_record_speaks_for_itself() -> None:
    record = a_record()
    record.trade_date = GENESIS
    assert dated(record, "2026-11-20") == FRIDAY


@pytest.mark.parametrize(
    ("ce_type", "code"),
    [
        ("nestwork.payroll.contribution.v2", "NEWER_VERSION"),
        ("nestwork.payroll.contribution.v10", "NEWER_VERSION"),
        ("nestwork.payroll.contribution.vx", "UNKNOWN_EVENT_TYPE"),
        ("nestwork.payroll.contribution", "UNKNOWN_EVENT_TYPE"),
        ("nestwork.payroll.contributions.v2", "UNKNOWN_EVENT_TYPE"),
        ("", "MISSING_HEADERS"),
    ],
)
def test_a_type_that_is_not_known_is_newer_foreign_or_missing(ce_type: str, code: str) -> None:
    known = ["nestwork.payroll.contribution.v1", "nestwork.payroll.reversal.v1"]
    assert unknown_type_code(ce_type, known) == code


def test_an_instant_is_aware_and_a_missing_stamp_is_the_beginning() -> None:
    assert instant_of(NOON) == datetime(2026, 11, 20, 17, tzinfo=UTC)
    assert instant_of(-1) == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("stamp", [253_402_300_800_000, 2**63 - 1])
def test_a_stamp_beyond_the_last_year_is_the_last_instant(stamp: int) -> None:
    assert instant_of(stamp).date() == date(9999, 12, 31)


# -- rerouting -------------------------------------------------------------------------------------------------------


def test_a_rerouted_record_keeps_what_was_sent_where_it_landed_and_its_date() -> None:
    stray = record_of(3, an_event(41, partition=3, odd="ü"))
    stray.trade_date = FRIDAY
    sequence = (("stream", b"contribution/3/x/1"), ("epoch", b"1"), ("seq", b"9"))
    carrier = record_of(1, Fetched("contributions.rerouted.v1", 1, 5, b"P1", freeze(stray), sequence))
    home = thaw(carrier)
    assert (home.lane, home.topic, home.partition, home.offset) == (1, "contributions.rerouted.v1", 1, 5)
    assert home.origin == (stray.topic, 3, 41) == stray.origin
    assert (home.key, home.value, home.trade_date) == (stray.key, stray.value, FRIDAY)
    assert home.recorded_at == stray.recorded_at
    assert home.headers == stray.headers | dict(sequence)
    assert dict(home.raw_headers) == dict(stray.raw_headers)


def test_a_dead_letter_is_an_event_of_its_own_and_keeps_the_headers_that_came() -> None:
    came = [("ce_id", b"c-1"), ("content-type", b"text/plain"), ("note", None)]
    assert letter_headers(came, "NOT_JSON", "line 1", "trading", datetime(2026, 11, 20, tzinfo=UTC)) == [
        ("original_ce_id", b"c-1"), ("content-type", b"text/plain"), ("note", None),
        ("reason", b"NOT_JSON"), ("detail", b"line 1"), ("service", b"trading"),
        ("failed_at", b"2026-11-20T00:00:00+00:00"),
    ]  # fmt: skip
