"""Headers are CloudEvents in binary mode."""

from __future__ import annotations

import pytest

from shared.events.envelope import ce_source_of, event_headers, rfc3339


def test_an_event_carries_the_headers_of_the_contract() -> None:
    headers = dict(event_headers("c1", "/payroll", "nestwork.payroll.contribution.v1", 1_795_200_000_250))
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_id": b"c1",
        "ce_source": b"/payroll",
        "ce_type": b"nestwork.payroll.contribution.v1",
        "content-type": b"application/json",
        "ce_time": b"2026-11-20T18:40:00.250Z",
    }


def test_a_ready_time_is_taken_as_it_is() -> None:
    headers = dict(event_headers("c1", "/payroll", "t", ce_time="2026-11-20T14:00:00Z"))
    assert headers["ce_time"] == b"2026-11-20T14:00:00Z"


@pytest.mark.parametrize("time_ms", [None, 0])
def test_nobody_invents_a_time(time_ms: int | None) -> None:
    assert "ce_time" not in dict(event_headers("c1", "/payroll", "t", time_ms))


def test_a_trace_is_carried_on() -> None:
    assert dict(event_headers("c1", "/s", "t", 1, "00-abc-def-01"))["traceparent"] == b"00-abc-def-01"
    assert "traceparent" not in dict(event_headers("c1", "/s", "t", 1, None))


def test_ids_outside_ascii_are_utf_8() -> None:
    assert dict(event_headers("ë", "/s", "t"))["ce_id"] == "ë".encode()


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [(0, b"1970-01-01T00:00:00.000Z"), (999, b"1970-01-01T00:00:00.999Z"), (-1, b"1969-12-31T23:59:59.999Z")],
)
def test_times_have_milliseconds(time_ms: int, text: bytes) -> None:
    assert rfc3339(time_ms) == text


def test_services_have_a_source_of_their_own() -> None:
    assert ce_source_of("contribution") == "/nestwork/contribution"
