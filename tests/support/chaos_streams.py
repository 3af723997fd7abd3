"""What the engine says of its own accord carries stream, epoch and number: nothing is missing, nothing goes back."""

from __future__ import annotations

from typing import Any

from tests.support.chaos_logs import Log, text_of

Number = tuple[int, int]
"""Epoch and number in it; a new epoch begins at 1."""


def stream_complaints(log: Log) -> list[str]:
    """Gaps, steps back to an older epoch, and repeats that are none, in the streams of a topic."""
    wrong: list[str] = []
    last: dict[str, Number] = {}
    said: dict[tuple[str, Number], Any] = {}
    places: dict[str, int] = {}
    for one in log.records:
        stream = text_of(one, "stream")
        if not stream:
            wrong.append(f"{one.topic}/{one.partition}@{one.offset} belongs to no stream")
            continue
        number = (int(text_of(one, "epoch")), int(text_of(one, "seq")))
        if places.setdefault(stream, one.partition) != one.partition:
            wrong.append(f"stream {stream} stands in two partitions of {one.topic}")
        if complaint := _step(last.get(stream), number, said.get((stream, number)), one):
            wrong.append(f"stream {stream}: {complaint} at {one.topic}/{one.partition}@{one.offset}")
        said.setdefault((stream, number), one)
        last[stream] = max(last.get(stream, (1, 0)), number)
    return wrong


def _step(last: Number | None, number: Number, before: Any, record: Any) -> str | None:
    """What is wrong with a record that follows ``last``; a repeat must be the record it repeats."""
    before_it = last or (1, 0)
    if number[0] < before_it[0]:
        return f"goes back from epoch {before_it[0]} to {number[0]}"
    if number <= before_it:
        if before is None:
            return f"{number} comes after {before_it} and was never said before"
        same = (before.value, text_of(before, "ce_id")) == (record.value, text_of(record, "ce_id"))
        return None if same else f"{number} is said of two records"
    following = (number[0], before_it[1] + 1 if number[0] == before_it[0] else 1)
    return None if number == following else f"{following} is missing before {number}"
