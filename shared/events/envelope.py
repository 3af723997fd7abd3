"""Headers around every event: CloudEvents 1.0 in binary mode, and the place in its stream for internal readers."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

CE_SPECVERSION, CE_ID, CE_SOURCE, CE_TYPE, CE_TIME = "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time"
CONTENT_TYPE = "content-type"
TRACEPARENT = "traceparent"
STREAM, EPOCH, SEQ = "stream", "epoch", "seq"
REASON, SERVICE, FAILED_AT = "reason", "service", "failed_at"
"""What a dead letter adds to the original headers."""

SPECVERSION = b"1.0"
JSON_CONTENT = b"application/json"
STRUCTURED_CONTENT = b"application/cloudevents+json"

Headers = list[tuple[str, bytes]]


def ce_source_of(service: str) -> str:
    """Return the ``ce_source`` of a service of the engine: "/nestwork/contribution"."""
    return f"/nestwork/{service}"


def event_headers(
    ce_id: str,
    ce_source: str,
    ce_type: str,
    time_ms: int | None = None,
    trace: str | None = None,
    *,
    ce_time: str | None = None,
) -> Headers:
    """Return the headers of an event; ``time_ms`` (since 1970) or a ready ``ce_time`` says when, if anybody knows."""
    headers = [
        (CE_SPECVERSION, SPECVERSION),
        (CE_ID, ce_id.encode()),
        (CE_SOURCE, ce_source.encode()),
        (CE_TYPE, ce_type.encode()),
        (CONTENT_TYPE, JSON_CONTENT),
    ]
    if ce_time is not None:
        headers.append((CE_TIME, ce_time.encode()))
    elif time_ms:
        headers.append((CE_TIME, rfc3339(time_ms)))
    if trace:
        headers.append((TRACEPARENT, trace.encode()))
    return headers


def rfc3339(time_ms: int) -> bytes:
    """Return milliseconds since 1970 as "2026-11-20T14:30:00.250Z"."""
    seconds, part = divmod(time_ms, 1000)
    return b"%b.%03dZ" % (_second(seconds), part)


@lru_cache(maxsize=1024)
def _second(seconds: int) -> bytes:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
