"""Cents are counted after the commit: asked for, booked, and refused by the code that refused them."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from services.contribution.metrics import count_lines
from services.contribution.store import JOURNAL_COLUMNS
from shared.runtime import metrics

CODE = "LIMIT_402G"


def a_row(kind: str, requested: int | None, rejected: int | None, cuts: list[Any] | None = None) -> tuple[Any, ...]:
    values = {"kind": kind, "requested": requested, "rejected": rejected}
    values["detail"] = json.dumps({"cuts": cuts}) if cuts else None
    return tuple(values.get(column) for column in JOURNAL_COLUMNS)


def counted() -> tuple[float, float, float]:
    counters = (metrics.CENTS_IN, metrics.CENTS_POSTED, metrics.CENTS_REJECTED.labels(code=CODE))
    return tuple(counter._value.get() for counter in counters)  # type: ignore[return-value]


def test_a_batch_is_counted_once_it_is_committed_and_other_entries_are_not() -> None:
    hooks: list[Callable[[], None]] = []
    rows = [
        a_row("line", 10_000, 0),
        a_row("line", 5_000, 1_200, [["pre_tax", 700, CODE], ["roth", 500, CODE]]),
        a_row("release", None, None),
    ]
    before = counted()
    count_lines(SimpleNamespace(after_commit=hooks.append), rows)  # type: ignore[arg-type]
    assert counted() == before
    for hook in hooks:
        hook()
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [15_000, 13_800, 1_200]
