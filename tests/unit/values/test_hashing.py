"""Keys land where Kafka's Java client puts them."""

from __future__ import annotations

import random

import pytest
from aiokafka.partitioner import murmur2 as murmur2_of_aiokafka

from shared.values.hashing import (
    BUCKETS,
    bucket_of,
    murmur2,
    murmur2_many,
    partition_of,
    require_power_of_two,
)

JAVA_VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""Those of Apache Kafka's own test of ``Utils.murmur2`` (signed)."""


@pytest.mark.parametrize("key", JAVA_VECTORS)
def test_a_key_hashes_as_in_kafkas_own_tests(key: bytes) -> None:
    assert murmur2(key) == JAVA_VECTORS[key] & 0x7FFFFFFF
    assert murmur2_many([key] * 10) == [murmur2(key)] * 10


def keys_of_all_lengths() -> list[bytes]:
    chance = random.Random(4)
    return [chance.randbytes(length) for length in range(131) for _ in range(3)]


def test_every_length_hashes_as_the_client_library_does() -> None:
    keys = keys_of_all_lengths()
    expected = [murmur2_of_aiokafka(key) & 0x7FFFFFFF for key in keys]
    assert [murmur2(key) for key in keys] == expected
    assert murmur2_many(keys) == expected


def test_keys_of_zero_bytes_are_not_mixed_up_with_padding() -> None:
    keys = [b"\0" * length for length in range(12)]
    assert murmur2_many(keys) == [murmur2(key) for key in keys]
    assert len(set(murmur2_many(keys))) == len(keys)


def test_few_and_no_keys_hash_too() -> None:
    assert murmur2_many([]) == []
    assert murmur2_many([b"a"]) == [murmur2(b"a")]


def test_a_bucket_is_the_hash_modulo_4096_for_text_and_bytes() -> None:
    assert bucket_of("Zoë") == bucket_of("Zoë".encode()) == murmur2("Zoë".encode()) % BUCKETS


@pytest.mark.parametrize("partitions", [1, 2, 8, 64, 4096])
def test_a_partition_is_a_set_of_whole_buckets(partitions: int) -> None:
    require_power_of_two(partitions)
    for key in keys_of_all_lengths():
        assert partition_of(bucket_of(key), partitions) == murmur2(key) % partitions


@pytest.mark.parametrize("partitions", [0, -1, 3, 6, 12, 8192])
def test_other_numbers_of_partitions_are_refused(partitions: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        require_power_of_two(partitions)
