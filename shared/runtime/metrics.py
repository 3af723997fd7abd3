"""Every metric of the engine: closed label sets, base units, never a participant, plan, order or payroll as a label.

Three ways a metric gets its value. *Counted*: the frame counts while it works, after the commit. *Read*: taken from
the running worker when somebody asks for ``/metrics`` (``shared/runtime/exposition.py``). *Snapshot*: asked of the
service's database every few seconds by one worker of the service (``shared/runtime/snapshot.py``), so that a restart
changes nothing and the sum over workers is right. Every sample carries the label ``service``, added where it is served.

Ages are told as the time of the oldest thing, in seconds since 1970; a reader subtracts it from now, so that a dead
process can't report a young age. A value of 0 means that there is no such thing.
"""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from shared.events.codes import CODES

disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Family:
    """A metric that is read or asked for, not counted."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: str = "gauge"


# -- counted by the frame ---------------------------------------------------------------------------------------------

RECORDS_READ = Counter(
    "nestwork_records_read_total", "Records taken from an input topic by a committed poll.", ["topic"]
)
RECORDS_LATE = Counter(
    "nestwork_records_late_total",
    "Of those, records decided more than 5 seconds after they were appended: the error budget of the receipts.",
    ["topic"],
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
CLAIMS = Counter("nestwork_claims_total", "Claims of lanes by result.", ["result"])
FENCED = Counter("nestwork_fenced_total", "Polls rolled back because the claim or the position was not ours any more.")
DEAD_LETTERS = Counter("nestwork_dead_letters_total", "Records dead-lettered by code.", ["code"])
PARKED = Counter("nestwork_parked_items_total", "Items parked by code.", ["code"])
FACTS_STORED = Counter("nestwork_facts_stored_total", "Facts stored by topic.", ["topic"])
DAYS_CLOSED = Counter("nestwork_lane_days_closed_total", "Lane closings by cycle.", ["cycle"])
BUFFERED_BYTES = Gauge("nestwork_buffered_bytes", "Bytes fetched and not yet decided.")
LAST_PROGRESS = Gauge("nestwork_last_progress_timestamp_seconds", "Time of the last committed poll or idle check.")
CENTS_IN = Counter("nestwork_cents_in_total", "Cents asked for by payroll lines that were decided.")
CENTS_POSTED = Counter("nestwork_cents_posted_total", "Cents of payroll lines accepted into the books.")
CENTS_REJECTED = Counter("nestwork_cents_rejected_total", "Cents of payroll lines refused, by code.", ["code"])

# -- read from the worker ----------------------------------------------------------------------------------------------

LANES_STOPPED = Family("nestwork_lanes_stopped", "Lanes and fact topics that stopped because a log lost records: page.")
LANES_CONFIGURED = Family("nestwork_lanes_configured", "Lanes the service has, over all its workers.")
LAG_RECORDS = Family(
    "nestwork_lag_records", "Records in the log that the lane's owner has not decided.", ("topic", "partition")
)
LAG_SECONDS = Family(
    "nestwork_lag_seconds", "Age of the first record that is not decided; 0 when none waits.", ("topic", "partition")
)
OUTBOX_OLDEST = Family(
    "nestwork_outbox_oldest_timestamp_seconds", "When the oldest unpublished outbox row was committed; 0 when none is."
)
OUTBOX_LIMIT = Family("nestwork_outbox_limit_bytes", "Unpublished bytes at which polls stop.")
BUFFER_LIMIT = Family(
    "nestwork_buffer_limit_bytes", "Fetched bytes beyond which only partitions with nothing buffered are fetched."
)
REBALANCES = Family("nestwork_rebalances_total", "Times the group gave this worker an assignment.", kind="counter")
LOOP_LAG = Family("nestwork_loop_lag_seconds", "How late the event loop woke a sleeper, at most, since last asked.")
READ = (
    LANES_STOPPED, LANES_CONFIGURED, LAG_RECORDS, LAG_SECONDS, OUTBOX_OLDEST, OUTBOX_LIMIT, BUFFER_LIMIT, REBALANCES,
    LOOP_LAG,
)  # fmt: skip

# -- snapshots of every service's books --------------------------------------------------------------------------------

SNAPSHOT_AT = Family(
    "nestwork_snapshot_timestamp_seconds", "When the service's books were last asked for these gauges."
)
SNAPSHOT_SECONDS = Family("nestwork_snapshot_seconds", "How long that took.")
SUSPENSE_CENTS = Family(
    "nestwork_suspense_cents", "Cents that came in and neither trade nor were refused, by what they wait for.",
    ("reason",),
)  # fmt: skip
SUSPENSE_ITEMS = Family("nestwork_suspense_items", "Lines, requests or runs in suspense by reason.", ("reason",))
SUSPENSE_OLDEST = Family(
    "nestwork_suspense_oldest_timestamp_seconds", "When the oldest of them was appended, by reason.", ("reason",)
)
LETTERS_WAITING = Family("nestwork_dead_letters_waiting", "Dead letters never sent again, by code.", ("code",))
LETTERS_CENTS = Family("nestwork_dead_letters_cents", "Cents they name, where they can be read, by code.", ("code",))
LETTERS_OLDEST = Family(
    "nestwork_dead_letters_oldest_timestamp_seconds", "When the oldest of them came, by code.", ("code",)
)
CLOSING_SINCE = Family(
    "nestwork_closing_oldest_timestamp_seconds",
    "When the first lane met the end of the oldest date that not all lanes have closed, by cycle; 0 when none is open.",
    ("cycle",),
)
LAST_CLOSED = Family(
    "nestwork_last_closed_date_seconds", "The last business date that all lanes have closed (its midnight, UTC).",
    ("cycle",),
)  # fmt: skip
DAY_CENTS = Family(
    "nestwork_day_cents", "The control totals of the last date that all lanes have closed, by what they count.",
    ("total",),
)  # fmt: skip

# -- snapshots of one service's books ----------------------------------------------------------------------------------

UNTRADED_OLDEST = Family(
    "nestwork_untraded_oldest_timestamp_seconds",
    "When the first line of the oldest date with accepted money that is not released was appended.",
)
FUNDING_AGE = Family(
    "nestwork_payroll_funding_age_business_days",
    "Business days from the date of the oldest payroll run that lacks cash to the last cut.",
)
RUNS_WAITING = Family("nestwork_runs_waiting", "Payroll runs that could not trade at the last cut, by code.", ("code",))
RUNS_SHORT_CENTS = Family("nestwork_runs_short_cents", "Cash that payroll runs lacked at the last cut.")
DEPOSITS_OVERDUE = Family(
    "nestwork_deposits_overdue_cents",
    "Cash that runs lacked at the last cut although it was due: the seventh federal business day after the pay date.",
)
ORDERS_OPEN = Family("nestwork_orders_open", "Orders without a final answer, by state.", ("state",))
ORDERS_CENTS = Family("nestwork_orders_open_cents", "Dollars of those orders, in cents, by state.", ("state",))
ORDERS_OLDEST = Family(
    "nestwork_orders_open_oldest_timestamp_seconds", "When the oldest was built, by state.", ("state",)
)
BREAKS = Family(
    "nestwork_breaks_open", "Confirmations that are not believed and not yet corrected, by code.", ("code",)
)
BREAKS_CENTS = Family("nestwork_breaks_cents", "Dollars of the orders they answer, in cents, by code.", ("code",))
BREAKS_OLDEST = Family("nestwork_breaks_oldest_timestamp_seconds", "When the oldest of them came, by code.", ("code",))
REVERSALS_WAITING = Family(
    "nestwork_reversals_waiting_cents", "Cents of reversed lines whose buy has no accepted fill yet, in cents."
)
REVERSALS_OLDEST = Family(
    "nestwork_reversals_oldest_timestamp_seconds", "When the oldest of them was instructed; 0 when none waits."
)
CUTOFF_DUE = Family(
    "nestwork_cutoff_due_timestamp_seconds",
    "Market mode: the cut-off instant of the first date that is not cut; 0 when days are closed by command.",
)
UNVALUED_OLDEST = Family(
    "nestwork_unvalued_oldest_timestamp_seconds", "When the oldest date was cut that has no value cut; 0 when none."
)
CONSERVATION_BREAKS = Family(
    "nestwork_conservation_breaks", "Equations of the last proof that did not hold: must be 0, page."
)
CONSERVATION_ERROR = Family(
    "nestwork_conservation_error_cents", "Cents by which those equations miss, added up: must be 0."
)
CONSERVATION_UNITS = Family(
    "nestwork_conservation_error_units", "Share units by which those equations miss, added up: must be 0."
)
LAST_PROOF = Family("nestwork_last_proof_timestamp_seconds", "When the last date was proven.")
UNPROVEN_DATES = Family("nestwork_unproven_dates", "Closed dates whose proof did not hold and are not published.")

SNAPSHOTS = (
    SNAPSHOT_AT, SNAPSHOT_SECONDS, SUSPENSE_CENTS, SUSPENSE_ITEMS, SUSPENSE_OLDEST, LETTERS_WAITING, LETTERS_CENTS,
    LETTERS_OLDEST, CLOSING_SINCE, LAST_CLOSED, DAY_CENTS, UNTRADED_OLDEST, FUNDING_AGE, RUNS_WAITING, RUNS_SHORT_CENTS,
    DEPOSITS_OVERDUE, ORDERS_OPEN, ORDERS_CENTS, ORDERS_OLDEST, BREAKS, BREAKS_CENTS, BREAKS_OLDEST,
    REVERSALS_WAITING, REVERSALS_OLDEST, CUTOFF_DUE, UNVALUED_OLDEST,
    CONSERVATION_BREAKS, CONSERVATION_ERROR, CONSERVATION_UNITS, LAST_PROOF, UNPROVEN_DATES,
)  # fmt: skip

# -- the outside watcher's ---------------------------------------------------------------------------------------------

WATCHED_LAG_RECORDS = Family(
    "nestwork_watched_lag_records", "Records after the stored position of a lane, seen from outside.",
    ("service", "topic", "partition"),
)  # fmt: skip
WATCHED_LAG_SECONDS = Family(
    "nestwork_watched_lag_seconds", "Age of the first record after the stored position, seen from outside.",
    ("service", "topic", "partition"),
)  # fmt: skip
WATCHED_AT = Family(
    "nestwork_watched_timestamp_seconds", "When the watcher last saw a service's positions and logs.", ("service",)
)
WATCHED = (WATCHED_LAG_RECORDS, WATCHED_LAG_SECONDS, WATCHED_AT)

FAMILIES = (*READ, *SNAPSHOTS, *WATCHED)

LATE_AFTER_SECONDS = 5.0
POLL_RESULTS = ("committed", "rolled_back", "database_trouble")

# A rate sees the first event only if the series was there before it.
for _code in CODES:
    DEAD_LETTERS.labels(code=_code)
for _result in POLL_RESULTS:
    POLLS.labels(result=_result)
for _granted in ("granted", "refused"):
    CLAIMS.labels(result=_granted)
