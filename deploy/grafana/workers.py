"""The screens of the people who answer for the machines: trouble (SRE), room to grow (capacity), a load test."""

from __future__ import annotations

from deploy.grafana.panels import RATE_WINDOW as W
from deploy.grafana.panels import Dashboard, Panel, Row


def _by(labels: str, query: str) -> dict[str, str]:
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in labels.split(","))
    return {legend: f"sum by ({labels}) ({query})"}


def _p99(histogram: str, at: str = "0.99") -> dict[str, str]:
    return {"{{service}}": f"histogram_quantile({at}, sum by (service, le) (rate({histogram}_bucket[{W}])))"}


UP = Panel("Workers that answer", "By service.",
           {"{{service}}": "count by (service) (nestwork_lanes_owned)",
            "targets down": "sum(up == bool 0)"})  # fmt: skip
READ = Panel("Records decided", "Per second.", _by("service, topic", f"rate(nestwork_records_read_total[{W}])"), "ops")
AGE = Panel("From append to commit, p99", "The oldest record of each poll.", _p99("nestwork_stage_age_seconds"), "s")
POLL = Panel("Poll transaction, p99", "", _p99("nestwork_poll_seconds"), "s")
LAG = Panel("Lag in records", "As the owners see it.", _by("service, topic", "nestwork_lag_records"))
LAG_SECONDS = Panel("Lag in seconds", "Age of the first undecided record.",
                    {"{{service}} {{topic}}": "max by (service, topic) (nestwork_lag_seconds)"}, "s")  # fmt: skip
WATCHED = Panel("Lag seen from outside", "Also when the worker is dead: records and seconds.",
                {"{{service}} records": "sum by (service) (nestwork_watched_lag_records)",
                 "{{service}} seconds": "max by (service) (nestwork_watched_lag_seconds)"})  # fmt: skip
ERRORS = Panel("What went wrong", "Per second.",
               {"dead letters {{service}}": f"sum by (service) (rate(nestwork_dead_letters_total[{W}]))",
                "parked": f"sum(rate(nestwork_parked_items_total[{W}])) or vector(0)",
                "repeats dropped": f"sum(rate(nestwork_records_repeated_total[{W}])) or vector(0)",
                "relay restarts": f"sum(rate(nestwork_relay_restarts_total[{W}]))"})  # fmt: skip
OUTCOMES = Panel("Public records by outcome", "Per second.",
                 _by("outcome", f"rate(nestwork_record_outcomes_total[{W}])"), "ops")  # fmt: skip
PUBLISHED = Panel("Records published", "Per second.", _by("service", f"rate(nestwork_records_published_total[{W}])"),
                  "ops")  # fmt: skip
BUDGET = Panel("Payroll lines decided later than 5 s", "Part of all; the objective allows 0.1 %.",
               {"last hour": "receipts:nestwork_records_late:ratio_rate1h or vector(0)",
                "last three days": "receipts:nestwork_records_late:ratio_rate3d or vector(0)"},
               "percentunit")  # fmt: skip
LANES = Panel("Lanes", "Owned, configured, stopped.",
              {"{{service}} owned": "sum by (service) (nestwork_lanes_owned)",
               "{{service}} configured": "max by (service) (nestwork_lanes_configured)",
               "{{service}} stopped": "sum by (service) (nestwork_lanes_stopped)"})  # fmt: skip
OWNERS = Panel("Lanes that change hands", "In five minutes.",
               {"{{service}} rebalances": "sum by (service) (increase(nestwork_rebalances_total[5m]))",
                "{{service}} fenced": "sum by (service) (increase(nestwork_fenced_total[5m]))",
                "{{service}} claims {{result}}": "sum by (service, result) (increase(nestwork_claims_total[5m]))"}
               )  # fmt: skip
OUTBOX_AGE = Panel("Oldest unpublished row", "Age.",
                   {"{{service}}": "max by (service) ((time() - nestwork_outbox_oldest_timestamp_seconds) * "
                    "(nestwork_outbox_oldest_timestamp_seconds > bool 0))"}, "s")  # fmt: skip
WATCHERS = Panel("How fresh what we see is", "Snapshots of the books, the watcher's look, the last progress.",
                 {"{{service}} books": "time() - max by (service) (nestwork_snapshot_timestamp_seconds)",
                  "{{service}} outside": "time() - max by (service) (nestwork_watched_timestamp_seconds)",
                  "{{service}} progress": "time() - min by (service) (nestwork_last_progress_timestamp_seconds)"},
                 "s")  # fmt: skip
DAYS = Panel("Lanes that closed a date", "In five minutes; and the last date all closed.",
             {"{{service}} {{cycle}}": "sum by (service, cycle) (increase(nestwork_lane_days_closed_total[5m])) or "
              "sum by (service, cycle) (nestwork_last_closed_date_seconds * 0)"})  # fmt: skip
FACTS = Panel("Facts stored", "Per second.", _by("service", f"rate(nestwork_facts_stored_total[{W}])"), "ops")
POLLS_FAILED = Panel("Polls rolled back", "Part of all.",
                     {"{{service}}": "service:nestwork_polls_failed:ratio_rate5m"}, "percentunit")  # fmt: skip
BUSY = Panel("Time spent in polls", "Part of a worker's time; near 1 more workers are needed.",
             {"{{service}}": f"avg by (service) (rate(nestwork_poll_seconds_sum[{W}]))"}, "percentunit")  # fmt: skip
CPU = Panel("CPU", "Cores, by service.", _by("service", f"rate(process_cpu_seconds_total[{W}])"))
MEMORY = Panel("Memory", "Resident, by service.", _by("service", "process_resident_memory_bytes"), "bytes")
BATCH = Panel("Records in a poll", "Mean: small polls mean room, large ones that records come faster than polls.",
              {"{{service}}": f"sum by (service) (rate(nestwork_poll_records_sum[{W}])) / "
               f"sum by (service) (rate(nestwork_poll_records_count[{W}]) > 0) or "
               "sum by (service) (nestwork_poll_records_count * 0)"})  # fmt: skip
BUFFERS = Panel("Buffers", "Part of what may be held: fetched, and decided but unpublished.",
                {"{{service}} fetched": "max by (service) (nestwork_buffered_bytes / nestwork_buffer_limit_bytes)",
                 "{{service}} unpublished": "max by (service) (nestwork_outbox_waiting_bytes / "
                 "nestwork_outbox_limit_bytes)"}, "percentunit")  # fmt: skip
LOOP = Panel("Event loop late by", "At most.", {"{{service}}": "max by (service) (nestwork_loop_lag_seconds)"}, "s")
SNAPSHOT = Panel("Cost of asking the books", "Seconds a snapshot takes.",
                 {"{{service}}": "max by (service) (nestwork_snapshot_seconds)"}, "s")  # fmt: skip
LATE = Panel("Late payroll lines", "Per second: decided more than 5 s after their append.",
             {"late": f"sum(rate(nestwork_records_late_total[{W}]))"}, "ops")  # fmt: skip
LETTERS_BY_CODE = Panel("Dead letters by code", "Since the workers started.",
                        {"{{code}}": "sum by (code) (nestwork_dead_letters_total) > 0 or "
                         "sum(nestwork_dead_letters_total)"})  # fmt: skip

DOORS = Panel("Payroll files and console: requests", "Per second, by what became of them.",
              _by("service, outcome", f"rate(nestwork_http_requests_total[{W}])"), "ops")  # fmt: skip
DOOR_SECONDS = Panel("Payroll files and console: time to answer", "Mean.",
                     {"{{service}}": f"sum by (service) (rate(nestwork_http_request_seconds_sum[{W}])) / "
                      f"sum by (service) (rate(nestwork_http_request_seconds_count[{W}]) > 0) or "
                      "sum by (service) (nestwork_http_request_seconds_count * 0)"}, "s")  # fmt: skip
FILES = Panel("Payroll files that wait", "Kept and not answered to the last line; the age of the oldest in minutes.",
              {"files": "sum(nestwork_payroll_files_waiting)",
               "oldest, minutes": "max((time() - nestwork_payroll_files_oldest_timestamp_seconds) * "
               "(nestwork_payroll_files_oldest_timestamp_seconds > bool 0)) / 60"})  # fmt: skip
FILE_LINES = Panel("Lines of payroll files", "Of files that are done, by receipt.",
                   _by("outcome", f"rate(nestwork_payroll_file_lines_total[{W}])"), "ops")  # fmt: skip
ACTIONS = Panel("Operators' actions", "In an hour, by what became of them.",
                {"{{state}}": "sum by (state) (increase(nestwork_console_actions_total[1h]))"})  # fmt: skip

SRE = Dashboard("sre", "Nestwork: services", "What runs, what waits, what fails.", (
    Row("Alive", (UP, LANES, OWNERS, WATCHERS)),
    Row("Rate, errors, duration", (READ, OUTCOMES, AGE, POLL, ERRORS, LETTERS_BY_CODE, BUDGET, POLLS_FAILED)),
    Row("Waiting", (LAG, LAG_SECONDS, WATCHED, OUTBOX_AGE)),
    Row("Days and facts", (DAYS, FACTS)),
    Row("Doors", (DOORS, DOOR_SECONDS, FILES, FILE_LINES, ACTIONS)),
))  # fmt: skip
CAPACITY = Dashboard("capacity", "Nestwork: capacity", "How much room is left, and where it ends first.", (
    Row("How busy", (BUSY, CPU, MEMORY, BATCH)),
    Row("How full", (BUFFERS, LAG, LOOP, SNAPSHOT)),
    Row("How fast", (READ, PUBLISHED)),
))  # fmt: skip
LOAD = Dashboard("load", "Nestwork: load test", "What a load test does to the engine.", (
    Row("Throughput", (READ, PUBLISHED)),
    Row("Delay", (AGE, POLL, LATE, LAG_SECONDS)),
    Row("Backlog", (LAG, OUTBOX_AGE, BUFFERS, BATCH)),
    Row("Cost", (CPU, MEMORY, BUSY, LOOP)),
))  # fmt: skip
