"""One event on its way out, and the few events every tool sends. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

import orjson

from shared.events.envelope import Headers
from shared.events.market import CloseRequested, PriceFact, ValueRequested
from shared.events.payroll import PayrollFunded


class Outgoing(NamedTuple):
    """An event to publish. The last two fields are for senders that do it wrong on purpose."""

    key: str
    value: bytes
    ce_type: str
    ce_id: str
    ce_source: str
    headers: Headers | None = None
    """Sent as they are, instead of those that follow from the fields above."""
    lanes_astray: int = 0
    """How many partitions beside its own the event is sent to."""


def event(key: str, ce_type: str, ce_id: str, ce_source: str, **body: Any) -> Outgoing:
    """An event with ``body``; fields that are None are left out."""
    told = {name: value for name, value in body.items() if value is not None}
    return Outgoing(key, orjson.dumps(told), ce_type, ce_id, ce_source)


def close_request(day: date, ce_source: str) -> Outgoing:
    """The operator's request to close a date."""
    return event(str(day), CloseRequested.ce_type, f"close:{day}", ce_source, trade_date=str(day))


def value_request(day: date, ce_source: str) -> Outgoing:
    """The operator's request to value a closed date."""
    return event(str(day), ValueRequested.ce_type, f"value:{day}", ce_source, trade_date=str(day))


def final_prices(day: date, price_by_fund: Mapping[str, str], ce_source: str) -> Iterator[Outgoing]:
    """The final price of each fund on one date, dollars per share as decimal text."""
    for fund, price in price_by_fund.items():
        place = f"{fund}:{day}"
        yield event(
            place, PriceFact.ce_type, place, ce_source, fund_id=fund, price_date=str(day), price=price,
            status="final", version=1,
        )  # fmt: skip


def fundings(day: date, cents_by_run: Mapping[tuple[str, str], int], ce_source: str) -> Iterator[Outgoing]:
    """The cash of payroll runs, named by (plan, run); runs that are owed nothing get none."""
    for (plan, run), cents in cents_by_run.items():
        reference = f"{run}:cash:{day}"
        if cents:
            yield event(
                run, PayrollFunded.ce_type, reference, ce_source, payroll_id=run, plan_id=plan, cents=cents,
                reference=reference, received_on=str(day),
            )  # fmt: skip
