"""Which lines are on their way, and what the receipts said about them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from deploy.payroll.kept import FileState, Prepared
from deploy.payroll.receipts import Receipt, ReceiptCode

NO_ANSWER = "no_answer"
STILL_HELD = "WAITING_FOR_EARLIER_LINE"
_FINE = ("accepted", "duplicate")


class Batch:
    """Some lines that are published together; their counts become part of the checkpoint together."""

    def __init__(self, number: int, lines: int, sent_at: float) -> None:
        self.number, self.lines, self.sent_at = number, lines, sent_at
        self.waiting = lines
        self.answers: Counter[str] = Counter()
        self.accepted_cents = self.rejected_cents = self.accepted_before_cents = 0
        self.rejects: list[dict[str, Any]] = []

    @property
    def is_answered(self) -> bool:
        """Whether nothing is awaited any more."""
        return not self.waiting

    def answer(self, row: int, participant: str, receipt: Receipt) -> None:
        """Count one line's receipt; what was cut or is held becomes a reject for each of its codes."""
        self.waiting -= 1
        self.answers[receipt.status] += 1
        if receipt.status == "duplicate":
            self.accepted_before_cents += receipt.accepted_cents
        else:
            self.accepted_cents += receipt.accepted_cents
            self.rejected_cents += receipt.rejected_cents
        if receipt.status in _FINE and not receipt.rejected_cents and not _still_held(receipt):
            return
        for code in reasons_of(receipt):
            self.rejects.append(
                {
                    "row": row, "participant_id": participant, "status": receipt.status, "code": code.code,
                    "source": code.source, "cents": code.cents, "message": code.message,
                }
            )  # fmt: skip

    def give_up(self, row: int, participant: str) -> None:
        """Count a line that nobody answered."""
        self.waiting -= 1
        self.answers[NO_ANSWER] += 1
        message = "sent, but not answered in time; the engine may have parked the participant"
        self.rejects.append(
            {
                "row": row, "participant_id": participant, "status": NO_ANSWER, "code": "RECEIPT_MISSING",
                "source": None, "cents": None, "message": message,
            }
        )  # fmt: skip

    def add_to(self, state: FileState) -> None:
        """Make the batch part of the file's state."""
        state.sent += self.lines
        for status, count in self.answers.items():
            state.answers[status] = state.answers.get(status, 0) + count
        state.accepted_cents += self.accepted_cents
        state.rejected_cents += self.rejected_cents
        state.accepted_before_cents += self.accepted_before_cents
        counted: set[tuple[str, str, int]] = set()
        for reject in self.rejects:
            place = reject["status"], reject["code"], reject["row"]
            # A row has the code once for each source it cut.
            state.count(*place, reject["cents"] or 0, is_new_row=place not in counted)
            counted.add(place)


def _still_held(receipt: Receipt) -> bool:
    """Whether a resend was told that the first of it is held: nothing of the line is decided yet."""
    return receipt.status == "duplicate" and any(code.code == STILL_HELD for code in receipt.codes)


def reasons_of(receipt: Receipt) -> Sequence[ReceiptCode]:
    """The codes that ask somebody to act; a receipt that cut money without naming one gets the first decision's."""
    named = [code for code in receipt.codes if code.severity != "info" or code.code == STILL_HELD]
    if named:
        return named
    if receipt.status == "duplicate":
        message = f"decided before, with a cut; its receipt is {receipt.original_receipt_id}"
        return [ReceiptCode("DECIDED_BEFORE", "warning", cents=receipt.rejected_cents, message=message)]
    return receipt.codes or [ReceiptCode("UNNAMED", "warning", cents=receipt.rejected_cents)]


class _Entry:
    """The lines that wait under one id: rows that say the same have the same id."""

    __slots__ = ("answered", "lines")

    def __init__(self) -> None:
        self.lines: list[tuple[Batch, int, str]] = []
        self.answered = False


class Waiting:
    """All lines that are on their way."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._early: dict[str, list[Receipt]] = {}

    def __len__(self) -> int:
        return sum(len(entry.lines) for entry in self._entries.values())

    def answered_before(self, receipts: Sequence[Receipt]) -> None:
        """Keep the answers that lines got before an earlier run ended; they are given out as the lines are expected."""
        for receipt in receipts:
            self._early.setdefault(receipt.request.id, []).append(receipt)

    def expect(self, batch: Batch, lines: Sequence[Prepared]) -> list[Prepared]:
        """Wait for the answers to these lines; returns those that have none yet."""
        for line in lines:
            entry = self._entries.get(line.ce_id)
            if entry is None:
                entry = self._entries[line.ce_id] = _Entry()
            entry.lines.append((batch, line.row, line.participant_id))
        if not self._early:
            return list(lines)
        for line in lines:
            for receipt in self._early.pop(line.ce_id, ()):
                self.take(receipt)
        return [line for line in lines if self._awaits(batch, line)]

    def _awaits(self, batch: Batch, line: Prepared) -> bool:
        entry = self._entries.get(line.ce_id)
        return entry is not None and any(one[0] is batch and one[1] == line.row for one in entry.lines)

    def take(self, receipt: Receipt) -> bool:
        """Give a receipt to the line it answers; false when none waits for it."""
        entry = self._entries.get(receipt.request.id)
        # A first decision that comes twice on the wire does not answer the second row of the same content.
        if entry is None or (entry.answered and receipt.original_receipt_id is None):
            return False
        batch, row, participant = entry.lines.pop(0)
        entry.answered = True
        if not entry.lines:
            del self._entries[receipt.request.id]
        batch.answer(row, participant, receipt)
        return True

    def give_up(self, batch: Batch) -> None:
        """Stop waiting for the lines of one batch."""
        for ce_id in [ce_id for ce_id, entry in self._entries.items() if any(one[0] is batch for one in entry.lines)]:
            entry = self._entries[ce_id]
            for _, row, participant in [one for one in entry.lines if one[0] is batch]:
                batch.give_up(row, participant)
            entry.lines = [one for one in entry.lines if one[0] is not batch]
            if not entry.lines:
                del self._entries[ce_id]
