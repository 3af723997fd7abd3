"""A topic as the judge of long runs sees it: its records in order, and the business date of each place."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from datetime import date
from typing import Any

import orjson

CUT = "nestwork.day.cut.v1"
VALUE_CUT = "nestwork.day.value-cut.v1"
MARKERS = {CUT, VALUE_CUT}


def text_of(record: Any, name: str) -> str:
    """A header as text."""
    return (dict(record.headers).get(name) or b"").decode("utf-8", "replace")


def place_of(record: Any) -> str:
    """Where it stands, as dead letters name it."""
    return f"{record.topic}/{record.partition}/{record.offset}"


class Log:
    """A topic as outsiders see it: its records in order, and the business date each place belongs to."""

    def __init__(self, records: list[Any]) -> None:
        by_partition: defaultdict[int, list[Any]] = defaultdict(list)
        for record in sorted(records, key=lambda one: (one.partition, one.offset)):
            by_partition[record.partition].append(record)
        self.records = [one for part in by_partition.values() for one in part if text_of(one, "ce_type") not in MARKERS]
        self.cuts: dict[int, tuple[list[int], list[date]]] = {}
        self.value_cuts: dict[str, int] = {}
        """Date to the offset of its value cut, of a topic with one partition."""
        for partition, part in by_partition.items():
            first: dict[date, int] = {}
            for one in part:
                if text_of(one, "ce_type") == VALUE_CUT:
                    self.value_cuts.setdefault(orjson.loads(one.value)["trade_date"], one.offset)
                if text_of(one, "ce_type") == CUT:
                    first.setdefault(date.fromisoformat(orjson.loads(one.value)["trade_date"]), one.offset)
            self.cuts[partition] = (list(first.values()), list(first))

    def date_of(self, record: Any) -> date | None:
        """The date whose cut comes next; ``None`` after the last cut."""
        offsets, days = self.cuts[record.partition]
        number = bisect_right(offsets, record.offset)
        return days[number] if number < len(days) else None

    def is_before_all(self, record: Any) -> bool:
        """Whether it stands before the first cut."""
        return record.offset < min(self.cuts[record.partition][0], default=record.offset + 1)

    def once(self) -> list[Any]:
        """The records without repeats on the wire, which have the ``ce_id`` of an earlier one."""
        first: dict[str, Any] = {}
        for one in self.records:
            first.setdefault(text_of(one, "ce_id"), one)
        return list(first.values())
