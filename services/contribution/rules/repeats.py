"""The same payroll line under a new id: found by a mark of what it says, kept beside the year's accumulators.

House rule `DUPLICATE_PAYROLL_LINE`: same plan, payroll, participant, pay date, pay and amounts. Marks of a participant,
plan and year stand in one row that every decision reads anyway, so that finding a repeat costs no look-up of its own.
"""

from __future__ import annotations

from hashlib import blake2b

from services.contribution.rules.intake import Line

WORDS_BYTES = 8
MARK_BYTES = 16
"""What the line says, 8 bytes; which request said it, 8 bytes. Within a person's year two of 2**64 never meet."""


def line_mark(line: Line, identity: bytes) -> bytes:
    """Return the 16 bytes that stand for a line among those of its participant, plan and year.

    Neither the order of the amounts nor one of zero says anything: a payroll system may write out empty columns once
    and leave them out the next time. `identity`: the request's, so that a reversed line can be taken out again.
    """
    amounts = sorted(amount for amount in line.amounts if amount[1])
    said = f"{line.payroll_id}\n{line.pay_date.toordinal()}\n{line.compensation}\n{amounts}"
    if line.employer_money is not None:
        said += f"\n{line.employer_money}"
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=WORDS_BYTES).digest() + identity[:WORDS_BYTES]


def is_repeat(marks: bytes, mark: bytes) -> bool:
    """Say whether another request among `marks` said the same."""
    words, place = mark[:WORDS_BYTES], -1
    while (place := marks.find(words, place + 1)) >= 0:
        if place % MARK_BYTES == 0:
            return True
    return False


def without_request(marks: bytes, identity: bytes) -> bytes:
    """Return the marks without those of one request: a line that was wholly reversed may be sent again."""
    pieces = (marks[start : start + MARK_BYTES] for start in range(0, len(marks), MARK_BYTES))
    return b"".join(piece for piece in pieces if piece[WORDS_BYTES:] != identity[:WORDS_BYTES])
