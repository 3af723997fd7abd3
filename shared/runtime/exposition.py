"""What ``/metrics`` serves: the counted metrics, what is read from the running worker, and the snapshot of the books.

Every sample gets the label ``service`` here, so that rules and dashboards do not depend on how workers are found.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from shared.runtime import metrics
from shared.runtime.intake import BYTES_BUFFERED_MAX
from shared.runtime.metrics import Family
from shared.runtime.relay import BACKLOG_BYTES_MAX

Value = tuple[Family, tuple[str, ...], float]
"""A metric, the values of its labels, and its value."""

LOOP_TICK_SECONDS = 0.25


class Exposition:
    """The metrics of one worker."""

    def __init__(self, service: str, plane: Callable[[], Any], facts_stopped: Callable[[], int] = lambda: 0) -> None:
        self.service, self.plane, self.facts_stopped = service, plane, facts_stopped
        self.snapshot: list[Value] = []
        self.loop_lag = 0.0
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """Everything, with the service's name on it."""
        yield from (self._named(metric) for metric in REGISTRY.collect())
        yield from (self._named(metric) for metric in metrics_of([*self._read(), *self.snapshot]))

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)

    def _named(self, metric: Metric) -> Metric:
        named = Metric(metric.name, metric.documentation, metric.type)
        named.samples = [
            Sample(one.name, {"service": self.service, **one.labels}, one.value, one.timestamp, one.exemplar)
            for one in metric.samples
        ]
        return named

    def _read(self) -> Iterator[Value]:
        plane = self.plane()
        yield metrics.BUFFER_LIMIT, (), BYTES_BUFFERED_MAX
        yield metrics.OUTBOX_LIMIT, (), BACKLOG_BYTES_MAX
        yield metrics.LOOP_LAG, (), self.loop_lag
        self.loop_lag = 0.0
        if plane is None:
            return
        yield metrics.LANES_CONFIGURED, (), plane.config.partitions
        yield metrics.LANES_STOPPED, (), len(plane.stopped_lanes) + self.facts_stopped()
        yield metrics.REBALANCES, (), plane.membership.rebalances
        yield metrics.OUTBOX_OLDEST, (), plane.relay.waiting_since
        for topic, partition, records, seconds in plane.intake.lag(time.time()):
            yield metrics.LAG_RECORDS, (topic, str(partition)), records
            yield metrics.LAG_SECONDS, (topic, str(partition)), seconds

    async def watch_loop(self) -> None:
        """Notice how late the event loop wakes a sleeper: it stands still while something blocks it."""
        while True:
            due = time.monotonic() + LOOP_TICK_SECONDS
            await asyncio.sleep(LOOP_TICK_SECONDS)
            self.loop_lag = max(self.loop_lag, time.monotonic() - due)


def metrics_of(values: Iterable[Value]) -> Iterator[Metric]:
    """The values as metrics of the client library, each family once."""
    found: dict[str, Metric] = {}
    for family, labels, value in values:
        metric = found.get(family.name)
        if metric is None:
            bare = family.name.removesuffix("_total") if family.kind == "counter" else family.name
            metric = found[family.name] = Metric(bare, family.help, family.kind)
        metric.add_sample(family.name, dict(zip(family.labels, labels, strict=True)), value)
    yield from found.values()
