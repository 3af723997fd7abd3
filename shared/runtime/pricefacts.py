"""Price facts of one version: the first counts, a repeat vanishes, and a different one is refused and shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from shared.runtime.facts import FactRecord
from shared.values.shares import Price

PriceName = tuple[str, date, int]
"""Fund, price date, version."""
PRICE_CONFLICT = "PRICE_CONFLICT"


def price_name(fact: FactRecord) -> PriceName:
    """What makes a price one statement."""
    return fact.body.fund_id, fact.body.price_date, fact.body.version


def sort_out_prices(
    facts: Iterable[FactRecord], known: Mapping[PriceName, tuple[str, str]]
) -> tuple[list[FactRecord], list[tuple[FactRecord, str]]]:
    """What is new of ``facts``, and what contradicts an earlier statement, with its code.

    ``known`` has (status, price) of the stored ones. 10.0 and 10.00 are the same price.
    """
    said = {name: (status, Price.parse(price)) for name, (status, price) in known.items()}
    fresh, refused = [], []
    for fact in facts:
        name, says = price_name(fact), (fact.body.status, Price.parse(fact.body.price))
        if name not in said:
            said[name] = says
            fresh.append(fact)
        elif said[name] != says:
            refused.append((fact, PRICE_CONFLICT))
    return fresh, refused
