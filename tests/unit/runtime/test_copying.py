"""Tests of the binary form of rows: what fits a column is written, what does not is refused."""

from __future__ import annotations

import struct

import pytest

from shared.runtime.copying import HEADER, TRAILER, encode_rows

WIDTHS = {"smallint[]": ("h", 2, 15), "integer[]": ("i", 4, 31), "bigint[]": ("q", 8, 63)}


def integers_of(kind: str, array: list[int]) -> list[int]:
    """The array as a reader of the stream finds it."""
    stream = bytes(encode_rows([kind], [[array]]))
    assert stream.startswith(HEADER)
    assert stream.endswith(TRAILER)
    code, size, _ = WIDTHS[kind]
    body = stream[len(HEADER) + 2 + 4 + 20 : -len(TRAILER)]
    sizes_and_values = struct.unpack(">" + f"i{code}" * len(array), body)
    assert set(sizes_and_values[::2]) == {size}
    return list(sizes_and_values[1::2])


@pytest.mark.parametrize("kind", WIDTHS)
@pytest.mark.parametrize("count", [1, 23, 24, 100])
def test_arrays_of_integers_hold_their_smallest_and_largest_numbers(kind: str, count: int) -> None:
    bits = WIDTHS[kind][2]
    for number in (-(2**bits), -1, 0, 2**bits - 1):
        assert integers_of(kind, [number] * count) == [number] * count


@pytest.mark.parametrize("kind", WIDTHS)
@pytest.mark.parametrize("count", [1, 24])
def test_a_number_too_large_for_its_array_is_refused(kind: str, count: int) -> None:
    bits = WIDTHS[kind][2]
    for number in (2**bits, -(2**bits) - 1):
        with pytest.raises(ValueError, match=r"does not fit|too large|beyond 64 bits"):
            encode_rows([kind], [[[number] * count]])
