"""What /metrics serves: every sample names its service, what is read is read now, a snapshot is served as it is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from shared.runtime import metrics
from shared.runtime.exposition import Exposition, metrics_of
from shared.runtime.intake import Buffer, Intake
from shared.runtime.plane import _late


class Log:
    """A consumer that knows where its logs end."""

    def __init__(self, ends: dict[TopicPartition, int]) -> None:
        self.ends = ends

    def assignment(self) -> set[TopicPartition]:
        return set(self.ends)

    def highwater(self, place: TopicPartition) -> int:
        return self.ends[place]


def an_intake(waiting: dict[TopicPartition, list[tuple[int, int]]], ends: dict[TopicPartition, int]) -> Intake:
    intake = Intake(None, lambda: Log(ends))  # type: ignore[arg-type]
    for place, records in waiting.items():
        intake.buffers[place] = Buffer()
        intake.buffers[place].records.extend(
            SimpleNamespace(offset=offset, timestamp=at_ms) for offset, at_ms in records
        )
    return intake


def a_plane(intake: Intake) -> Any:
    return SimpleNamespace(
        config=SimpleNamespace(partitions=8), stopped_lanes={3: "lost"}, membership=SimpleNamespace(rebalances=2),
        relay=SimpleNamespace(waiting_since=7.5), intake=intake,
    )  # fmt: skip


def samples(text: bytes) -> dict[str, float]:
    lines = [line for line in text.decode().splitlines() if line.startswith("nestwork_")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_lag_is_counted_from_the_first_undecided_record_to_the_end_of_the_log() -> None:
    first, second, gone = (TopicPartition("t", number) for number in range(3))
    intake = an_intake({first: [(10, 4_000), (11, 9_000)], second: [], gone: [(5, 1_000)]}, {first: 40, second: 9})
    assert list(intake.lag(now=10.0)) == [("t", 0, 30, 6.0), ("t", 1, 0, 0.0), ("t", 2, 1, 9.0)]


def test_a_record_from_the_future_has_no_age() -> None:
    place = TopicPartition("t", 0)
    assert list(an_intake({place: [(0, 5_000)]}, {place: 1}).lag(now=1.0)) == [("t", 0, 1, 0.0)]


def test_every_sample_names_its_service() -> None:
    text = Exposition("trading", lambda: a_plane(an_intake({}, {}))).text()
    named = [line for line in text.decode().splitlines() if line and not line.startswith("#")]
    assert named
    assert all('service="trading"' in line for line in named)


def test_what_is_read_comes_from_the_plane_as_it_is_now() -> None:
    place = TopicPartition("trades.instructed.v1", 5)
    found = samples(Exposition("trading", lambda: a_plane(an_intake({place: [(1, 0)]}, {place: 4}))).text())
    assert found['nestwork_lag_records{partition="5",service="trading",topic="trades.instructed.v1"}'] == 3
    assert found['nestwork_lanes_stopped{service="trading"}'] == 1
    assert found['nestwork_lanes_configured{service="trading"}'] == 8
    assert found['nestwork_rebalances_total{service="trading"}'] == 2
    assert found['nestwork_outbox_oldest_timestamp_seconds{service="trading"}'] == 7.5


def test_a_worker_that_is_only_starting_serves_what_it_has() -> None:
    found = samples(Exposition("trading", lambda: None).text())
    assert 'nestwork_outbox_limit_bytes{service="trading"}' in found
    assert not any(name.startswith("nestwork_lanes_configured") for name in found)


def test_the_lag_of_the_loop_is_told_once() -> None:
    exposition = Exposition("trading", lambda: None)
    exposition.loop_lag = 1.5
    assert samples(exposition.text())['nestwork_loop_lag_seconds{service="trading"}'] == 1.5
    assert samples(exposition.text())['nestwork_loop_lag_seconds{service="trading"}'] == 0


def test_a_snapshot_is_served_until_it_is_taken_away() -> None:
    exposition = Exposition("trading", lambda: None)
    exposition.snapshot = [(metrics.BREAKS, ("PRICE_MISMATCH",), 2), (metrics.BREAKS, ("AMOUNT_MISMATCH",), 0)]
    served = samples(exposition.text())
    assert served['nestwork_breaks_open{code="PRICE_MISMATCH",service="trading"}'] == 2
    assert served['nestwork_breaks_open{code="AMOUNT_MISMATCH",service="trading"}'] == 0
    exposition.snapshot = []
    assert not any("breaks_open" in name for name in samples(exposition.text()))


def test_a_family_is_described_once_and_a_counter_keeps_its_name() -> None:
    text = Exposition("trading", lambda: a_plane(an_intake({}, {}))).text().decode()
    described = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(described) == len(set(described))
    (rebalances,) = metrics_of([(metrics.REBALANCES, (), 4)])
    assert [sample.name for sample in rebalances.samples] == ["nestwork_rebalances_total"]


def test_records_are_late_after_five_seconds() -> None:
    now = datetime.now(UTC)
    records = [SimpleNamespace(recorded_at=now - timedelta(seconds=seconds)) for seconds in (60, 6, 4, 0)]
    assert (_late(records), _late(records[2:]), _late([])) == (2, 0, 0)
