"""Tracing: which traceparent is believed, what a span holds, and that nothing is made while it is off."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.events.envelope import TRACEPARENT
from shared.runtime import tracing
from shared.runtime.outbox import Message, StreamNames, pack, unpack
from shared.runtime.records import record_of
from shared.runtime.settings import Settings
from shared.runtime.tracing import (
    LINKS_MAX,
    handler_span,
    links_of,
    poll_span,
    relay_span,
    start_tracing,
    stop_tracing,
    trace_id_of,
    valid_traceparent,
)
from tests.support.fetched import Fetched, an_event

GOOD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
BAD = (
    "", "00", GOOD.upper(), GOOD + "-", GOOD + "-more", GOOD[:-1], "ff" + GOOD[2:], GOOD + "\n", " " + GOOD,
    "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
    GOOD.replace("-", "_"), GOOD[:-1] + "g", "Ann Example 078-05-1120",
)  # fmt: skip


def digits(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=length, max_size=length).filter(lambda text: set(text) != {"0"})


TRACEPARENTS = st.builds(
    lambda trace, span, flags: f"00-{trace}-{span}-{flags:02x}", digits(32), digits(16), st.integers(0, 255)
)


def came_with(header: bytes) -> str | None:
    """What the engine makes of a record's header."""
    event = an_event(1)
    return record_of(0, Fetched(event.topic, 0, 1, headers=(*event.headers, (TRACEPARENT, header)))).trace()


@given(TRACEPARENTS)
def test_a_valid_traceparent_leaves_by_the_outbox_as_it_came(text: str) -> None:
    trace = came_with(text.encode())
    message = Message(b"P1", "t", "c1", 1, b"{}", trace)
    (row,), _ = pack(0, "out", 0, 1, 1, [message])
    ((_, _, _, headers),) = unpack(row, StreamNames("contribution", "/nestwork/contribution"))
    assert dict(headers)[TRACEPARENT] == text.encode()
    assert trace_id_of(trace) == text.split("-")[1]


@given(st.one_of(st.sampled_from(BAD).map(str.encode), st.binary(max_size=200)))
def test_what_is_no_traceparent_is_ignored(header: bytes) -> None:
    assert came_with(header) is None


def test_a_later_version_may_say_more_behind_the_flags() -> None:
    later = "01" + GOOD[2:]
    assert valid_traceparent(later + "-more") == later + "-more"
    assert valid_traceparent(later + "more") is None


@dataclass(frozen=True)
class Item:
    """What a handler's span looks at."""

    trace: str | None
    name: str = "Ann Canary"


@dataclass(frozen=True)
class Place:
    topic: str


@dataclass(frozen=True)
class Part:
    """A slice of a poll, as far as a span looks at it."""

    place: Place
    records: list[Any]
    taken: int


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Tracing switched on for one test."""
    exporter = InMemorySpanExporter()
    start_tracing("contribution", Settings(NESTWORK_TRACE_RATIO=1.0), exporter)
    try:
        yield exporter
    finally:
        stop_tracing()


def ended(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    stop_tracing()
    return list(exporter.get_finished_spans())


def test_a_batch_is_one_span_with_links_to_its_sampled_records(spans: InMemorySpanExporter) -> None:
    sampled, other = GOOD, "00-" + "a" * 32 + "-" + "b" * 16 + "-00"
    with handler_span("nestwork.payroll.contribution.v1", [Item(sampled), Item(sampled), Item(other), Item(None)]):
        pass
    (span,) = ended(spans)
    assert span.name == "handle nestwork.payroll.contribution.v1"
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [GOOD[3:35]]
    assert dict(span.attributes or {})["messaging.batch.message_count"] == 4
    assert span.resource.attributes["service.name"] == "nestwork-contribution"


def test_a_handler_s_span_lies_within_its_poll_s(spans: InMemorySpanExporter) -> None:
    event = an_event(1, traceparent=GOOD)
    with poll_span([Part(Place(event.topic), [record_of(0, event)], 1)]), handler_span("t", []):
        pass
    inner, outer = ended(spans)
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id
    assert (outer.name, len(outer.links)) == ("poll", 1)


def test_a_failed_batch_says_the_kind_of_failure_and_nothing_of_its_message(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="Canary"), handler_span("t", [Item(None)]):
        raise ValueError("birth date of Ann Canary")
    (span,) = ended(spans)
    assert span.status.description == "ValueError"
    assert "Canary" not in span.to_json()


def test_a_span_has_a_bounded_number_of_links() -> None:
    many = (f"00-{number:032x}-{'b' * 16}-01" for number in itertools.count(1))
    assert len(links_of(many)) == LINKS_MAX


def test_off_nothing_is_looked_at() -> None:
    start_tracing("contribution", Settings())
    assert tracing._tracer is None
    unreadable: Any = object()
    for made in (poll_span(unreadable), handler_span("t", unreadable), relay_span(unreadable)):
        assert isinstance(made, nullcontext)
