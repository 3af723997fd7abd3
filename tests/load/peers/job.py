"""The job, once for all Python peers and for the checkers: parse a line, cut at the limit, split over four funds.

Money is whole cents. The data (limit, sources, elections) is data/job.json; java/peers/Job.java says the same in Java.
"""

from __future__ import annotations

import datetime
import pathlib
from typing import Any, NamedTuple

import orjson

_DATA = orjson.loads((pathlib.Path(__file__).parent / "data" / "job.json").read_bytes())
LIMITS: dict[int, int] = {int(year): cents for year, cents in _DATA["elective_limit_cents"].items()}
SOURCES: dict[str, bool] = _DATA["sources"]
"""Whether money of a source counts against the elective limit."""
ELECTIONS: list[list[tuple[str, int]]] = [[(fund, weight) for fund, weight in row] for row in _DATA["elections"]]
FUNDS = [fund for fund, _ in ELECTIONS[0]]

INPUT, OUTPUT, REJECTS = "payroll.contributions", "allocations.instructed", "payroll.rejects"
DEBIT = "contributions_receivable"
ALLOCATED, REJECTED = "allocation.instructed.v1", "payroll.contribution.rejected.v1"
dumps = orjson.dumps


class Invalid(Exception):
    """Not a contribution; the argument is the code for the rejects topic."""


class Contribution(NamedTuple):
    contribution_id: str
    plan_id: str
    participant_id: str
    payroll_id: str
    pay_date: str
    year: int
    compensation_cents: int
    amounts: list[tuple[str, int]]


class Decision(NamedTuple):
    """``accepted`` leaves out sources that got nothing; ``elective_cents`` is what the year's total grows by."""

    accepted: list[tuple[str, int]]
    accepted_cents: int
    elective_cents: int
    excess_cents: int


def parse(value: bytes | None) -> Contribution:
    """Read a line. Raises ``Invalid``: booleans, fractions and text are not cents."""
    try:
        body = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        raise Invalid("not_json") from None
    if type(body) is not dict:
        raise Invalid("not_object")
    texts = [_text(body, name) for name in ("contribution_id", "plan_id", "participant_id", "payroll_id", "pay_date")]
    participant, pay_date = texts[2], texts[4]
    if participant[0] != "P" or not participant[1:].isdigit():
        raise Invalid("bad_participant_id")
    year = _year(pay_date)
    pay = body.get("compensation_cents")
    if type(pay) is not int or pay < 0:
        raise Invalid("bad_compensation")
    given = body.get("amounts")
    if type(given) is not list or not given:
        raise Invalid("no_amounts")
    return Contribution(*texts, year, pay, [_amount(one) for one in given])


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if type(value) is not str or not value:
        raise Invalid("missing_" + name)
    return value


def _year(pay_date: str) -> int:
    try:
        year = datetime.date.fromisoformat(pay_date).year
    except ValueError:
        raise Invalid("bad_pay_date") from None
    if year not in LIMITS:
        raise Invalid("no_limit_for_year")
    return year


def _amount(given: object) -> tuple[str, int]:
    if type(given) is not dict:
        raise Invalid("bad_amount")
    source, cents = given.get("source"), given.get("cents")
    if type(source) is not str or source not in SOURCES:
        raise Invalid("unknown_source")
    if type(cents) is not int:
        raise Invalid("cents_not_integer")
    if cents < 0:
        raise Invalid("cents_negative")
    return source, cents


def decide(line: Contribution, year_to_date: int) -> Decision:
    """Accept what the year's elective limit leaves room for, source by source in the order of the line."""
    room = max(0, LIMITS[line.year] - year_to_date)
    accepted, total, elective, excess = [], 0, 0, 0
    for source, cents in line.amounts:
        take = cents
        if SOURCES[source]:
            take = min(cents, room)
            room, elective, excess = room - take, elective + take, excess + cents - take
        if take:
            accepted.append((source, take))
            total += take
    return Decision(accepted, total, elective, excess)


def split(cents: int, election: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Largest remainder; ties go to the fund that stands first."""
    parts = [divmod(cents * weight, 100) for _, weight in election]
    missing = cents - sum(whole for whole, _ in parts)
    first = sorted(range(len(parts)), key=lambda place: (-parts[place][1], place))[:missing]
    found = [
        (fund, whole + (place in first))
        for place, ((fund, _), (whole, _)) in enumerate(zip(election, parts, strict=True))
    ]
    return [(fund, part) for fund, part in found if part]


def election_of(participant_id: str) -> list[tuple[str, int]]:
    """A participant's funds with their percents."""
    return ELECTIONS[int(participant_id[1:]) % len(ELECTIONS)]


def allocated(line: Contribution, decision: Decision) -> list[dict[str, Any]]:
    """The legs of a line."""
    election = election_of(line.participant_id)
    return [
        {"source": source, "fund": fund, "cents": part}
        for source, cents in decision.accepted
        for fund, part in split(cents, election)
    ]


def instruction(line: Contribution, decision: Decision) -> dict[str, Any]:
    """The output message of a line."""
    return {
        "contribution_id": line.contribution_id, "participant_id": line.participant_id, "plan_id": line.plan_id,
        "pay_date": line.pay_date, "accepted_cents": decision.accepted_cents, "excess_cents": decision.excess_cents,
        "lines": allocated(line, decision),
    }  # fmt: skip


def postings(line: Contribution, decision: Decision) -> list[tuple[str, str, str, str, str, int]]:
    """A debit and a credit for each accepted source: contribution, participant, source, account, side, cents."""
    made = []
    for source, cents in decision.accepted:
        made.append((line.contribution_id, line.participant_id, source, DEBIT, "D", cents))
        made.append((line.contribution_id, line.participant_id, source, f"participant:{source}", "C", cents))
    return made


def reject(reason: str, partition: int, offset: int) -> dict[str, Any]:
    """The message on the rejects topic."""
    return {"reason": reason, "partition": partition, "offset": offset}


def headers(ce_id: str, ce_type: str) -> list[tuple[str, bytes]]:
    """CloudEvents headers of an output."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
    return [("ce_id", ce_id.encode()), ("ce_source", b"/peers/allocation"), ("ce_type", ce_type.encode()),
            ("ce_specversion", b"1.0"), ("ce_time", now.encode())]  # fmt: skip
