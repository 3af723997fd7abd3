"""The screen of the people who answer for the money: is it safe, is it on time, what waits for whom?"""

from __future__ import annotations

from deploy.grafana.panels import RATE_WINDOW as W
from deploy.grafana.panels import Dashboard, Panel, Row

DOLLARS = "currencyUSD"


def _stat(title: str, text: str, query: str, unit: str = "short", bad_above: float | None = 1) -> Panel:
    return Panel(title, text, {title: query}, unit, "stat", bad_above, 4)


def _age(oldest: str, by: str = "") -> str:
    """Seconds since the oldest; 0 when nothing waits."""
    return f"max{by} ((time() - {oldest}) * ({oldest} > bool 0))"


SAFE = Row(
    "Is the money safe?",
    (
        _stat("Equations that do not hold", "Of the last proof. Above 0 somebody is paged.",
              "sum(nestwork_conservation_breaks)"),
        _stat("Conservation error", "By how much they miss.", "sum(nestwork_conservation_error_cents) / 100", DOLLARS,
              0.01),
        _stat("Error in share units", "By how much those in shares miss.", "sum(nestwork_conservation_error_units)"),
        _stat("Custodian breaks", "Confirmations that are not believed.", "sum(nestwork_breaks_open)"),
        _stat("Parked", "Lines and requests our code failed on.",
              'sum(nestwork_suspense_items{reason="PARKED"})'),
        _stat("Dates never proven", "Closed, and not published.", "sum(nestwork_unproven_dates)"),
    ),
)  # fmt: skip
TIMELY = Row(
    "Is it on time?",
    (
        _stat("Oldest money not traded", "From its arrival.", _age("nestwork_untraded_oldest_timestamp_seconds"), "s",
              432_000),
        _stat("Payroll without cash", "Business days since the date of the oldest such run.",
              "max(nestwork_payroll_funding_age_business_days)", "d", 3),
        _stat("Orders without an answer", "At the custodian.",
              'sum(nestwork_orders_open{state=~"open|pending"})', bad_above=None),
        _stat("Date being closed for", "Since its first lane met the end.",
              _age("nestwork_closing_oldest_timestamp_seconds"), "s", 900),
        _stat("Cut and not valued for", "The oldest such date.", _age("nestwork_unvalued_oldest_timestamp_seconds"),
              "s", 21_600),
        _stat("Last proof", "Ago.", "time() - max(nestwork_last_proof_timestamp_seconds)", "s", None),
    ),
)  # fmt: skip
FLOW = Row(
    "Where is it?",
    (
        Panel("Cents in, booked, refused", "Dollars a second, as decided.",
              {"asked for": f"sum(rate(nestwork_cents_in_total[{W}])) / 100",
               "booked": f"sum(rate(nestwork_cents_posted_total[{W}])) / 100",
               "refused": f"sum(rate(nestwork_cents_rejected_total[{W}])) / 100"}, DOLLARS),
        Panel("In suspense, by what it waits for", "Money that came in and neither trades nor was refused.",
              {"{{reason}}": "sum by (reason) (nestwork_suspense_cents) / 100"}, DOLLARS),
        Panel("The last closed date, stage by stage", "Control totals: what left one stage entered the next.",
              {"{{service}} {{total}}": 'sum by (service, total) (nestwork_day_cents{total=~"credited|released|cents|'
               'ordered_cents|posted_cents"}) / 100'}, DOLLARS),
        Panel("Age of what is in suspense", "The oldest of each reason.",
              {"{{reason}}": _age("nestwork_suspense_oldest_timestamp_seconds", " by (reason)")}, "s"),
        Panel("Orders without a final answer", "By state.", {"{{state}}": "sum by (state) (nestwork_orders_open)"}),
        Panel("Dollars of those orders", "By state.",
              {"{{state}}": "sum by (state) (nestwork_orders_open_cents) / 100"}, DOLLARS),
    ),
)  # fmt: skip
TROUBLE = Row(
    "What waits for somebody?",
    (
        Panel("Runs that could not trade at the last cut", "Why.",
              {"{{code}}": "sum by (code) (nestwork_runs_waiting)",
               "dollars they lack": "sum(nestwork_runs_short_cents) / 100",
               "of them overdue": "sum(nestwork_deposits_overdue_cents) / 100"}),
        Panel("Breaks", "By code, and their dollars.",
              {"{{code}}": "sum by (code) (nestwork_breaks_open)",
               "dollars": "sum(nestwork_breaks_cents) / 100",
               "dollars of reversals whose buy is in flight": "sum(nestwork_reversals_waiting_cents) / 100"}),
        Panel("Refused, by code", "Dollars a second.",
              {"{{code}}": f"sum by (code) (rate(nestwork_cents_rejected_total[{W}])) / 100 > 0 or "
               f"sum(rate(nestwork_cents_rejected_total[{W}])) / 100"}, DOLLARS),
        Panel("Dead letters never sent again", "By code, and dollars at stake.",
              {"{{code}}": "sum by (code) (nestwork_dead_letters_waiting) or vector(0)",
               "dollars": "sum(nestwork_dead_letters_cents) / 100 or vector(0)"}),
        Panel("Age of the oldest break and dead letter", "",
              {"break": _age("nestwork_breaks_oldest_timestamp_seconds"),
               "reversal": _age("nestwork_reversals_oldest_timestamp_seconds"),
               "dead letter": _age("nestwork_dead_letters_oldest_timestamp_seconds") + " or vector(0)"}, "s"),
        Panel("Seconds to the cut-off", "In market mode; 0 when days are closed by command.",
              {"left": "max((nestwork_cutoff_due_timestamp_seconds - time()) * "
               "(nestwork_cutoff_due_timestamp_seconds > bool 0))"}, "s"),
    ),
)  # fmt: skip

MONEY = Dashboard(
    "money", "Nestwork: money operations", "Is the money safe, is it on time, what waits for whom.",
    (SAFE, TIMELY, FLOW, TROUBLE),
)  # fmt: skip
