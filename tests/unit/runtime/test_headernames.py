"""Records whose header names are not UTF-8 are read; their neighbours too, once and in order."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords

from shared.runtime.headernames import read_any_header_name
from tests.support.headernames import batch

read_any_header_name()
PLACE = TopicPartition("any", 0)
RAW = b"\xff\xfen"


def read(fetched: bytes, start: int = 0, records: Any = None, kind: Any = None) -> list[Any]:
    """What a consumer gets of fetched bytes, from ``start`` on."""
    made = (kind or fetcher.PartitionRecords)(
        PLACE, (records or fetcher.MemoryRecords)(fetched), [], start, None, None, True, fetcher.READ_COMMITTED
    )
    return list(made)


@pytest.mark.parametrize("compression", [0, 3], ids=["plain", "lz4"])
def test_a_name_that_is_not_utf8_is_read_as_hexadecimal_and_nothing_is_lost_or_doubled(compression: int) -> None:
    good: list[tuple[bytes, bytes | None]] = [("größe".encode(), b"\xff"), (b"none", None)]
    fetched = (
        batch(0, [good, good], compression)
        + batch(2, [good, [(RAW, b"v"), *good], good], compression)
        + batch(5, [[(b"\x80", None)]], compression)
    )
    found = read(fetched)
    names = {name.decode(): value for name, value in good}
    assert [one.offset for one in found] == [0, 1, 2, 3, 4, 5]
    assert [dict(one.headers) for one in found[:3]] == [names] * 3
    assert dict(found[3].headers) == {"not-utf8:fffe6e": b"v"} | names
    assert dict(found[5].headers) == {"not-utf8:80": None}
    assert {(one.key, one.value) for one in found} == {(b"key", b"value")}


def test_reading_goes_on_amid_a_batch() -> None:
    fetched = batch(0, [[(b"a", b"1")], [(RAW, b"2")], [(RAW, b"3")]])
    assert [one.offset for one in read(fetched, 2)] == [2]


def test_a_batch_cut_off_at_the_end_of_a_fetch_waits_for_the_next() -> None:
    whole = batch(0, [[(RAW, b"1")]])
    assert [one.offset for one in read(whole + batch(1, [[(RAW, b"2")]])[:-3])] == [0]


def test_the_client_alone_cannot_read_it() -> None:
    """When this fails, the client has learnt it and the patch can go."""
    plain = fetcher.PartitionRecords.__mro__[1]
    with pytest.raises((UnicodeDecodeError, CorruptRecordException)):
        read(batch(0, [[(RAW, b"1")]]), records=MemoryRecords, kind=plain)
