"""From bytes on a topic to something a handler can decide: headers, markers, CloudEvents in both modes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import msgspec
import orjson

from shared.events.topics import VALUE_CUT_TOPICS
from shared.runtime.errors import LogLoss, PoisonMessage
from shared.runtime.tracing import valid_traceparent
from shared.values.identity import body_hash, identity_of
from shared.values.nyse_calendar import FIRST_YEAR
from shared.values.trading_days import GENESIS, CalendarUnknown, trade_date_of_stamp

Item = TypeVar("Item")
DAY_CUT = "nestwork.day.cut.v1"
VALUE_CUT = "nestwork.day.value-cut.v1"
LANE_CLOSED = "nestwork.lane.closed.v1"
MARKERS = frozenset({DAY_CUT, VALUE_CUT, LANE_CLOSED})

RULED_BY_CUTS = frozenset(topic.name for topic in VALUE_CUT_TOPICS)
"""Logs that markers alone divide into dates, in market mode too. A confirmation that comes after D's cut-off and before
D's marker has to be of D: of the date after, it would wait for D's decision, and the marker behind it with it."""

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError)
"""What bytes raise that are not what was written (``ValueError`` holds the decoders' own errors)."""

KEY_BYTES_MAX = 128
NAME_BYTES_MAX = 1_024
"""An id or source beyond this is not readable: an answer that repeats it has to fit in a record."""
TRACE_BYTES_MAX = 128
DETAIL_CHARACTERS_MAX = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STAMP_MS_MAX = 253_402_300_799_999
"""The last millisecond of the year 9999: the end of what a date can say."""


@dataclass(slots=True)
class Record:
    """One record as it was fetched, with the business date its place in the log gives it."""

    lane: int
    topic: str
    partition: int
    offset: int
    recorded_at: datetime
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]
    raw_headers: Sequence[tuple[str, bytes | None]]
    trade_date: date = date.min
    landed: tuple[str, int, int] | None = None
    """Topic, partition and offset where a rerouted record first came in."""
    wire_value: bytes | None = None
    """The whole envelope of a structured-mode record, which ``value`` holds only the data of."""

    @property
    def original_value(self) -> bytes | None:
        """The bytes as they were sent: with ``raw_headers`` they make the same record again."""
        return self.value if self.wire_value is None else self.wire_value

    @property
    def origin(self) -> tuple[str, int, int]:
        """Topic, partition and offset at which the sender's record stands."""
        return self.landed or (self.topic, self.partition, self.offset)

    @property
    def ce_type(self) -> str:
        """The event type, or an empty string."""
        return self.headers.get("ce_type", b"").decode("ascii", "replace")

    def trace(self) -> str | None:
        """The W3C ``traceparent`` that came with the record; what can't be one is dropped, the money is not."""
        value = self.headers.get("traceparent")
        if not value or len(value) > TRACE_BYTES_MAX or not value.isascii():
            return None
        return valid_traceparent(value.decode("ascii"))


class PublicRecord(msgspec.Struct, gc=False):
    """A well-formed public event: who sent it, for whom, what it says."""

    lane: int
    topic: str
    offset: int
    recorded_at: datetime
    trade_date: date
    key: str
    ce_id: str
    ce_source: str
    ce_type: str
    identity: bytes
    body_hash: bytes
    body: dict[str, Any]
    trace: str | None = None

    @property
    def cents(self) -> int:
        """Cents at stake, for parked records; unreadable amounts count as none."""
        amounts = self.body.get("amounts")
        if not isinstance(amounts, list):
            return 0
        return sum(a["cents"] for a in amounts if isinstance(a, dict) and type(a.get("cents")) is int)


@dataclass(slots=True)
class Malformed:
    """A record that broke the contract although it says who sent it: it earns an answer and a dead letter."""

    record: Record
    code: str
    detail: str
    ce_id: str
    ce_source: str
    participant: str


def instant_of(timestamp_ms: int) -> datetime:
    """A Kafka timestamp (milliseconds) as an aware instant; beyond what a date can say, the nearest that it can."""
    return datetime.fromtimestamp(min(timestamp_ms, _STAMP_MS_MAX) / 1000, UTC) if timestamp_ms >= 0 else _EPOCH


def record_of(lane: int, fetched: Any) -> Record:
    """Wrap an aiokafka record; structured-mode CloudEvents are unfolded into binary mode.

    Raises nothing, whatever was sent: a failure here would end every worker that reads the record, one after another.
    """
    return unfolded(
        Record(
            lane,
            fetched.topic,
            fetched.partition,
            fetched.offset,
            instant_of(fetched.timestamp),
            fetched.key,
            fetched.value,
            present(fetched.headers),
            fetched.headers,
        )
    )


def present(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, bytes]:
    """The headers that have a value (Kafka allows one without); the last of a name counts."""
    return {name: value for name, value in headers if value is not None}


def unfolded(record: Record) -> Record:
    """The record itself, in binary mode whatever it came in."""
    if record.headers.get("content-type", b"").startswith(b"application/cloudevents+json"):
        _unfold(record)
    return record


def _unfold(record: Record) -> None:
    try:
        envelope = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return
    if not isinstance(envelope, dict):
        return
    for name in ("specversion", "id", "source", "type", "time"):
        if isinstance(envelope.get(name), str):
            record.headers[f"ce_{name}"] = envelope[name].encode()
    if isinstance(envelope.get("traceparent"), str):
        record.headers["traceparent"] = envelope["traceparent"].encode()
    # From here on it is a binary-mode record, also when it is sent on to another lane.
    record.headers["content-type"] = b"application/json"
    record.wire_value = record.value
    try:
        record.value = orjson.dumps(envelope.get("data"))
    except orjson.JSONEncodeError:
        # Nested deeper than can be written again, though it could be read: no body. It is refused for its shape.
        record.value = b"null"


def public_record(record: Record) -> list[PublicRecord]:
    """The one item of a public record. Raises ``PoisonMessage`` when it breaks the contract."""
    headers = record.headers
    key, ce_id, ce_source = who_sent(record)
    if len(record.key or b"") > KEY_BYTES_MAX:
        raise PoisonMessage("PARTICIPANT_KEY_TOO_LONG", f"a key has at most {KEY_BYTES_MAX} bytes")
    try:
        body = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError as broken:
        raise PoisonMessage("NOT_JSON", str(broken)) from None
    if not isinstance(body, dict):
        raise PoisonMessage("WRONG_SHAPE", "the value must be a JSON object")
    if b"\\u0000" in (record.value or b""):
        raise PoisonMessage("WRONG_SHAPE", "text must not contain NUL characters")
    try:
        hashed = body_hash(body)
    except RecursionError:
        raise PoisonMessage("WRONG_SHAPE", "the body is nested too deep") from None
    return [
        PublicRecord(
            record.lane,
            record.topic,
            record.offset,
            record.recorded_at,
            record.trade_date,
            key,
            ce_id,
            ce_source,
            headers["ce_type"].decode(),
            identity_of(key, ce_source, ce_id),
            hashed,
            body,
            record.trace(),
        )
    ]


def who_sent(record: Record) -> tuple[str, str, str]:
    """Key, ``ce_id`` and ``ce_source`` as text. Raises ``PoisonMessage`` when one is missing or can't be read."""
    named = {"key": record.key, "ce_id": record.headers.get("ce_id"), "ce_source": record.headers.get("ce_source")}
    found = []
    for name, value in named.items():
        if not value:
            raise PoisonMessage("MISSING_HEADERS", f"a record needs {name}")
        if b"\x00" in value or (name != "key" and len(value) > NAME_BYTES_MAX):
            raise PoisonMessage("WRONG_SHAPE", f"{name} is longer than {NAME_BYTES_MAX} bytes or holds a NUL")
        try:
            found.append(value.decode())
        except UnicodeDecodeError:
            raise PoisonMessage("MISSING_HEADERS", f"{name} is not UTF-8") from None
    return found[0], found[1], found[2]


def headers_as_json(record: Record) -> str:
    """All headers as they came, as JSON pairs; their bytes as Latin-1, which loses none."""
    pairs = [[name, None if value is None else value.decode("latin-1")] for name, value in record.raw_headers]
    return orjson.dumps(pairs).decode()


def short_detail(detail: str) -> str:
    """What a dead letter says beside its code: a line that a text column can hold."""
    return detail.replace("\x00", "")[:DETAIL_CHARACTERS_MAX]


def letter_headers(
    came: Iterable[tuple[str, bytes | None]], code: str, detail: str, service: str, failed_at: datetime
) -> list[tuple[str, bytes | None]]:
    """What a dead letter is sent with: the headers that came, and why.

    A letter is an event of its own, so the original's `ce_…` stand under `original_ce_…`.
    """
    return [
        *((f"original_{name}" if name.startswith("ce_") else name, value) for name, value in came),
        ("reason", code.encode()),
        ("detail", detail.encode()),
        ("service", service.encode()),
        ("failed_at", failed_at.isoformat().encode()),
    ]


def date_by_stamp(topic: str, timestamp_ms: int) -> date:
    """The date that market mode gives a record when it is later than that of its place; else, ``date.min``.

    Raises ``CalendarUnknown`` for a stamp beyond the calendar: the record waits until a release knows the year.
    """
    if topic in RULED_BY_CUTS:
        return date.min
    try:
        return trade_date_of_stamp(max(0, timestamp_ms))
    except CalendarUnknown:
        if instant_of(timestamp_ms).year <= FIRST_YEAR:
            return date.min
        raise


def lost(record: Record, what: str) -> LogLoss:
    """What an internal record that makes no sense means: its lane's log is not what was written."""
    return LogLoss(f"{record.topic}/{record.partition}@{record.offset}: {what}", record.lane)


def dated(record: Record, text: str) -> date:
    """The business date a packed record carries; it must be the one its place in the log gives it.

    Raises ``LogLoss`` otherwise: the sender closed a date and spoke of it afterwards, so nothing may be built on it.
    """
    day = date.fromisoformat(text)
    if record.trade_date not in (day, GENESIS):
        raise lost(record, f"speaks of {day} in the part of {record.trade_date}")
    return day


def unpacked(make: Callable[..., Item], record: Record, trade_date: date, *columns: Sequence[Any]) -> list[Item]:
    """The items of a record that packs them by column; each starts with where and when the record was appended."""
    place = (record.lane, record.topic, record.offset, record.recorded_at, trade_date)
    return [make(*place, *fields) for fields in zip(*columns, strict=True)]


def unknown_type_code(ce_type: str, known: Sequence[str]) -> str:
    """``NEWER_VERSION`` when only the major version differs from a known type, else ``UNKNOWN_EVENT_TYPE``."""
    if not ce_type:
        return "MISSING_HEADERS"
    stem, _, version = ce_type.rpartition(".v")
    if version.isdigit() and any(other.rpartition(".v")[0] == stem for other in known):
        return "NEWER_VERSION"
    return "UNKNOWN_EVENT_TYPE"
