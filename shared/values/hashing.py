"""Which bucket and partition a key belongs to: the murmur2 of Kafka's Java client, one key or many at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

BUCKETS = 4096
"""Every money row carries a bucket; partitions are a power of two, so a partition is a set of whole buckets."""

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_POSITIVE = 0x7FFFFFFF


def murmur2(data: bytes) -> int:
    """Return Kafka's murmur2 of ``data`` with the sign bit cleared (``Utils.toPositive(Utils.murmur2(data))``)."""
    length = len(data)
    h = _SEED ^ length
    full = length & ~3
    for start in range(0, full, 4):
        k = int.from_bytes(data[start : start + 4], "little") * _M & _MASK
        h = (h * _M & _MASK) ^ ((k ^ k >> 24) * _M & _MASK)
    if full != length:
        h = (h ^ int.from_bytes(data[full:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return (h ^ h >> 15) & _POSITIVE


def murmur2_many(keys: Sequence[bytes]) -> list[int]:
    """Return ``murmur2`` of each key, computed side by side; worth it from about ten keys."""
    if len(keys) < 10:
        return [murmur2(key) for key in keys]
    lengths: npt.NDArray[np.uint32] = np.fromiter(map(len, keys), dtype=np.uint32, count=len(keys))
    longest, shortest = int(lengths.max()), int(lengths.min())
    words_wide = longest // 4 + 1
    # Padding with zeros makes the one to three bytes of the tail a whole little-endian word.
    padded = np.array(keys, dtype=f"S{4 * words_wide}")
    words = padded.view("<u4").reshape(len(keys), words_wide).T.astype(np.uint32)
    m = np.uint32(_M)
    mixed = words * m
    mixed ^= mixed >> np.uint32(24)
    mixed *= m
    h = lengths ^ np.uint32(_SEED)
    for index in range(longest // 4):
        next_h = (h * m) ^ mixed[index]
        h = next_h if 4 * (index + 1) <= shortest else np.where(lengths >= 4 * (index + 1), next_h, h)
    tail = words[lengths >> np.uint32(2), np.arange(len(keys))]
    h = np.where(lengths & np.uint32(3), (h ^ tail) * m, h)
    h = (h ^ (h >> np.uint32(13))) * m
    h ^= h >> np.uint32(15)
    hashes: list[int] = (h & np.uint32(_POSITIVE)).tolist()
    return hashes


def bucket_of(key: bytes | str) -> int:
    """Return the bucket (0 to 4095) of a participant or plan id."""
    return murmur2(key.encode() if isinstance(key, str) else key) % BUCKETS


def partition_of(bucket: int, partitions: int) -> int:
    """Return the partition of a bucket; ``partitions`` is a power of two up to 4096."""
    return bucket % partitions


def require_power_of_two(partitions: int) -> int:
    """Return ``partitions`` if partition = bucket mod partitions holds with it, else raise ``ValueError``."""
    if not 1 <= partitions <= BUCKETS or partitions & (partitions - 1):
        raise ValueError(f"the number of partitions is a power of two from 1 to {BUCKETS}, not {partitions}")
    return partitions
