"""The floors under a payday: no table forgotten, rows and records kept byte by byte, ratios of what was measured."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deploy.bench.copyfloor import CopyFloor, Recording
from deploy.bench.floors import report
from deploy.bench.logfloor import ROUND_BYTES_MAX, LogFloor, RecordFile
from deploy.bench.store_floors import FACTS, TRANSPORT, UNUSUAL, WRITTEN
from shared.runtime.copying import HEADER, TRAILER, encode_rows
from shared.runtime.plane import RECORDS_PER_POLL

SCHEMAS = Path(__file__).resolve().parents[3] / "docs" / "schema"
PARTITION = re.compile(r"_(\d+|before|later)$")


@pytest.mark.parametrize("service", WRITTEN)
def test_every_table_is_copied_or_left_out_for_a_reason(service: str) -> None:
    made = re.findall(r"^CREATE TABLE public\.(\w+) ", (SCHEMAS / f"{service}.sql").read_text(), re.MULTILINE)
    tables = {name for name in made if not PARTITION.search(name)}
    copied, left_out = set(WRITTEN[service]), {*TRANSPORT, *FACTS, *UNUSUAL}
    assert copied <= tables
    assert tables - copied <= left_out, "say what a payday leaves there"


async def recorded(stream: bytes, piece: int) -> tuple[int, list[bytes]]:
    """The rows and batches of a stream that comes in pieces."""
    with tempfile.TemporaryFile() as file:
        recording = Recording("some", file)
        for first in range(0, len(stream), piece):
            await recording.take(stream[first : first + piece])
        recording.finish()
        batches = [bytes(recording.batch(number) or b"") for number in range(len(recording.ends))]
        assert recording.batch(len(batches)) is None
    return recording.rows, batches


def rows_of(stream: bytes) -> bytes:
    assert stream.startswith(HEADER)
    assert stream.endswith(TRAILER)
    return stream[len(HEADER) : -len(TRAILER)]


@pytest.mark.parametrize("piece", [1, 2, 7, 19, 20, 1_000])
async def test_rows_are_found_wherever_the_stream_is_cut(piece: int) -> None:
    rows: Sequence[Sequence[Any]] = [("ab", None, b"\xff\xff"), (None, 5, b""), ("", -1, b"x" * 300)]
    stream = bytes(encode_rows(["text", "integer", "bytea"], rows))
    assert await recorded(stream, piece) == (3, [stream])


async def test_batches_are_those_of_polls_and_nothing_is_lost_between_them() -> None:
    stream = bytes(encode_rows(["integer"], [(number,) for number in range(2 * RECORDS_PER_POLL + 1)]))
    count, batches = await recorded(stream, 65_536)
    assert count == 2 * RECORDS_PER_POLL + 1
    assert [len(rows_of(batch)) // 10 for batch in batches] == [RECORDS_PER_POLL, RECORDS_PER_POLL, 1]
    assert b"".join(map(rows_of, batches)) == rows_of(stream)


async def test_long_rows_make_smaller_batches() -> None:
    stream = bytes(encode_rows(["bytea"], [(b"x" * 2**21,)] * 7))
    count, batches = await recorded(stream, 1_000_000)
    assert (count, [len(rows_of(batch)) // 2**21 for batch in batches]) == (7, [3, 3, 1])


async def test_a_table_without_rows_has_no_batch() -> None:
    assert await recorded(bytes(HEADER + TRAILER), 5) == (0, [])


async def test_a_stream_that_breaks_off_is_refused() -> None:
    stream = bytes(encode_rows(["integer"], [(1,), (2,)]))
    with pytest.raises(ValueError, match="in the middle"):
        await recorded(stream[:-5], 100)


class ARecord(NamedTuple):
    """What is read of a consumer's record."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def test_records_come_back_as_they_were_in_rounds_of_bounded_size() -> None:
    plain = [ARecord("a", 1, b"key", b"value", (("ce_id", b"1"), ("trace", None)))] * 2_500
    long = [ARecord("b", 0, None, b"x" * 1_000_000, ())] * 17
    with tempfile.TemporaryFile() as file:
        held = RecordFile(file)
        held.take(plain)
        for record in long:
            held.take([record])
        rounds = list(held.rounds())
    assert (dict(held.records), dict(held.sizes)) == (
        {"a": 2_500, "b": 17},
        {"a": 2_500 * (3 + 5 + 6 + 5), "b": 17_000_000},
    )
    read = [
        ARecord(frame.topic, frame.partition, key, value, tuple(headers))
        for frames in rounds
        for frame in frames
        for key, value, headers in frame.records
    ]
    assert read == [*plain, *long]
    assert len(rounds) == 3
    for frames in rounds:
        assert sum(len(value or b"") for frame in frames for _, value, _ in frame.records) <= ROUND_BYTES_MAX


def test_the_ratio_is_the_engine_without_the_bench_over_each_floor_and_over_both() -> None:
    cpu = {"contribution": 3.0, "postgres": 4.0, "broker": 1.0, "bench": 50.0}
    measured = {"contributions": 1_000, "seconds": 6.0, "cpu_seconds": cpu}
    copied = CopyFloor(
        1.0, {"client": 0.5, "postgres": 1.5}, 7, {"trading.journal": 10, "trading.orders": 1}, {"trading.journal": 800}
    )
    logged = LogFloor(0.5, 1.5, {"client": 1.5, "broker": 0.5}, {"a": 3, "b": 1}, {"a": 30, "b": 4})
    told = report(measured, copied, logged)
    assert told["engine"] == {"seconds": 6.0, "cpu_seconds": 8.0, "cpu_microseconds_per_contribution": 8_000.0}
    assert told["ratio"] == {
        "cpu": {"copy": 4.0, "log": 4.0, "both": 2.0},
        "seconds": {"copy": 6.0, "log": 3.0, "both": 2.0},
    }
    assert (told["copy"]["rows"], told["copy"]["bytes"]) == (11, 800)
    assert (told["log"]["records"], told["log"]["bytes"]) == (4, 34)
    assert told["copy"]["cpu_microseconds_per_contribution"] == {"client": 500.0, "postgres": 1_500.0}


def test_a_floor_too_small_to_be_measured_has_no_ratio() -> None:
    measured = {"contributions": 1, "seconds": 6.0, "cpu_seconds": {"postgres": 4.0}}
    told = report(measured, CopyFloor(0.0, {"client": 0.0}, 0, {}, {}), LogFloor(0.0, 0.0, {}, {}, {}))
    assert told["ratio"]["cpu"] == {"copy": None, "log": None, "both": None}
