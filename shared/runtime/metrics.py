"""The frame's own metrics: closed label sets, base units, never a participant, plan or payroll as a label."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

RECORDS_READ = Counter(
    "nestwork_records_read_total", "Records taken from an input topic by a committed poll.", ["topic"]
)
RECORD_OUTCOMES = Counter(
    "nestwork_record_outcomes_total", "Public records by what became of them, as committed.", ["topic", "outcome"]
)
RECORDS_PUBLISHED = Counter("nestwork_records_published_total", "Records the relay has published.", ["topic"])
RECORDS_REPEATED = Counter("nestwork_records_repeated_total", "Internal records dropped as repeats.", ["topic"])
POLLS = Counter("nestwork_polls_total", "Poll transactions by result.", ["result"])
POLL_SECONDS = Histogram(
    "nestwork_poll_seconds",
    "Duration of a poll transaction.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
POLL_RECORDS = Histogram(
    "nestwork_poll_records", "Records in a poll transaction.", buckets=(1, 10, 50, 100, 250, 500, 1000, 2500, 5000)
)
STAGE_AGE_SECONDS = Histogram(
    "nestwork_stage_age_seconds",
    "From the append time of the oldest record of a poll to the poll's commit.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
RELAY_RESTARTS = Counter("nestwork_relay_restarts_total", "Times the relay had to start with a new producer.")
OUTBOX_BYTES = Gauge("nestwork_outbox_waiting_bytes", "Bytes decided and not yet published by this worker.")
LANES_OWNED = Gauge("nestwork_lanes_owned", "Lanes this worker owns.")
LANES_STOPPED = Gauge("nestwork_lanes_stopped", "Lanes stopped because an internal log lost records: page.")
CLAIMS = Counter("nestwork_claims_total", "Claims of lanes by result.", ["result"])
FENCED = Counter("nestwork_fenced_total", "Polls rolled back because the claim or the position was not ours any more.")
DEAD_LETTERS = Counter("nestwork_dead_letters_total", "Records dead-lettered by code.", ["code"])
PARKED = Counter("nestwork_parked_items_total", "Items parked by code.", ["code"])
FACTS_STORED = Counter("nestwork_facts_stored_total", "Facts stored by topic.", ["topic"])
DAYS_CLOSED = Counter("nestwork_lane_days_closed_total", "Lane closings by cycle.", ["cycle"])
BUFFERED_BYTES = Gauge("nestwork_buffered_bytes", "Bytes fetched and not yet decided.")
LAST_PROGRESS = Gauge("nestwork_last_progress_timestamp_seconds", "Time of the last committed poll or idle check.")
CONSERVATION_BREAKS = Gauge(
    "nestwork_conservation_breaks", "Equations of the last proof that did not hold: must be 0, page."
)
