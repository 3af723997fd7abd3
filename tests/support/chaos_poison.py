"""Payroll lines that break the contract: each kind with the code of its dead letter, and of the answer to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from tests.support.events import Outgoing

POISON_SOURCE = "/tests/poison"
LETTER, ANSWER = "expected", "answer"
"""Headers that tell the judge which dead letter and which answer a record was made for."""
UNKNOWN_FUND = "F9"


@dataclass(frozen=True)
class Poison:
    """What is done to a good line, and what must come of it."""

    spoil: Callable[[Outgoing], Outgoing]
    letter: str | None
    """The reason of its dead letter; ``None`` = it is read and refused."""
    answer: str | None
    """The code of the answer; ``None`` = nobody knows whom to answer."""


def _negative(line: Outgoing) -> Outgoing:
    amounts = orjson.loads(line.value or b"")["amounts"]
    return line.but(body={"amounts": [*amounts[1:], amounts[0] | {"cents": -1 - amounts[0]["cents"]}]})


def _too_many_sources(line: Outgoing) -> Outgoing:
    return line.but(body={"amounts": [{"source": f"S{number}", "cents": 1} for number in range(65)]})


POISON: dict[str, Poison] = {
    "not JSON": Poison(lambda line: line.but(value=b"{"), "NOT_JSON", "MALFORMED"),
    "a tombstone": Poison(lambda line: line.but(value=None), "NOT_JSON", "MALFORMED"),
    "another shape": Poison(lambda line: line.but(body={"amounts": "all of it"}), "WRONG_SHAPE", "MALFORMED"),
    "more amounts than sources": Poison(_too_many_sources, "TOO_MANY_SOURCES", "TOO_MANY_SOURCES"),
    "an unknown type": Poison(
        lambda line: line.with_header("ce_type", b"nestwork.rumour.v1"), "UNKNOWN_EVENT_TYPE", "UNKNOWN_EVENT_TYPE"
    ),
    "a newer version": Poison(
        lambda line: line.with_header("ce_type", b"nestwork.payroll.contribution.v9"), "NEWER_VERSION", "NEWER_VERSION"
    ),
    "no id": Poison(lambda line: line.without_header("ce_id"), "MISSING_HEADERS", None),
    "a key of 200 bytes": Poison(lambda line: line.but(key=b"K" * 200), "PARTICIPANT_KEY_TOO_LONG", "MALFORMED"),
    "somebody else's key": Poison(lambda line: line.but(body={"participant_id": "P9999"}), None, "KEY_MISMATCH"),
    "a negative amount": Poison(_negative, None, "INVALID_AMOUNT"),
}


def poisoned(kind: str, line: Outgoing, ce_id: str) -> Outgoing:
    """A good line made bad, from a source of its own, with what the judge needs to know about it."""
    poison = POISON[kind]
    record = line.with_header("ce_source", POISON_SOURCE.encode()).with_header("ce_id", ce_id.encode())
    record = poison.spoil(record)
    for name, code in ((LETTER, poison.letter), (ANSWER, poison.answer)):
        record = record.with_header(name, code.encode()) if code else record
    return record
