"""What the cluster said so far, sorted for comparison. Pure: the feed puts events in, the day's state is read out.

The wire is at least once, so everything is kept by its own id and repeats change nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

MISMATCH_CODE = "IDEMPOTENCY_MISMATCH"


@dataclass(frozen=True, slots=True)
class Answer:
    """One receipt, and the business day on which the runner got it."""

    day: date
    body: Mapping[str, Any]

    @property
    def is_held(self) -> bool:
        """True while the line is undecided."""
        return bool(self.body["status"] == "held")

    @property
    def is_duplicate(self) -> bool:
        """True for the answer to a resend."""
        return bool(self.body["status"] == "duplicate")

    @property
    def is_mismatch(self) -> bool:
        """True for the answer to another body under a used id."""
        return any(code["code"] == MISMATCH_CODE for code in self.body.get("codes", ()))

    @property
    def is_final(self) -> bool:
        """True for the one decision about the line."""
        return not (self.is_held or self.is_duplicate or self.is_mismatch)


RequestId = tuple[str, str]
"""(ce_source, ce_id) of what was asked."""


@dataclass
class Observed:
    """Everything read from the cluster's topics."""

    day: date = date.min
    answers_by_request: defaultdict[RequestId, dict[str, Answer]] = field(default_factory=lambda: defaultdict(dict))
    order_by_id: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    confirmation_by_order: dict[str, tuple[int, str]] = field(default_factory=dict)
    closed_by_day: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    days_cut: set[str] = field(default_factory=set)
    dead_letters: dict[tuple[str, int, int], tuple[str, date, str]] = field(default_factory=dict)

    def add_receipt(self, ce_id: str, body: Mapping[str, Any]) -> None:
        """Keep an answer to a payroll line, under the day it came on."""
        request = body["request"]
        self.answers_by_request[request["source"], request["id"]].setdefault(ce_id, Answer(self.day, body))

    def add_order(self, body: Mapping[str, Any]) -> None:
        """Keep an order."""
        self.order_by_id.setdefault(body["order_id"], body)

    def add_confirmation(self, body: Mapping[str, Any]) -> None:
        """Keep the newest version of what the custodian said about an order."""
        newest = max(self.confirmation_by_order.get(body["order_id"], (0, "")), (body["version"], body["status"]))
        self.confirmation_by_order[body["order_id"]] = newest

    def add_dead_letter(self, place: tuple[str, int, int], key: str, reason: str) -> None:
        """Keep a dead letter by its place in the log."""
        self.dead_letters.setdefault(place, (key, self.day, reason))

    def answers(self, request: RequestId) -> list[Answer]:
        """All answers to a request, in the order they came."""
        return list(self.answers_by_request[request].values()) if request in self.answers_by_request else []

    def final(self, request: RequestId) -> Answer | None:
        """The decision about a line, if there is one yet."""
        return next((answer for answer in self.answers(request) if answer.is_final), None)

    def orders_in_the_air(self) -> list[str]:
        """Orders whose last word is `pending`."""
        return sorted(order for order, (_, status) in self.confirmation_by_order.items() if status == "pending")
