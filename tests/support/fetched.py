"""Records as a consumer hands them over, made as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from shared.runtime.records import DAY_CUT, LANE_CLOSED
from shared.runtime.signing import SIGNATURE_HEADER, sign_marker

SECRET = b"a secret of the tests"
NOON = 1_795_194_000_000
"""2026-11-20 12:00 in New York, in milliseconds since 1970."""


@dataclass(frozen=True)
class Fetched:
    """What the frame reads of a fetched record."""

    topic: str
    partition: int
    offset: int
    key: bytes | None = b"P1"
    value: bytes | None = b"{}"
    headers: tuple[tuple[str, bytes], ...] = field(default=())
    timestamp: int = NOON


def an_event(
    offset: int, topic: str = "payroll.contributions.v1", partition: int = 0, *, timestamp: int = NOON, **headers: str
) -> Fetched:
    """A record of a public topic."""
    pairs = {"ce_id": f"c{offset}", "ce_source": "/acme", "ce_type": "nestwork.payroll.contribution.v1"} | headers
    return Fetched(
        topic,
        partition,
        offset,
        headers=tuple((name, text.encode()) for name, text in pairs.items()),
        timestamp=timestamp,
    )


def a_marker(
    offset: int,
    day: str,
    topic: str = "payroll.contributions.v1",
    partition: int = 0,
    *,
    ce_type: str = DAY_CUT,
    secret: bytes = SECRET,
    signed_for: int | None = None,
) -> Fetched:
    """A marker, signed for its own place unless another partition is named."""
    signature = sign_marker(secret, ce_type, day, topic, partition if signed_for is None else signed_for)
    headers = (("ce_type", ce_type.encode()), (SIGNATURE_HEADER, signature))
    return Fetched(topic, partition, offset, None, orjson.dumps({"trade_date": day}), headers)


def a_lane_closed(offset: int, day: str, topic: str, partition: int = 0, *, stream: str = "s/0/t/0") -> Fetched:
    """The closing marker of a lane, as it stands in an internal log."""
    headers = (("ce_type", LANE_CLOSED.encode()), ("stream", stream.encode()), ("epoch", b"1"), ("seq", b"1"))
    return Fetched(topic, partition, offset, None, orjson.dumps({"trade_date": day}), headers)
