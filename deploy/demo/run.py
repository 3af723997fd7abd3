"""The demo itself: a cluster, a population, two trade dates with a price move between them, and a verdict."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import date
from pathlib import Path

from deploy.cluster import Cluster
from deploy.demo import judge
from deploy.demo.day import DayRun
from deploy.demo.result import Journey, Options, Result
from deploy.demo.tell import Tell
from deploy.demo.watch import Watch, open_watch
from deploy.population.market import DEFAULT_FUND, fund_facts, prices
from deploy.population.payday import Payroll
from deploy.population.people import Person, census_facts, draw_people, elections
from deploy.population.plans import Plan, draw_plans, plan_facts
from deploy.wire import NothingInTime, NotProven, Wire
from shared.events import topics

ADMIN, PAYROLL, OPERATOR = "/nestwork/demo/administration", "/nestwork/demo/payroll", "/nestwork/demo/operator"
DAY_BEFORE, FIRST, SECOND = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)
CUSTODIAN_RATES = {
    "REJECT": "0.003",
    "LATE": "0.005",
    "DUPLICATE": "0.005",
    "MISPRICE": "0.004",
    "WRONG_SHARES": "0.004",
}
"""Parts of all orders that the simulated custodian gets wrong, or keeps waiting, by its own dice."""
AS_FAST_AS_IT_GOES = 0


class Demo:
    """One run on a running cluster."""

    def __init__(self, options: Options, cluster: Cluster, wire: Wire, watch: Watch, tell: Tell) -> None:
        self.result = Result(options)
        self._options = options
        self._cluster = cluster
        self._wire = wire
        self._watch = watch
        self._tell = tell

    async def run(self) -> Result:
        """From the first fact to the verdict. What the engine does not do in time becomes ``problem``."""
        try:
            await self._run()
        except (NothingInTime, NotProven) as problem:
            self.result.problem = str(problem)
        return self.result

    async def _run(self) -> None:
        options = self._options
        plans = draw_plans(options.participants, options.plans, options.seed)
        people = draw_people(plans, options.seed, near_limit=max(1, round(options.participants * options.fault_rate)))
        self._describe(plans, people)
        self.result.prices = prices(options.seed, days=2)
        with self._timed("facts"):
            await self._publish_facts(plans, people)
        with self._timed("day before"):
            await self._day(DAY_BEFORE).close_empty()
        payroll = Payroll(people, options.seed, PAYROLL, options.fault_rate)
        second = frozenset(plan.plan_id for plan in plans[::2])
        await self._day(FIRST).run(payroll.payday(FIRST), self.result.prices[0], AS_FAST_AS_IT_GOES, plans)
        await self._late_confirmations()
        await self._day(SECOND).run(
            payroll.payday(SECOND, second), self.result.prices[1], options.lines_per_second, plans
        )
        self.result.checks += judge.order_checks(self.result.days, self._watch.seen)
        self.result.journey = await self._journey(people)

    def _day(self, day: date) -> DayRun:
        return DayRun(day, self.result, self._cluster, self._wire, self._watch, self._tell)

    def _describe(self, plans: list[Plan], people: list[Person]) -> None:
        self.result.plan_sizes = [plan.size for plan in plans]
        self.result.designs = dict(Counter(plan.design.name for plan in plans).most_common())
        self.result.elections = dict(Counter(_choice(person) for person in people).most_common())

    async def _publish_facts(self, plans: list[Plan], people: list[Person]) -> None:
        self._tell.phase(f"publishing {len(plans)} plans, 20 funds, {len(people):,} people and their elections")
        count = await self._wire.publish(topics.FUNDS.name, fund_facts(ADMIN))
        count += await self._wire.publish(topics.PLANS.name, plan_facts(plans, ADMIN))
        count += await self._wire.publish(topics.PARTICIPANT_CENSUS.name, census_facts(people, ADMIN, FIRST.year))
        count += await self._wire.publish(topics.PARTICIPANT_REQUESTS.name, elections(people, ADMIN))
        self._tell.finished(f"{count:,} facts published")

    async def _late_confirmations(self) -> None:
        """What was confirmed late must stand in the log before the next date is cut, or it belongs to the one after."""
        if not await self._watch.until(lambda seen: not seen.in_the_air(), 120):
            raise NothingInTime(f"late confirmations did not come: {', '.join(self._watch.seen.in_the_air()[:5])}")

    async def _journey(self, people: list[Person]) -> Journey:
        """Somebody with several funds who was paid on both dates, page by page."""
        seen = self._watch.seen
        good = [
            one
            for one in people
            if all(
                (found := seen.finals.get(f"line:{one.participant_id}:{day}")) and found.status == "accepted"
                for day in (FIRST, SECOND)
            )
        ]
        chosen = max(good or people, key=lambda one: (2 <= len(one.funds) <= 4, one.roth_cents > 0, one.participant_id))
        base = f"{self._cluster.web_url('valuation')}/v1/participants/{chosen.participant_id}"
        transactions = await self._wire.page(f"{base}/transactions")
        balance = await self._wire.page(f"{base}/balance?as_of={SECOND}")
        lines = [
            {"day": str(day), "accepted_cents": found.accepted_cents, "credited_cents": found.credited_cents}
            for day in (FIRST, SECOND)
            if (found := seen.finals.get(f"line:{chosen.participant_id}:{day}"))
        ]
        return Journey(chosen.participant_id, chosen.plan.plan_id, lines, transactions["transactions"], balance)

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self.result.seconds[name] = round(time.monotonic() - started, 2)


def _choice(person: Person) -> str:
    if not person.funds:
        return f"never chose: {DEFAULT_FUND}"
    return "one target-date fund" if len(person.funds) == 1 else "own mix of three to six funds"


async def run_demo(options: Options, tell: Tell, keep_in: Path | None = None) -> Result:
    """Start a cluster, run, and end it again (``keep_in``: leave it running there). Raises ``ClusterError``."""
    started = time.monotonic()
    async with _cluster(options, tell, keep_in) as cluster:
        up = time.monotonic()
        async with (
            Wire(cluster.bootstrap, ce_source=OPERATOR) as wire,
            open_watch(cluster.bootstrap, wire.partitions) as watch,
        ):
            result = await Demo(options, cluster, wire, watch, tell).run()
        result.pages = {service: cluster.web_url(service) for service in ("trading", "valuation")} if keep_in else {}
        result.kept_in = str(keep_in or "")
        result.seconds = {"cluster start": round(up - started, 2), **result.seconds}
        if keep_in is None:
            tell.phase("ending the cluster")
    result.seconds["whole run"] = round(time.monotonic() - started, 2)
    if keep_in is None:
        tell.finished(f"everything ended; {result.seconds['whole run']:.0f} s in all")
    return result


@asynccontextmanager
async def _cluster(options: Options, tell: Tell, keep_in: Path | None) -> AsyncIterator[Cluster]:
    tell.phase("starting Kafka, PostgreSQL, four services and a custodian")
    started = time.monotonic()
    rates = {f"NESTWORK_CUSTODIAN_RATE_{action}": rate for action, rate in CUSTODIAN_RATES.items()}
    environment = rates | {"NESTWORK_CUSTODIAN_SEED": str(options.seed)}
    with tempfile.TemporaryDirectory(prefix="nestwork-demo-", ignore_cleanup_errors=True) as temporary:
        folder = keep_in or Path(temporary) / "cluster"
        cluster = await Cluster.start(
            folder, partitions=options.partitions, extra_env=environment, tied=keep_in is None
        )
        finished = False
        try:
            tell.finished(f"ready in {time.monotonic() - started:.1f} s")
            yield cluster
            finished = True
        finally:
            if keep_in is None or not finished:
                await asyncio.shield(cluster.stop())
