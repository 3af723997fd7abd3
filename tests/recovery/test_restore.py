"""Databases go back to an earlier moment while Kafka does not; the workers decide again, to the same books."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from subprocess import Popen

import asyncpg
import orjson
import pytest
import pytest_asyncio

from deploy.cluster import Cluster
from deploy.operate.day import NotInTime, close_day
from deploy.operate.proof import prove
from deploy.operate.state_hash import StateHash, state_hash
from deploy.operate.target import of_folder
from deploy.recovery.backup import finish_segment, streaming, take_base
from deploy.recovery.pausing import pause, resume
from deploy.recovery.programs import Address, ProgramFailed
from deploy.recovery.rebuild import empty_databases
from deploy.recovery.rejoin import CannotRejoin, Link, rejoin
from deploy.recovery.restore import READ_ONLY, restore_services
from deploy.scenarios.facts import Outgoing
from deploy.scenarios.publisher import open_publisher
from shared.events import topics
from shared.events.market import PriceFact
from shared.events.payroll import Contribution, PayrollFunded
from shared.runtime.settings import Settings
from shared.values.trading_days import next_trading_day
from tests.recovery.release import FOLDER_VARIABLE, PACKING
from tests.support.operated import FIRST, SECOND, operated_cluster

pytestmark = pytest.mark.timeout(600)
SERVICES = ("contribution", "allocation", "trading", "valuation")
DAYS = [date.fromisoformat(day) for day in (FIRST, SECOND)]
PEOPLE = 150
REPLAYED_LINES_PER_RECORD = 5
"""The replay packs the same lines into more records than there were, as a poll of another size would."""
SOURCE = "/test/recovery"
REPLAY_SECONDS = 120.0


def many_people() -> str:
    """Two paydays of many lines, the second with an election that changed and with money that is held for a day."""
    people = [f"E{number}" for number in range(PEOPLE)]
    lines = [
        "scenario: two paydays of many people",
        "plans:",
        "  ACME: {sources: [pre_tax, roth], default_fund: F1, trade_on: funding}",
        "funds:",
        "  F1: {share_decimals: 3}",
        "  F2: {share_decimals: 4}",
        "participants:",
    ]
    for number, name in enumerate(people):
        split = 1 + number % 99
        elections = f'{{F1: "{split}", F2: "{100 - split}"}}'
        lines.append(f"  {name}: {{plan: ACME, born: 1986-03-02, hired: 2020-01-06, elections: {elections}}}")
    lines.append("days:")
    for round_number, day in enumerate((FIRST, SECOND)):
        lines += [f"  - date: {day}", "    events:"]
        if round_number:
            lines.append('      - {election: E1, funds: {F2: "100"}}')
        for number, name in enumerate(people):
            amounts = f'{{pre_tax: "{100 + number}.{number % 100:02}", roth: "0.07"}}'
            lines.append(
                f"      - {{contribution: c{round_number}-{name}, participant: {name}, payroll: R{round_number},"
                f' pay_date: {day}, compensation: "4230.77", amounts: {amounts}}}'
            )
        lines.append(f"      - {{funding: R{round_number}}}")
        lines.append(f'    prices: {{F1: "23.{47 + round_number}", F2: "13.33"}}')
        lines.append("    custodian: {orders: [{fund: F1, plan: ACME, side: buy, action: misprice}]}")
        lines.append("    expect: {proof: ok}")
    return "\n".join(lines) + "\n"


def money_of(day: date) -> list[Outgoing]:
    """Lines and cash of some participants, and the prices, of a further date."""
    payroll, cents = f"R-{day}", 12_345
    found = []
    for number in range(20):
        person, name = f"s000-E{number}", f"line-{day}-{number}"
        body = {
            "plan_id": "s000-ACME", "participant_id": person, "payroll_id": payroll, "pay_date": day.isoformat(),
            "compensation_cents": 400_000, "amounts": [{"source": "pre_tax", "cents": cents}],
        }  # fmt: skip
        kind = topics.PAYROLL_CONTRIBUTIONS.name, person, Contribution.ce_type
        found.append(Outgoing(*kind, SOURCE, name, orjson.dumps(body)))
    cash = {"plan_id": "s000-ACME", "payroll_id": payroll, "cents": 20 * cents, "reference": payroll}
    funding = topics.PAYROLL_RUNS.name, payroll, PayrollFunded.ce_type, SOURCE, f"cash-{day}", orjson.dumps(cash)
    found.append(Outgoing(*funding))
    for fund, price in (("s000-F1", "24.01"), ("s000-F2", "13.07")):
        known = {"fund_id": fund, "price_date": day.isoformat(), "price": price, "status": "final", "version": 1}
        name = f"{fund}:{day}"
        found.append(
            Outgoing(topics.MARKET_PRICES.name, name, PriceFact.ce_type, SOURCE, f"price-{name}", orjson.dumps(known))
        )
    return found


@dataclass
class Story:
    """A cluster with two proven paydays behind it, and its backup, which began before the first line."""

    cluster: Cluster
    config: Settings
    address: Address
    backup: Path
    before: StateHash
    days: list[date]

    async def moment(self, service: str, query: str) -> datetime:
        """A moment of the past that a service's database tells, a little later."""
        connection = await asyncpg.connect(self.cluster.database_url(service))
        try:
            found: datetime = await connection.fetchval(query)
        finally:
            await connection.close()
        return found + timedelta(milliseconds=40)

    async def execute(self, service: str, statement: str) -> None:
        """Run a statement in a service's database."""
        connection = await asyncpg.connect(self.cluster.database_url(service))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def stop_workers(self) -> None:
        """End every worker and let none come back."""
        await asyncio.to_thread(pause, self.cluster.folder)

    def pack_into(self, lines: int) -> None:
        """Let workers that start from now on put so many lines into a record."""
        (self.backup.parent / PACKING).write_text(str(lines))

    async def start_workers(self) -> None:
        """Let the supervisor start them again."""
        await asyncio.to_thread(resume, self.cluster.folder)

    async def restore(self, moment: datetime | None, *services: str) -> dict[str, str]:
        """Put these databases back."""
        return await asyncio.to_thread(restore_services, self.address, self.backup, moment, services)

    async def comes_out_the_same(self) -> None:
        """Wait until the books are those of before, and prove both dates again."""
        now = await state_hash(self.config)
        async with asyncio.timeout(REPLAY_SECONDS):
            while now.overall != self.before.overall:
                await asyncio.sleep(1)
                now = await state_hash(self.config)
        for day in self.days:
            proof, _ = await prove(self.config, day)
            assert proof.ok, [one.name for one in proof.equations if not one.ok]
        await asyncio.sleep(3)  # What comes twice would come now.
        assert (await state_hash(self.config)).differing_tables(self.before) == []

    async def goes_on(self, seconds: float = REPLAY_SECONDS) -> None:
        """Play one more date: a stream that is out of step with its reader loses or repeats its money, or stops."""
        day = next_trading_day(self.days[-1])
        async with open_publisher(self.config) as publisher:
            await publisher.publish(money_of(day))
        closing = await close_day(self.config, day, value=True, seconds=seconds, tell=lambda _: None)
        assert (closing.state, closing.proof) == ("valued", "proven")
        proof, _ = await prove(self.config, day)
        assert proof.ok, [one.name for one in proof.equations if not one.ok]
        await self.cluster.wait_ready(timeout=10)
        self.days.append(day)
        self.before = await settled(self.config)


def void(links: Sequence[Link]) -> int:
    return sum(int(link.as_json()["void"]) for link in links)


async def settled(config: Settings) -> StateHash:
    """The hash once it stays the same."""
    last = await state_hash(config)
    while True:
        await asyncio.sleep(2)
        now = await state_hash(config)
        if now.overall == last.overall:
            return now
        last = now


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def story(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    """Two paydays with a backup that runs from before the first line."""
    folder = tmp_path_factory.mktemp("recovery")
    backup = folder / "backup"
    writing: list[Popen[bytes]] = []

    def start_backup(cluster: Cluster) -> None:
        address = Address.of(of_folder(cluster.folder))
        writing.append(streaming(address, backup))
        take_base(address, backup)

    try:
        cluster = await operated_cluster(
            folder,
            text=many_people(),
            on_start=start_backup,
            worker_module="tests.recovery.entry.{service}",
            extra_env={FOLDER_VARIABLE: str(folder)},
        )
        try:
            config = of_folder(cluster.folder)
            before = await settled(config)
            address = Address.of(config)
            await asyncio.to_thread(finish_segment, address, backup)
            yield Story(cluster, config, address, backup, before, list(DAYS))
        finally:
            await cluster.stop()
    finally:
        for process in writing:
            process.terminate()
            process.wait()


async def test_a_restore_while_workers_run_is_refused_and_changes_nothing(story: Story) -> None:
    moment = await story.moment("valuation", f"SELECT min(closed_at) FROM lane_days WHERE trade_date = '{FIRST}'")
    with pytest.raises(ProgramFailed, match="being accessed by other users"):
        await story.restore(moment, "valuation")
    with pytest.raises(CannotRejoin, match="stop all workers"):
        await rejoin(story.config, ["valuation"])
    await story.cluster.wait_ready()
    assert (await state_hash(story.config)).overall == story.before.overall


async def test_the_last_service_goes_back_alone(story: Story) -> None:
    moment = await story.moment("valuation", f"SELECT min(closed_at) FROM lane_days WHERE trade_date = '{FIRST}'")
    await story.stop_workers()
    story.pack_into(REPLAYED_LINES_PER_RECORD)
    await story.restore(moment, "valuation")
    assert (await state_hash(story.config)).overall != story.before.overall
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await story.execute("valuation", "UPDATE lanes SET generation = generation")
    assert void(await rejoin(story.config, ["valuation"])) == 0
    await story.start_workers()
    await story.comes_out_the_same()
    await story.goes_on()


async def test_a_service_whose_reader_is_ahead_does_not_go_back_alone_but_with_those_after_it(story: Story) -> None:
    moment = await story.moment("allocation", f"SELECT max(recorded_at) FROM journal WHERE trade_date = '{FIRST}'")
    await story.stop_workers()
    await story.restore(moment, "allocation")
    with pytest.raises(CannotRejoin, match="restore trading to the same moment"):
        await rejoin(story.config, ["allocation"])
    await story.restore(moment, "trading", "valuation")
    with pytest.raises(CannotRejoin, match="name it"):
        await rejoin(story.config, ["valuation"])
    assert void(await rejoin(story.config, ["allocation", "trading", "valuation"], dry_run=True)) > 0
    assert void(await rejoin(story.config, ["allocation", "trading", "valuation"])) > 0
    assert void(await rejoin(story.config, ["allocation", "trading", "valuation"])) == 0
    await story.start_workers()
    await story.comes_out_the_same()
    await story.goes_on()


async def test_all_go_back_to_before_an_earlier_restore(story: Story) -> None:
    moment = await story.moment("contribution", f"SELECT min(recorded_at) FROM journal WHERE trade_date = '{FIRST}'")
    await story.stop_workers()
    await story.restore(moment, *SERVICES)
    story.pack_into(3 * REPLAYED_LINES_PER_RECORD)
    assert void(await rejoin(story.config, SERVICES)) > 0
    await story.start_workers()
    await story.comes_out_the_same()
    await story.goes_on()


async def test_nothing_is_missing_at_the_end_of_the_log(story: Story) -> None:
    await story.stop_workers()
    await asyncio.to_thread(finish_segment, story.address, story.backup)
    await story.restore(None, *SERVICES)
    assert (await state_hash(story.config)).differing_tables(story.before) == []
    assert void(await rejoin(story.config, SERVICES)) == 0
    await story.start_workers()
    await story.goes_on()


async def test_without_any_backup_the_logs_give_the_same_books(story: Story) -> None:
    await story.stop_workers()
    story.pack_into(2 * REPLAYED_LINES_PER_RECORD)
    kept = await empty_databases(story.config, SERVICES)
    assert sorted(kept) == sorted(SERVICES)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await story.execute("trading", "UPDATE lanes SET generation = generation")
    assert void(await rejoin(story.config, SERVICES)) > 0
    await story.start_workers()
    await story.comes_out_the_same()
    await story.goes_on()


async def test_without_rejoining_the_next_date_does_not_come_out(story: Story) -> None:
    """Why the command is needed; the cluster is of no use afterwards."""
    moment = await story.moment("allocation", f"SELECT max(recorded_at) FROM journal WHERE trade_date = '{FIRST}'")
    await story.stop_workers()
    await story.restore(moment, "allocation", "trading", "valuation")
    for service in ("allocation", "trading", "valuation"):
        await story.execute(service, f"BEGIN READ WRITE; ALTER DATABASE nestwork_{service} RESET {READ_ONLY}; COMMIT")
    story.pack_into(2)
    await story.start_workers()
    with pytest.raises((NotInTime, AssertionError)):
        await story.goes_on(seconds=25)
