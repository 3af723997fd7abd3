"""What a file says about each payroll run: lines, cents by source, hash total, as payroll.closed carries them."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from deploy.payroll.lines import Line
from deploy.payroll.problems import FileRefused
from deploy.wire.outgoing import Outgoing, event
from shared.events.payroll import PayrollClosed, PayrollOpened
from shared.values.identity import derived_id

RUNS_MAX = 10_000
HASH_MODULUS = 10**10


class RunTotals:
    """One run's totals; order of lines does not matter."""

    def __init__(self, plan_id: str, payroll_id: str) -> None:
        self.plan_id, self.payroll_id = plan_id, payroll_id
        self.lines = self.hash_total = 0
        self.cents_by_source: dict[str, int] = {}
        self.pay_date: str | None = None
        self._dates_differ = False

    def add(self, line: Line) -> None:
        """Count one line. Negative amounts are left out: they reject their line."""
        self.lines += 1
        for source, cents in line.amounts:
            self.cents_by_source[source] = self.cents_by_source.get(source, 0) + max(0, cents)
        first_four = sha256(line.participant_id.encode()).digest()[:4]
        self.hash_total = (self.hash_total + int.from_bytes(first_four, "big")) % HASH_MODULUS
        if self.pay_date is None and not self._dates_differ:
            self.pay_date = line.pay_date
        elif self.pay_date != line.pay_date:
            self.pay_date, self._dates_differ = None, True

    @property
    def cents(self) -> int:
        """Cents over all lines and sources."""
        return sum(self.cents_by_source.values())

    def as_json(self) -> dict[str, Any]:
        """The totals as they are kept and shown."""
        return {
            "plan_id": self.plan_id, "payroll_id": self.payroll_id, "pay_date": self.pay_date, "line_count": self.lines,
            "cents_total": self.cents, "cents_by_source": self.cents_by_source, "hash_total": self.hash_total,
        }  # fmt: skip


class FileTotals:
    """Totals of all runs of one file."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], RunTotals] = {}

    def add(self, line: Line) -> None:
        """Count one line. Raises ``FileRefused`` beyond ``RUNS_MAX`` runs: the column of run ids is a wrong one."""
        place = line.plan_id, line.payroll_id
        run = self._runs.get(place)
        if run is None:
            if len(self._runs) >= RUNS_MAX:
                raise FileRefused("FILE_TOO_MANY_RUNS", f"more than {RUNS_MAX} payroll runs in one file", line.row)
            run = self._runs[place] = RunTotals(*place)
        run.add(line)

    def as_json(self) -> list[dict[str, Any]]:
        """All runs, in the order of their first line."""
        return [run.as_json() for run in self._runs.values()]


def opened_event(run: dict[str, Any], ce_source: str) -> Outgoing:
    """The announcement of a run's lines; the same file gives the same event."""
    ce_id = derived_id("payroll-file-opened", *map(str, run.values()))
    return event(
        run["payroll_id"], PayrollOpened.ce_type, ce_id, ce_source, payroll_id=run["payroll_id"],
        plan_id=run["plan_id"], pay_date=run["pay_date"], line_count=run["line_count"], cents_total=run["cents_total"],
    )  # fmt: skip


def closed_event(run: dict[str, Any], ce_source: str) -> Outgoing:
    """The control totals of a run; the same file gives the same event."""
    told = {name: value for name, value in run.items() if name != "pay_date"}
    ce_id = derived_id("payroll-file-closed", *map(str, told.values()))
    return event(run["payroll_id"], PayrollClosed.ce_type, ce_id, ce_source, **told)
