"""Tracing: which ``traceparent`` is believed, and OpenTelemetry spans of batches with links to their records.

A record's ``traceparent`` travels with its money in any case: through the journal, the packed records and the outbox
to what is said about it. Spans are extra and off unless ``NESTWORK_TRACE_RATIO`` is above 0: a poll, each handler's
batch and each round of the relay is one span, with links to the sampled records in it. Nothing of a body, no id of a
participant and no message of an exception is written into a span. Off, a batch costs one comparison and a record none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from shared.runtime.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Link, Tracer

LINKS_MAX = 64
"""Links of one span; OpenTelemetry's own limit is 128."""
EXPORT_SECONDS = 5
SAMPLED = 1
_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?", re.ASCII
)
_NOTHING: AbstractContextManager[None] = nullcontext()

_tracer: Tracer | None = None


def valid_traceparent(text: str) -> str | None:
    """The text if it is a W3C ``traceparent``, else ``None``; later versions may say more behind the flags."""
    found = _TRACEPARENT.fullmatch(text)
    return None if found is None or (found[1] == "00" and found[5] is not None) else text


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id for log lines: 32 hexadecimal digits."""
    return None if traceparent is None else traceparent[3:35]


def start_tracing(service: str, config: Settings, exporter: SpanExporter | None = None) -> None:
    """Begin to write spans when the ratio asks for it; the collector is named by OpenTelemetry's own variables."""
    global _tracer  # noqa: PLW0603 - one tracer per process, so that nothing has to be handed to each batch.
    if config.trace_ratio <= 0:
        return
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    if exporter is None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(timeout=EXPORT_SECONDS)
    resource = Resource.create({"service.name": f"nestwork-{service}"})
    provider = TracerProvider(ParentBased(TraceIdRatioBased(config.trace_ratio)), resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = provider.get_tracer("nestwork")
    _provider.append(provider)


_provider: list[Any] = []


def stop_tracing() -> None:
    """Send what is left and write no more spans."""
    global _tracer  # noqa: PLW0603
    _tracer = None
    while _provider:
        _provider.pop().shutdown()


def poll_span(slices: Sequence[Any]) -> AbstractContextManager[None]:
    """Around one poll over the slices of some partitions."""
    if _tracer is None:
        return _NOTHING
    traces = (record.trace() for part in slices for record in part.records)
    topics = sorted({part.place.topic for part in slices})
    return _span(_tracer, "poll", traces, sum(part.taken for part in slices), topics)


def handler_span(ce_type: str, items: Sequence[Any]) -> AbstractContextManager[None]:
    """Around one handler's decision over a batch of items of one type."""
    if _tracer is None:
        return _NOTHING
    traces = (getattr(item, "trace", None) for item in items)
    return _span(_tracer, f"handle {ce_type}", traces, len(items), [])


def relay_span(rows: Sequence[Any]) -> AbstractContextManager[None]:
    """Around one round of publishing; the rows are packed, so it has no links."""
    if _tracer is None:
        return _NOTHING
    topics = sorted({row.topic for row in rows})
    return _span(_tracer, "publish", (), sum(row.records for row in rows), topics)


@contextmanager
def _span(tracer: Tracer, name: str, traces: Iterable[str | None], records: int, topics: list[str]) -> Iterator[None]:
    from opentelemetry.trace import SpanKind, Status, StatusCode

    kinds = {"poll": SpanKind.CONSUMER, "publish": SpanKind.PRODUCER}
    with tracer.start_as_current_span(
        name, kind=kinds.get(name, SpanKind.INTERNAL), links=links_of(traces), record_exception=False,
        set_status_on_exception=False, attributes={"messaging.batch.message_count": records, "nestwork.topics": topics},
    ) as span:  # fmt: skip
        try:
            yield
        except BaseException as failure:
            # The type only: a message may repeat what a sender wrote about a person.
            span.set_status(Status(StatusCode.ERROR, type(failure).__name__))
            raise


def links_of(traces: Iterable[str | None]) -> list[Link]:
    """Links to the contexts that were sampled where they began, each trace once, as many as a span carries."""
    from opentelemetry.trace import Link, SpanContext, TraceFlags

    found: dict[str, Link] = {}
    for trace in traces:
        parts = None if trace is None else _TRACEPARENT.fullmatch(trace)
        if parts is None or not int(parts[4], 16) & SAMPLED or parts[2] in found:
            continue
        context = SpanContext(int(parts[2], 16), int(parts[3], 16), is_remote=True, trace_flags=TraceFlags(SAMPLED))
        found[parts[2]] = Link(context)
        if len(found) == LINKS_MAX:
            break
    return list(found.values())
