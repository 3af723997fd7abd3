"""CloudEvents 1.0 in binary mode over Kafka: the headers every record of ours carries."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

JSON = b"application/json"


def ce_source_of(service: str) -> str:
    """The ``ce_source`` of a service of ours."""
    return f"/nestwork/{service}"


@lru_cache(maxsize=4096)
def _time(time_ms: int) -> bytes:
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").encode()


def event_headers(
    ce_id: str, ce_source: str, ce_type: str, time_ms: int | None = None, trace: str | None = None, *,
    ce_time: str | None = None,
) -> list[tuple[str, bytes]]:  # fmt: skip
    """The CloudEvents headers; ``time_ms`` (or ``ce_time`` as text) is when it happened, now if not given."""
    if ce_time is not None:
        stamp = ce_time.encode()
    elif time_ms is not None:
        stamp = _time(time_ms)
    else:
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").encode()  # an outside producer's own clock
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", ce_id.encode()),
        ("ce_source", ce_source.encode()),
        ("ce_type", ce_type.encode()),
        ("ce_time", stamp),
        ("content-type", JSON),
    ]
    if trace:
        headers.append(("traceparent", trace.encode()))
    return headers
