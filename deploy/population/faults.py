"""What goes wrong in payroll files, one kind at a time: how a good line is spoilt, and what must then come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from deploy.population.plans import SOURCE_OF_NO_PLAN
from deploy.wire.outgoing import Outgoing
from shared.events.envelope import CE_ID, event_headers

CLEAN = "good line"
OVER_LIMIT = "deferral above the yearly limit"


@dataclass(frozen=True, slots=True)
class Expected:
    """The one decision a line must get: cents and error codes; ``answered`` is false where nobody can be answered."""

    status: str
    accepted_cents: int
    rejected_cents: int
    codes: frozenset[str] = frozenset()
    answered: bool = True
    dead_letter: str | None = None
    """The reason under which the record must lie among the dead letters."""
    second: tuple[str, frozenset[str]] | None = None
    """Status and codes of the answer to the second sending."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One payroll line as sent, perhaps spoilt, perhaps sent twice, and what is expected of it."""

    kind: str
    plan_id: str
    payroll_id: str
    sent: Outgoing
    expected: Expected
    again: Outgoing | None = None

    @property
    def requested_cents(self) -> int:
        """What a readable line asks for."""
        return self.expected.accepted_cents + self.expected.rejected_cents


@dataclass(frozen=True, slots=True)
class Line:
    """A good line before anything happens to it."""

    outgoing: Outgoing
    body: Mapping[str, Any]
    stranger: str = field(default="")
    """Another participant's id, for a line under the wrong key."""

    @property
    def cents(self) -> int:
        """What it asks for."""
        return sum(int(amount["cents"]) for amount in self.body["amounts"])

    def carrying(self, **changes: Any) -> Outgoing:
        """The event with some fields of its body changed."""
        return self.outgoing._replace(value=orjson.dumps({**self.body, **changes}))


Fault = Callable[[Line], Submission]


def good(line: Line, kind: str = CLEAN) -> Submission:
    """A line that is accepted as it is."""
    plan_id, run = line.body["plan_id"], line.body["payroll_id"]
    return Submission(kind, plan_id, run, line.outgoing, Expected("accepted", line.cents, 0))


def over_limit(line: Line, deferral_cents: int, room_cents: int) -> Submission:
    """A line whose deferral exceeds what is left of the year's limit: what fits is taken. Law: IRC 402(g)."""
    cut = max(0, deferral_cents - room_cents)
    if not cut:
        return good(line)
    kept = line.cents - cut
    status = "partially_accepted" if kept else "rejected"
    return replace(
        good(line, OVER_LIMIT), expected=Expected(status, kept, cut, frozenset({"LIMIT_402G"}))
    )  # fmt: skip


def _rejected(line: Line, kind: str, sent: Outgoing, code: str, cents: int | None = None) -> Submission:
    asked = line.cents if cents is None else cents
    return replace(good(line, kind), sent=sent, expected=Expected("rejected", 0, asked, frozenset({code})))


def _unreadable(line: Line, kind: str, sent: Outgoing, reason: str) -> Submission:
    expected = Expected("rejected", 0, 0, frozenset({"MALFORMED"}), dead_letter=reason)
    return replace(good(line, kind), sent=sent, expected=expected)


def _one_source_too_many(line: Line, kind: str, source: str, code: str) -> Submission:
    extra = {"source": source, "cents": 5_000}
    sent = line.carrying(amounts=[*line.body["amounts"], extra])
    expected = Expected("partially_accepted", line.cents, extra["cents"], frozenset({code}))  # type: ignore[arg-type]
    return replace(good(line, kind), sent=sent, expected=expected)


def _first_amount(line: Line, cents: Any) -> list[dict[str, Any]]:
    first, *others = line.body["amounts"]
    return [{**first, "cents": cents}, *others]


def unknown_plan(line: Line) -> Submission:
    """The plan does not exist: held until the date closes, then refused."""
    return _rejected(line, "unknown plan", line.carrying(plan_id="PLAN-NOBODY-KNOWS"), "UNKNOWN_PLAN")


def unknown_participant(line: Line) -> Submission:
    """Nobody published a census for this person: held until the date closes, then refused."""
    ghost = f"{line.outgoing.key}-UNKNOWN"
    sent = line.carrying(participant_id=ghost)._replace(key=ghost)
    return _rejected(line, "unknown participant", sent, "UNKNOWN_PARTICIPANT")


def unknown_source(line: Line) -> Submission:
    """A misspelt money type cuts itself alone."""
    return _one_source_too_many(line, "unknown source", "pretax", "UNKNOWN_SOURCE")


def source_not_in_plan(line: Line) -> Submission:
    """A money type that the plan does not take cuts itself alone."""
    return _one_source_too_many(line, "source not in plan", SOURCE_OF_NO_PLAN, "SOURCE_NOT_IN_PLAN")


def negative_amount(line: Line) -> Submission:
    """Money is not taken back by a negative line."""
    first = int(line.body["amounts"][0]["cents"])
    sent = line.carrying(amounts=_first_amount(line, -first))
    return _rejected(line, "negative amount", sent, "INVALID_AMOUNT", line.cents - first)


def broken_cents(line: Line) -> Submission:
    """Dollars with a point where whole cents belong."""
    dollars = int(line.body["amounts"][0]["cents"]) / 100 + 0.005
    return _unreadable(line, "cents not whole", line.carrying(amounts=_first_amount(line, dollars)), "WRONG_SHAPE")


def not_json(line: Line) -> Submission:
    """A file that was cut off in the middle."""
    value = line.outgoing.value[: len(line.outgoing.value) // 2]
    return _unreadable(line, "not JSON", line.outgoing._replace(value=value), "NOT_JSON")


def missing_headers(line: Line) -> Submission:
    """Without an id there is nobody to answer: only a dead letter remains."""
    sent = line.outgoing
    headers = [one for one in event_headers(sent.ce_id, sent.ce_source, sent.ce_type) if one[0] != CE_ID]
    expected = Expected("", 0, 0, answered=False, dead_letter="MISSING_HEADERS")
    return replace(good(line, "missing headers"), sent=sent._replace(headers=headers), expected=expected)


def wrong_key(line: Line) -> Submission:
    """The line lies under another person's key."""
    return _rejected(line, "wrong key", line.outgoing._replace(key=line.stranger), "KEY_MISMATCH")


def resent(line: Line) -> Submission:
    """The same line twice: the second time it gets the first decision, and moves no money."""
    submission = good(line, "sent twice")
    expected = replace(submission.expected, second=("duplicate", submission.expected.codes))
    return replace(submission, again=line.outgoing, expected=expected)


def resent_changed(line: Line) -> Submission:
    """The same id with other amounts: the first stands."""
    changed = line.carrying(amounts=_first_amount(line, int(line.body["amounts"][0]["cents"]) + 100))
    submission = good(line, "sent twice, changed")
    expected = replace(submission.expected, second=("rejected", frozenset({"IDEMPOTENCY_MISMATCH"})))
    return replace(submission, again=changed, expected=expected)


def wrong_partition(line: Line) -> Submission:
    """A sender with another hash function: the engine carries the line to the right lane."""
    return replace(good(line, "wrong partition"), sent=line.outgoing._replace(lanes_astray=1))


FAULTS: tuple[Fault, ...] = (
    unknown_plan, unknown_participant, unknown_source, source_not_in_plan, negative_amount, broken_cents, not_json,
    missing_headers, wrong_key, resent, resent_changed, wrong_partition,
)  # fmt: skip
