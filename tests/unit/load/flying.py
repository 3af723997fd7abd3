"""Runs as they could have been: flights with made-up moments."""

from __future__ import annotations

import msgspec
import numpy as np

from deploy.load.flight import Flight
from deploy.load.people import LOAD_SOURCE, Crowd
from deploy.load.profiles import Seconds

BEGAN = 1_000_000.0


def a_flight(intended: Seconds, participants: int = 10) -> Flight:
    """All lines sent when they were due and acknowledged a millisecond later, none answered."""
    flight = Flight(Crowd("abc123", participants), intended + BEGAN)
    flight.sent[:] = flight.intended
    flight.acknowledged[:] = flight.intended + 0.001
    return flight


def answer(flight: Flight, line: int, delay: float, **changed: object) -> None:
    """The receipt of a line, right unless something is ``changed``."""
    said = {
        "request": {"source": LOAD_SOURCE, "id": f"{flight.crowd.tag}:{line}"},
        "status": "accepted",
        "accepted_cents": flight.crowd.line_cents(line),
        "rejected_cents": 0,
    } | {name: value for name, value in changed.items() if name != "receipt_id"}
    receipt_id = str(changed.get("receipt_id", f"receipt-{line}")).encode()
    now = float(flight.intended[line]) + delay
    flight.take(receipt_id, msgspec.json.encode(said), now - 0.002, now)


def answered(delays: list[float], spacing: float = 0.1) -> Flight:
    """A flight whose lines were answered after these delays (seconds)."""
    flight = a_flight(np.arange(len(delays)) * spacing)
    for line, delay in enumerate(delays):
        answer(flight, line, delay)
    return flight
