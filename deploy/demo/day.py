"""One trade date of the demo: payroll, receipts, cash, close, prices, orders, value, balances."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from deploy.cluster import Cluster
from deploy.demo import judge
from deploy.demo.result import DayResult, Result
from deploy.demo.tell import Tell
from deploy.demo.watch import Seen, Watch
from deploy.population.faults import Submission
from deploy.population.payday import Payday
from deploy.population.plans import Plan
from deploy.wire import NothingInTime, Outgoing, Wire
from shared.events.topics import PAYROLL_CONTRIBUTIONS

WAIT_SECONDS = 180.0
SLICE_LINES = 1_000
"""Lines handed over together when there is no hurry to spread them."""
SLICES_PER_SECOND = 20
PAGES_TOGETHER = 4


class DayRun:
    """Takes one date from its first line to its proof."""

    def __init__(self, day: date, result: Result, cluster: Cluster, wire: Wire, watch: Watch, tell: Tell) -> None:
        self._day = day
        self._result = result
        self._wire = wire
        self._watch = watch
        self._tell = tell
        self._trading, self._valuation = cluster.web_url("trading"), cluster.web_url("valuation")
        self._handed_over: dict[str, float] = {}

    async def close_empty(self) -> None:
        """Close and value a date on which nothing but facts came."""
        self._tell.phase(f"{self._day}: closing the day before, so that all facts are in force")
        await self._close({})
        self._tell.finished("closed and proven")

    async def run(
        self, payday: Payday, prices: Mapping[str, str], lines_per_second: int, plans: Sequence[Plan]
    ) -> DayResult:
        """The whole date; ``lines_per_second`` 0 = as fast as it goes."""
        again = [one.again for one in payday.submissions if one.again is not None]
        found = DayResult(
            self._day,
            f"{lines_per_second:,} lines/s" if lines_per_second else "as fast as it goes",
            len({one.plan_id for one in payday.submissions if one.expected.status == "accepted"}),
            len(payday.submissions),
            len(payday.submissions) + len(again),
            payday.requested_cents,
        )
        self._result.days.append(found)
        started = time.monotonic()
        with self._timed(found, "payroll to last receipt"):
            await self._payroll(payday, found, lines_per_second, again)
        with self._timed(found, "cash"):
            await self._cash(payday, found)
        with self._timed(found, "close to proof"):
            self._tell.phase(f"{self._day}: cut, orders, confirmations, fills, value")
            found.orders, closed = await self._close(prices)
            found.proof, found.status = dict(closed["proof"]), closed["status"]
        found.seconds["payroll to proof"] = round(time.monotonic() - started, 2)
        found.lines_to_value_per_second = round(found.lines / found.seconds["payroll to proof"], 1)
        self._tell.finished(f"{found.status}, {found.orders['total']:,} orders, {len(found.proof)} equations hold")
        await self._judge(payday, found, prices, plans)
        return found

    async def _payroll(self, payday: Payday, found: DayResult, lines_per_second: int, again: list[Outgoing]) -> None:
        self._tell.phase(f"{self._day}: {found.lines:,} payroll lines, {found.pace}", found.lines)
        pending = list(payday.submissions)
        publishing = asyncio.create_task(self._publish(payday.submissions, again, found, lines_per_second))

        def all_answered(seen: Seen) -> bool:
            nonlocal pending
            pending = judge.unanswered(pending, seen, finally_=False)
            self._tell.progress(found.lines - len(pending))
            return not pending

        answered = await self._watch.until(all_answered, WAIT_SECONDS)
        await publishing
        if not answered:
            raise NothingInTime(f"{len(pending)} lines have no receipt, first {pending[0].sent.ce_id}")
        first = found.sent_at[0][0]
        last = max(
            receipt.stamp_ms for one in payday.submissions if (receipt := judge.first_answer(one, self._watch.seen))
        )
        found.seconds["publish"] = round(found.sent_at[-1][0] - first, 2)
        found.receipts_per_second = round(found.lines / max(0.001, last / 1000 - first), 1)
        self._tell.finished(f"{found.sendings:,} records answered, {found.receipts_per_second:,.0f} receipts/s")

    async def _publish(
        self, lines: Sequence[Submission], again: list[Outgoing], found: DayResult, lines_per_second: int
    ) -> None:
        size = max(1, lines_per_second // SLICES_PER_SECOND) if lines_per_second else SLICE_LINES
        started = time.monotonic()
        for number, at in enumerate(range(0, len(lines), size)):
            if lines_per_second:
                await asyncio.sleep(max(0.0, started + number / SLICES_PER_SECOND - time.monotonic()))
            part = lines[at : at + size]
            now = time.time()
            self._handed_over.update((one.sent.ce_id, now) for one in part)
            found.sent_at.append((now, at))
            await self._wire.publish(PAYROLL_CONTRIBUTIONS.name, [one.sent for one in part])
        found.sent_at.append((time.time(), len(lines)))
        await self._wire.publish(PAYROLL_CONTRIBUTIONS.name, again)

    async def _cash(self, payday: Payday, found: DayResult) -> None:
        """Every employer wires exactly what the receipts say was credited, match included."""
        owed = judge.owed_by_run(payday, self._watch.seen)
        self._tell.phase(f"{self._day}: cash for {len(owed)} payroll runs")
        found.credited_cents = sum(owed.values())
        found.runs_funded = await self._wire.fund_runs(self._day, owed)
        self._tell.finished(f"{judge.dollars(found.credited_cents)} wired for {found.runs_funded} runs")

    async def _close(self, prices: Mapping[str, str]) -> tuple[dict[str, int], Mapping[str, Any]]:
        """Orders by state, and what valuation published. Raises ``NothingInTime`` and ``NotProven``."""
        await self._wire.close_day(self._day)
        await self._wire.publish_prices(self._day, prices)
        page = await self._wire.wait_orders_answered(self._trading, self._day)
        await self._wire.request_value(self._day)
        return dict(page["orders"]), await self._wire.wait_day_closed(self._day, self._valuation)

    async def _judge(self, payday: Payday, found: DayResult, prices: Mapping[str, str], plans: Sequence[Plan]) -> None:
        self._tell.phase(f"{self._day}: checking every receipt and every balance from outside")
        seen = self._watch.seen
        pending = list(payday.submissions)

        def all_final(now: Seen) -> bool:
            nonlocal pending
            pending = judge.unanswered(pending, now, finally_=True)
            return not pending

        await self._watch.until(all_final, WAIT_SECONDS)  # What never came is a difference below.
        finals = [seen.finals[one.sent.ce_id] for one in payday.submissions if one.sent.ce_id in seen.finals]
        found.accepted_cents = sum(receipt.accepted_cents for receipt in finals)
        found.rejected_cents = sum(receipt.rejected_cents for receipt in finals)
        found.receipts, found.codes = judge.receipts_of(payday, seen)
        found.kinds = judge.outcomes(payday, seen)
        found.latency = judge.latency(payday, seen, self._handed_over)
        found.receipt_stamps_ms = [
            receipt.stamp_ms for one in payday.submissions if (receipt := judge.first_answer(one, seen))
        ]
        await self._watch.until(lambda now: not judge.unheard(now, found), WAIT_SECONDS)
        found.ordered_cents = sum(order["cents"] for order in judge.orders_on(seen, found))
        found.custodian = judge.custodian_of(seen, found)
        pages = await self._plan_pages(plans)
        found.balances, wrong = judge.balances(pages, prices)
        self._result.checks += [
            *judge.line_checks(payday, found, seen),
            judge.cost_check(found, self._result.days, seen),
            judge.balance_check(found, wrong),
        ]
        wrong_kinds = Counter(kind.kind for kind in found.kinds if not kind.ok)
        self._tell.finished(
            f"differs: {', '.join(wrong_kinds)}"
            if wrong_kinds
            else f"{len(found.kinds)} kinds of lines as they must be"
        )

    async def _plan_pages(self, plans: Sequence[Plan]) -> list[Mapping[str, Any]]:
        together = asyncio.Semaphore(PAGES_TOGETHER)

        async def page(plan: Plan) -> Mapping[str, Any]:
            async with together:
                return await self._wire.page(f"{self._valuation}/v1/plans/{plan.plan_id}/balances?as_of={self._day}")

        return list(await asyncio.gather(*(page(plan) for plan in plans)))

    @contextmanager
    def _timed(self, found: DayResult, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        found.seconds[name] = round(time.monotonic() - started, 2)
