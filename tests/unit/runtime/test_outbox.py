"""What is written with a decision is published later, the same bytes each time."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.runtime.outbox import ROW_BYTES_MAX, Message, OutboxRow, StreamNames, milliseconds, pack, unpack
from tests.support.fetched import NOON

NAMES = StreamNames("contribution", "/nestwork/contribution")


def a_message(number: int, size: int = 10) -> Message:
    return Message(b"P%d" % number, "nestwork.payroll.receipt.v1", f"r{number}", NOON, b"x" * size)


def test_messages_come_back_in_order_with_their_place_in_the_stream() -> None:
    rows, following = pack(3, "payroll.receipts.v1", 3, 2, 41, [a_message(number) for number in range(3)])
    assert following == 44
    (row,) = rows
    assert (row.lane, row.partition, row.epoch, row.seq, row.records, row.last_seq) == (3, 3, 2, 41, 3, 43)
    records = unpack(row, NAMES)
    assert [key for key, _, _, _ in records] == [b"P0", b"P1", b"P2"]
    headers = [dict(found) for _, _, _, found in records]
    assert [found["seq"] for found in headers] == [b"41", b"42", b"43"]
    assert {found["stream"] for found in headers} == {b"contribution/3/payroll.receipts.v1/3"}
    assert {found["epoch"] for found in headers} == {b"2"}
    assert [found["ce_id"] for found in headers] == [b"r0", b"r1", b"r2"]
    assert {found["ce_source"] for found in headers} == {b"/nestwork/contribution"}


def test_a_second_publication_is_the_same_bytes() -> None:
    (row,), _ = pack(0, "t", 0, 1, 1, [a_message(1), a_message(2)])
    assert unpack(row, NAMES) == unpack(OutboxRow(*row), NAMES)


def test_many_bytes_are_spread_over_rows_without_a_hole() -> None:
    messages = [a_message(number, ROW_BYTES_MAX // 5) for number in range(23)]
    rows, following = pack(0, "t", 0, 1, 100, messages)
    assert len(rows) > 1
    assert all(len(row.payload) <= ROW_BYTES_MAX + 1_000 for row in rows)
    assert [row.seq for row in rows] == [100, *(row.last_seq + 1 for row in rows[:-1])]
    assert following == 123 == rows[-1].last_seq + 1
    published = [record for row in rows for record in unpack(row, NAMES)]
    assert [dict(found)["ce_id"].decode() for _, _, _, found in published] == [f"r{n}" for n in range(23)]


def test_a_message_larger_than_a_row_has_one_of_its_own() -> None:
    rows, _ = pack(0, "t", 0, 1, 1, [a_message(1), a_message(2, ROW_BYTES_MAX + 1), a_message(3)])
    assert [row.records for row in rows] == [1, 1, 1]
    rows, _ = pack(0, "t", 0, 1, 1, [a_message(1, ROW_BYTES_MAX + 1), a_message(2)])
    assert [row.records for row in rows] == [1, 1]


def test_nothing_to_say_is_no_row() -> None:
    assert pack(0, "t", 0, 1, 7, []) == ([], 7)


def test_a_message_without_key_with_a_trace_and_more_headers_keeps_them() -> None:
    message = Message(None, "t", "id", NOON, b"v", "00-trace", [("reason", b"NOT_JSON"), ("empty", b"")])
    (row,), _ = pack(0, "t", 0, 1, 1, [message])
    ((key, value, time_ms, headers),) = unpack(row, NAMES)
    assert (key, value, time_ms) == (None, b"v", NOON)
    assert headers[-2:] == [("reason", b"NOT_JSON"), ("empty", b"")]
    assert dict(headers)["traceparent"] == b"00-trace"


def test_an_instant_is_counted_in_whole_milliseconds() -> None:
    assert milliseconds(datetime(2026, 11, 20, 17, tzinfo=UTC)) == NOON
    assert milliseconds(datetime(2026, 11, 20, 17, 0, 0, 999_999, tzinfo=UTC)) == NOON + 999
