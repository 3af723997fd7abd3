"""What becomes of every line of a run, kept in arrays: when it was due, sent, acknowledged, answered, and with what."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from deploy.load.people import LOAD_SOURCE, Crowd
from deploy.load.profiles import Seconds

EXAMPLES_MAX = 20
FINAL = ("accepted", "partially_accepted", "rejected")


class Request(msgspec.Struct):
    """Which event a receipt answers."""

    source: str
    id: str


class Receipt(msgspec.Struct):
    """What is read of a receipt."""

    request: Request
    status: str
    accepted_cents: int
    rejected_cents: int


_decode = msgspec.json.Decoder(Receipt).decode


@dataclass
class Flight:
    """All lines of a run by their number. Moments are seconds since 1970; not a number where it has not happened."""

    crowd: Crowd
    intended: Seconds
    """When each line was due."""
    sent: Seconds = field(init=False)
    acknowledged: Seconds = field(init=False)
    appended: Seconds = field(init=False)
    """When its receipt was appended to the log, by the broker's clock."""
    answered: Seconds = field(init=False)
    """When its receipt reached a reader."""
    receipt: npt.NDArray[np.int64] = field(init=False)
    """Hash of the ce_id of its final receipt, to tell a repeat on the wire from a second answer."""
    answered_lines: int = 0
    """How many have their final receipt."""
    accepted_cents: int = 0
    repeats: int = 0
    held: int = 0
    fault_count: int = 0
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("sent", "acknowledged", "appended", "answered"):
            setattr(self, name, np.full(len(self.intended), np.nan))
        self.receipt = np.zeros(len(self.intended), dtype=np.int64)

    def __len__(self) -> int:
        return len(self.intended)

    def take(self, receipt_id: bytes, value: bytes, appended: float, now: float) -> None:
        """Take a record of the receipts' log; those of other senders are passed by."""
        found = _decode(value)
        tag, _, number = found.request.id.rpartition(":")
        if tag != self.crowd.tag or found.request.source != LOAD_SOURCE:
            return
        line = int(number)
        if found.status == "held":
            self.held += 1
        elif found.status not in FINAL:
            self._fault(f"line {line} was answered with {found.status}, although it was sent once")
        elif self.receipt[line]:
            self._again(line, receipt_id)
        else:
            self._first(line, found)
            self.receipt[line] = _hash(receipt_id)
            self.appended[line], self.answered[line] = appended, now
            self.answered_lines += 1

    def cut_off(self, count: int) -> None:
        """Forget the lines from ``count`` on, which were never sent."""
        for name in ("intended", "sent", "acknowledged", "appended", "answered", "receipt"):
            setattr(self, name, getattr(self, name)[:count])

    def _again(self, line: int, receipt_id: bytes) -> None:
        if self.receipt[line] == _hash(receipt_id):
            self.repeats += 1  # At least once with a stable ce_id: what the contract says of the wire.
        else:
            self._fault(f"line {line} has a second final receipt")

    def _first(self, line: int, found: Receipt) -> None:
        self.accepted_cents += found.accepted_cents
        expected = self.crowd.line_cents(line)
        if found.accepted_cents != expected or found.rejected_cents:
            said = f"{found.accepted_cents} cents accepted and {found.rejected_cents} rejected"
            self._fault(f"line {line}: {said} of {expected}")

    def _fault(self, text: str) -> None:
        self.fault_count += 1
        if len(self.faults) < EXAMPLES_MAX:
            self.faults.append(text)

    @property
    def expected_cents(self) -> int:
        """What all lines that were sent ask for."""
        return sum(self.crowd.line_cents(line) for line in range(self.sent_lines))

    @property
    def sent_lines(self) -> int:
        """How many lines were handed to the broker's client."""
        return int(np.count_nonzero(~np.isnan(self.sent)))

    def verdict(self) -> list[str]:
        """Everything that keeps the answers from being right."""
        faults = list(self.faults)
        if self.fault_count > len(self.faults):
            faults.append(f"and {self.fault_count - len(self.faults)} more of this kind")
        if self.answered_lines != self.sent_lines:
            faults.append(f"{self.answered_lines} final receipts for {self.sent_lines} lines")
        if self.accepted_cents != self.expected_cents:
            faults.append(f"receipts accept {self.accepted_cents} of {self.expected_cents} cents")
        return faults


def _hash(receipt_id: bytes) -> int:
    return hash(receipt_id) or 1
