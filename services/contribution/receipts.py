"""What this service answers: one final receipt per request, with stable ids."""

from __future__ import annotations

from typing import Any

import orjson

from services.contribution.items import LineItem
from services.contribution.rules.line import LineDecision
from services.contribution.rules.reversals import ReversalDecision
from services.contribution.store import Decided, Known
from shared.events.codes import CODES
from shared.events.topics import PAYROLL_RECEIPTS
from shared.runtime.records import Malformed, PublicRecord
from shared.runtime.work import Work
from shared.values.identity import derived_id
from shared.values.trading_days import date_text

RECEIPT = "nestwork.payroll.receipt.v1"
STATUS = {"a": "accepted", "p": "partially_accepted", "r": "rejected", "h": "held"}
LETTER = {status: letter for letter, status in STATUS.items()}
INSTRUCTION, REFUSED_INSTRUCTION = b"i", b"n"
"""The identity of a request that moves no cents itself: what it asks for is done to another one, or cannot be done."""
NOTHING_TO_RESOLVE = "NOTHING_TO_RESOLVE"


def code(
    name: str, source: str | None = None, cents: int | None = None, *, message: str | None = None,
    severity: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One entry of a receipt's ``codes``, with the registry's severity and sentence unless others are given."""
    known = CODES[name]
    answer: dict[str, Any] = {
        "code": name, "severity": severity or known.severity, "message": message or known.sentence,
    }  # fmt: skip
    if source is not None:
        answer["source"] = source
    if cents is not None:
        answer["cents"] = cents
    return answer


def _say(
    work: Work, item: LineItem | PublicRecord, status: str, receipt_id: str, *, accepted: int = 0, rejected: int = 0,
    credited: list[dict[str, Any]] | None = None, codes: list[dict[str, Any]] | None = None,
    original: str | None = None,
) -> None:  # fmt: skip
    decided_at = work.at(item.lane, item.recorded_at)
    body: dict[str, Any] = {
        "request": {"source": item.ce_source, "id": item.ce_id},
        "payroll_id": item.line.payroll_id if isinstance(item, LineItem) else item.body.get("payroll_id"),
        "status": status,
        "accepted_cents": accepted,
        "rejected_cents": rejected,
        "credited": credited or [],
        "codes": codes or [],
        "decided_at": decided_at.isoformat(),
        "trade_date": date_text(item.trade_date),
    }
    if original is not None:
        body["original_receipt_id"] = original
    work.emit(
        item.lane,
        PAYROLL_RECEIPTS.name,
        key=item.key.encode(),
        ce_type=RECEIPT,
        ce_id=receipt_id,
        value=orjson.dumps(body),
        recorded_at=decided_at,
        trace=item.trace,
    )


def say_final(work: Work, item: LineItem, decision: LineDecision) -> None:
    """The final receipt: what was recorded and what was cut, each cut with its code; notes cut nothing."""
    # A withdrawn repeat is cut by a code that warns otherwise: what cuts cents is an error.
    codes = [code(cut.code, cut.source or None, cut.cents, severity="error") for cut in decision.cuts]
    codes += [code(note.code, note.source, note.cents, severity="info") for note in decision.notes]
    codes += _misspelt(item)
    _say(
        work,
        item,
        decision.status,
        item.receipt_id,
        accepted=decision.accepted_cents,
        rejected=decision.rejected_cents,
        credited=[{"source": source, "cents": cents} for source, cents in decision.credited],
        codes=codes,
    )


def say_held(work: Work, item: LineItem | PublicRecord, name: str, *, again: bool = False) -> None:
    """Not final: the line waits for something that is named; said again when that has changed."""
    _say(work, item, "held", f"{item.identity.hex()}:held{f':{name}' if again else ''}", codes=[code(name)])


def say_instruction(work: Work, item: PublicRecord, *, is_obeyed: bool) -> None:
    """Whether an operator's word was obeyed; the line it is about gets a receipt of its own."""
    codes = [] if is_obeyed else [code(NOTHING_TO_RESOLVE)]
    _say(work, item, "accepted" if is_obeyed else "rejected", item.identity.hex(), codes=codes)


def say_known(work: Work, item: LineItem | PublicRecord, known: Known, decided: Decided | None) -> None:
    """A resend gets the first decision again, ``decided``; the same id with another body is refused."""
    receipt_id = item.identity.hex()
    place = f"{receipt_id}:{item.topic}:{item.lane}:{item.offset}"
    if known.body_hash != item.body_hash:
        _say(
            work, item, "rejected", place, rejected=max(0, item.cents), codes=[code("IDEMPOTENCY_MISMATCH")],
            original=receipt_id,
        )  # fmt: skip
        return
    codes, credited = ([], []) if decided is None else _decided_before(decided)
    if known.status == "h":
        codes = [code("WAITING_FOR_EARLIER_LINE", message="the first of these is held")]
    elif known.status == REFUSED_INSTRUCTION.decode():
        codes = [code(NOTHING_TO_RESOLVE)]
    codes += _misspelt(item)
    _say(
        work, item, "duplicate", place, accepted=known.accepted, rejected=known.rejected, credited=credited,
        codes=codes, original=receipt_id,
    )  # fmt: skip


def _decided_before(decided: Decided) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The codes and the credits of the first decision; the last account is what payroll owes."""
    said = orjson.loads(decided.detail or "{}")
    codes = [code(name, source or None, cents, severity="error") for source, cents, name in said.get("cuts", ())]
    codes += [code(name, source, cents, severity="info") for source, cents, name in said.get("notes", ())]
    posted = zip(decided.accounts[:-1], decided.amounts[:-1], strict=True)
    return codes, [{"source": source, "cents": cents} for source, cents in posted]


def _misspelt(item: LineItem | PublicRecord) -> list[dict[str, Any]]:
    names = item.line.misspelt if isinstance(item, LineItem) else ()
    return [code("MISSPELT_FIELD", message=f"{name} is not a field of this event") for name in names]


def say_reversed(work: Work, item: PublicRecord, decision: ReversalDecision) -> None:
    """The final receipt of a reversal: ``credited`` is negative, with the engine's match that follows."""
    _say(
        work,
        item,
        decision.status,
        item.identity.hex(),
        accepted=decision.accepted_cents,
        rejected=decision.rejected_cents,
        credited=[{"source": source, "cents": -cents} for source, cents in decision.debited],
        codes=[code(cut.code, cut.source or None, cut.cents, severity="error") for cut in decision.cuts],
    )


async def answer_malformed(work: Work, broken: Malformed) -> None:
    """A record that says who sent it is answered, although nothing else of it could be read."""
    record = broken.record
    name = broken.code if broken.code in ("UNKNOWN_EVENT_TYPE", "NEWER_VERSION", "TOO_MANY_SOURCES") else "MALFORMED"
    decided_at = work.at(record.lane, record.recorded_at)
    body = {
        "request": {"source": broken.ce_source, "id": broken.ce_id},
        "payroll_id": None,
        "status": "rejected",
        "accepted_cents": 0,
        "rejected_cents": 0,
        "credited": [],
        "codes": [code(name, message=f"{CODES[name].sentence} ({broken.detail})")],
        "decided_at": decided_at.isoformat(),
        "trade_date": date_text(record.trade_date),
    }
    topic, partition, offset = record.origin
    work.emit(
        record.lane,
        PAYROLL_RECEIPTS.name,
        key=record.key,
        ce_type=RECEIPT,
        ce_id=derived_id("malformed", topic, str(partition), str(offset)),
        value=orjson.dumps(body),
        recorded_at=decided_at,
        trace=record.trace(),
    )
