"""What operators do to a running cluster: close days, prove them, replay dead letters, free participants, explain."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from typer.testing import CliRunner, Result

from deploy.cli.main import app
from deploy.cluster import Cluster
from deploy.operate.books import SERVICES, Book, Books
from deploy.operate.day import Closer, NotInTime, Refused, close_day
from deploy.operate.letters import list_letters, show_letter
from deploy.operate.proof import NotClosed, Proof, prove, prove_books
from deploy.operate.replay import replay
from deploy.operate.state_hash import hash_books, state_hash
from deploy.operate.story import NothingKnown, explain
from deploy.operate.target import of_folder
from deploy.scenarios.facts import Outgoing
from deploy.scenarios.publisher import open_publisher
from shared.events import topics
from shared.events.census import Census
from shared.events.market import PriceFact, ValueRequested
from shared.events.payroll import Contribution, PayrollFunded
from shared.runtime.clients import kafka_producer, kafka_reader, open_pool
from shared.runtime.settings import Settings
from shared.values.hashing import murmur2
from tests.support.operated import operated_cluster
from tests.support.waiting import eventually
from tests.support.wire import page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

FIRST, SECOND = date(2026, 11, 20), date(2026, 11, 23)
TUESDAY, WEDNESDAY, FRIDAY = date(2026, 11, 24), date(2026, 11, 25), date(2026, 11, 27)  # Thursday is Thanksgiving.
MONDAY = date(2026, 11, 30)
WAITS, WAITS_STILL, FREED = date(2026, 12, 2), date(2026, 12, 3), date(2026, 12, 4)
LATE_PRICE, NO_PRICE = date(2026, 12, 7), date(2026, 12, 8)
VANISHES, AFTER = date(2026, 12, 9), date(2026, 12, 10)
SOURCE = "/test/operator"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operated(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """Two paydays, closed and proven, on four partitions."""
    cluster = await operated_cluster(tmp_path_factory.mktemp("operated"))
    try:
        yield cluster
    finally:
        await cluster.stop()


@pytest.fixture
def config(operated: Cluster) -> Settings:
    return of_folder(operated.folder)


async def command(operated: Cluster, *words: str) -> Result:
    """Run the nestwork command as a person would, with --json."""
    words = (*words, "--folder", str(operated.folder), "--json")
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, list(words)))


@asynccontextmanager
async def open_for_tampering(config: Settings) -> AsyncIterator[Books]:
    """The four databases in transactions that are rolled back: what is changed there is seen there only."""
    async with AsyncExitStack() as stack:
        books = []
        for service in SERVICES:
            connection = await asyncpg.connect(config.database_url.rpartition("/")[0] + f"/nestwork_{service}")
            stack.push_async_callback(connection.close)
            transaction = connection.transaction()
            await transaction.start()
            stack.push_async_callback(transaction.rollback)
            books.append(Book(service, connection))
        yield Books(*books)


def broken(proof: Proof) -> set[str]:
    return {equation.name for equation in proof.equations if not equation.ok}


# -- prove -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", [date(2026, 11, 19), FIRST, SECOND])
async def test_every_closed_date_is_proven_again_from_logs_and_databases(config: Settings, day: date) -> None:
    proof, _ = await prove(config, day)
    assert broken(proof) == set()
    assert proof.ok
    assert len(proof.equations) > 50


async def test_a_proof_counts_what_really_came_in(config: Settings) -> None:
    proof, _ = await prove(config, FIRST)
    sides = {equation.name: equation.left for equation in proof.equations}
    # Five lines, two resends, and one cut marker in each of four partitions.
    assert sides["offsets between the cuts of payroll.contributions.v1 = counted"] == 11
    assert sides["submitted cents = accepted + rejected + held + parked"] == 16923 + 8461 + 50008 + 10999 + 7777 + 3333
    assert sides["confirmed = filled cents"] > 0
    assert sides["units by the journal + in flight + parked = the custodian's"] > 0


SOME_REQUEST = "(SELECT min(identity::text)::uuid FROM identities WHERE trade_date = '2026-11-20')"
TAMPERED = {
    "a cent more accepted": (
        "contribution",
        f"UPDATE identities SET accepted = accepted + 1 WHERE identity = {SOME_REQUEST}",
        "accepted cents of decisions = of journal lines",
    ),
    "a line that asks for more": (
        "contribution",
        "UPDATE journal SET requested = requested + 1 WHERE kind = 'line' AND payroll_id = 's000-S1'",
        "submitted cents = accepted + rejected + held + parked (s000-BETA s000-S1)",
    ),
    "a request nobody remembers": (
        "contribution",
        f"DELETE FROM identities WHERE identity = {SOME_REQUEST}",
        "payroll records without an outcome",
    ),
    "a miscounted record": (
        "contribution",
        "UPDATE input_counts SET records = records + 1 WHERE outcome = 'duplicates'",
        "counted offsets of payroll.contributions.v1 = outcomes",
    ),
    "a cent moved between a split's legs": (
        "allocation",
        "UPDATE journal SET leg_cents[1] = leg_cents[1] + 1, leg_cents[2] = leg_cents[2] - 1"
        " WHERE kind = 'split' AND cardinality(leg_cents) > 1",
        "digest of split legs = of instructed legs",
    ),
    "a cent moved between the funds of a split, its legs as they were": (
        "allocation",
        "UPDATE journal SET amounts[1] = amounts[1] + 1, amounts[2] = amounts[2] - 1"
        " WHERE kind = 'split' AND cardinality(amounts) > 2",
        "journal entries of allocation whose funds are not the sums of their legs",
    ),
    "a cent moved between the funds of an instruction, its legs as they were": (
        "trading",
        "UPDATE journal SET amounts[1] = amounts[1] + 1, amounts[2] = amounts[2] - 1"
        " WHERE kind = 'instruct' AND cardinality(amounts) > 2",
        "journal entries of trading whose funds are not the sums of their legs",
    ),
    "another participant's name on a leg": (
        "trading",
        "UPDATE order_legs SET participants[1] = 'somebody'",
        "digest of instructed legs = of order legs",
    ),
    "an order nobody was told of": (
        "trading",
        "UPDATE orders SET amount = amount + 1 WHERE order_id = (SELECT min(order_id) FROM orders)",
        "orders in the books = in the public log",
    ),
    "a fill that valuation lost": (
        "valuation",
        "DELETE FROM journal WHERE order_id = (SELECT min(order_id) FROM journal)",
        "filled + freed = posted + parked units",
    ),
    "a cent more on a balance": (
        "valuation",
        "UPDATE balances SET cents = cents + 1 WHERE participant_id = 's000-P1'",
        "balances that differ from their recomputation",
    ),
    "a unit more in a snapshot": (
        "valuation",
        "UPDATE balances SET holdings = jsonb_set(holdings::jsonb, ARRAY["
        "(SELECT min(k) FROM json_object_keys(holdings) AS k), '0'], '1')::json WHERE participant_id = 's000-P1'",
        "positions that differ between journal and snapshot",
    ),
    "a share the custodian does not have": (
        "valuation",
        "UPDATE custodian_holdings SET shares = '0.001'",
        "units by the journal + in flight + parked = the custodian's",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_tampered_books_are_not_proven(config: Settings, what: str) -> None:
    service, statement, equation = TAMPERED[what]
    async with open_for_tampering(config) as books:
        assert await getattr(books, service).connection.execute(statement) not in ("UPDATE 0", "DELETE 0")
        proof = await prove_books(books, config, FIRST)
    assert equation in broken(proof)
    assert not proof.ok


async def test_a_date_that_is_not_closed_can_not_be_proven(config: Settings, operated: Cluster) -> None:
    with pytest.raises(NotClosed):
        await prove(config, date(2027, 1, 4))
    found = await command(operated, "prove", "2027-01-04")
    assert found.exit_code == 1
    assert not json.loads(found.stdout)["ok"]


async def test_the_command_prints_every_equation_and_the_hash(operated: Cluster) -> None:
    found = await command(operated, "prove", SECOND.isoformat(), "--hash")
    document = json.loads(found.stdout)
    assert found.exit_code == 0
    assert document["ok"]
    assert document["engine"] == {"status": "proven", "broken": []}
    assert len(document["hash"]) == 32


async def test_the_state_hash_is_the_same_on_one_partition(config: Settings, tmp_path: Path) -> None:
    mine = await state_hash(config, SECOND)
    other = await operated_cluster(tmp_path, partitions=1)
    try:
        theirs = await state_hash(of_folder(other.folder), SECOND)
    finally:
        await other.stop()
    assert mine.differing_tables(theirs) == []
    assert mine.differing_buckets(theirs) == []
    assert mine.overall == theirs.overall


async def test_the_state_hash_sees_a_single_cent(config: Settings) -> None:
    before = await state_hash(config, SECOND)
    async with open_for_tampering(config) as books:
        await books.allocation.connection.execute(
            "UPDATE journal SET leg_cents[1] = leg_cents[1] + 1 WHERE entry = (SELECT min(entry) FROM journal)"
        )
        after = await hash_books(books, SECOND)
    assert before.differing_tables(after) == ["allocation splits"]
    assert before.overall != after.overall


# -- explain ---------------------------------------------------------------------------------------------------------


async def test_a_balance_is_explained_from_the_line_to_the_fill(config: Settings) -> None:
    story = await explain(config, "s000-P3", FIRST)
    (line,) = story["lines"]
    assert line["receipt"]["status"] == "partially_accepted"
    assert line["receipt"]["requested_cents"] == 10999
    assert line["receipt"]["credited"] == {"roth": 9999}
    assert line["run"]["released_for"] == FIRST.isoformat()
    (split,) = line["split"]
    assert split["election"]["percent"] == {"all": {"s000-F1": "33.3300", "s000-F2": "66.6700"}}
    assert sum(leg["cents"] for leg in split["legs"]) == 9999
    by_fund = {order["fund_id"]: order for order in story["orders"]}
    # The custodian mistook the price of F1 first; the corrected confirmation is the one that was filled.
    assert [one["verdict"] for one in by_fund["s000-F1"]["confirmations"]] == [
        "broken:PRICE_MISMATCH", f"accepted:{FIRST.isoformat()}",
    ]  # fmt: skip
    assert {fill["fund_id"]: fill["cents"] for fill in story["fills"]} == {"s000-F1": 3333, "s000-F2": 6666}
    (balance,) = story["balances"]
    assert [position["cost_cents"] for position in balance["positions"]] == [3333, 6666]


async def test_an_order_that_was_carried_explains_the_fill_of_the_later_date(config: Settings) -> None:
    story = await explain(config, "s000-Q2", SECOND)
    assert story["lines"] == []
    assert [order["own_legs"] for order in story["orders"]] == [{"pre_tax": 1666}]
    assert [fill["order_date"] for fill in story["fills"]] == [SECOND.isoformat()]


async def test_nobody_can_be_explained_who_is_not_known(config: Settings, operated: Cluster) -> None:
    with pytest.raises(NothingKnown):
        await explain(config, "nobody", FIRST)
    assert (await command(operated, "explain", "nobody", FIRST.isoformat())).exit_code == 1
    found = await command(operated, "explain", "s000-P1", FIRST.isoformat())
    assert found.exit_code == 0
    assert json.loads(found.stdout)["participant_id"] == "s000-P1"
    words = ["explain", "s000-P1", FIRST.isoformat(), "--folder", str(operated.folder)]
    tree = await asyncio.to_thread(lambda: CliRunner().invoke(app, words))
    assert "balance in s000-ACME" in tree.stdout


# -- dead letters ----------------------------------------------------------------------------------------------------


async def send_raw(config: Settings, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> None:
    producer = kafka_producer(config)
    await producer.start()
    try:
        partition = murmur2(key) % config.partitions
        await producer.send_and_wait(
            topics.PAYROLL_CONTRIBUTIONS.name, value, key=key, partition=partition, headers=headers
        )
    finally:
        await producer.stop()


async def record_at(config: Settings, topic: str, partition: int, offset: int) -> Any:
    reader = kafka_reader(config)
    await reader.start()
    try:
        place = TopicPartition(topic, partition)
        reader.assign([place])
        reader.seek(place, offset)
        return await asyncio.wait_for(reader.getone(place), 20)
    finally:
        await reader.stop()


STRUCTURED = orjson.dumps(
    {"specversion": "1.0", "id": "x1", "source": SOURCE, "type": "nestwork.unheard-of.v1", "data": {}}
)


@pytest.mark.parametrize(
    ("key", "value", "headers", "code"),
    [
        (b"s000-P1", b"{not json \xff", [("ce_id", b"b1"), ("ce_source", SOURCE.encode()),
                                         ("ce_type", Contribution.ce_type.encode()), ("odd", b"\xe9")], "NOT_JSON"),
        (b"s000-P2", STRUCTURED, [("content-type", b"application/cloudevents+json")], "UNKNOWN_EVENT_TYPE"),
    ],
    ids=["binary mode", "structured mode"],
)  # fmt: skip
async def test_a_dead_letter_is_listed_shown_and_sent_again_as_it_came(
    operated: Cluster, config: Settings, key: bytes, value: bytes, headers: list[tuple[str, bytes]], code: str
) -> None:
    before = {str(letter.id) for letter in await list_letters(config)}
    await send_raw(config, key, value, headers)
    fresh: list[str] = []

    async def is_there() -> bool:
        fresh[:] = [str(one.id) for one in await list_letters(config) if str(one.id) not in before and one.code == code]
        return len(fresh) == 1

    await eventually(is_there, seconds=60)
    (letter,) = fresh
    shown = await show_letter(config, letter)
    assert shown["headers"] == [[name, text.decode("latin-1")] for name, text in headers]
    (dry,) = await replay(config, [letter], by="tester", dry_run=True)
    assert (dry.ok, dry.outcome, dry.offset) == (True, "would send", None)
    (sent,) = await replay(config, [letter], by="tester")
    assert sent.ok
    assert sent.offset is not None
    again = await record_at(config, sent.topic or "", sent.partition or 0, sent.offset)
    assert (again.key, again.value, list(again.headers)) == (key, value, headers)
    (refused,) = await replay(config, [letter], by="tester")
    assert not refused.ok
    assert "by tester" in refused.outcome
    found = await command(operated, "dlq", "replay", letter, "--again", "--by", "somebody")
    assert found.exit_code == 0
    assert (await command(operated, "dlq", "replay", letter)).exit_code == 1
    listed = json.loads((await command(operated, "dlq", "ls")).stdout)["letters"]
    assert "somebody" in next(one["replayed"] for one in listed if one["id"] == letter)


async def test_ids_that_are_not_there_are_refused(operated: Cluster) -> None:
    for letter, exit_code in (("contribution:999999", 1), ("trading:parked:nobody", 1), ("nonsense", 2)):
        assert (await command(operated, "dlq", "show", letter)).exit_code == exit_code
        assert (await command(operated, "dlq", "replay", letter)).exit_code == exit_code


# -- closing days, and participants who are parked meanwhile -----------------------------------------------------------


async def publish(config: Settings, events: Iterable[Outgoing]) -> None:
    async with open_publisher(config) as publisher:
        await publisher.publish(events)


def line(name: str, participant: str, payroll: str, cents: int) -> Outgoing:
    body = {
        "plan_id": "s000-ACME", "participant_id": participant, "payroll_id": payroll, "pay_date": "2026-11-24",
        "compensation_cents": 100_000, "amounts": [{"source": "pre_tax", "cents": cents}],
    }  # fmt: skip
    return Outgoing(
        topics.PAYROLL_CONTRIBUTIONS.name, participant, Contribution.ce_type, SOURCE, name, orjson.dumps(body)
    )


def funding(name: str, payroll: str, cents: int) -> Outgoing:
    body = {"payroll_id": payroll, "plan_id": "s000-ACME", "cents": cents, "reference": name}
    return Outgoing(topics.PAYROLL_RUNS.name, payroll, PayrollFunded.ce_type, SOURCE, name, orjson.dumps(body))


def price(fund: str, day: date, text: str) -> Outgoing:
    body = {"fund_id": fund, "price_date": day.isoformat(), "price": text, "status": "final", "version": 1}
    name = f"{fund}:{day}"
    return Outgoing(topics.MARKET_PRICES.name, name, PriceFact.ce_type, SOURCE, name, orjson.dumps(body))


async def close_and_prove(config: Settings, day: date) -> None:
    await publish(config, [price("s000-F1", day, "24.00"), price("s000-F2", day, "13.00")])
    closing = await close_day(config, day, value=True, seconds=120, tell=lambda _: None)
    assert (closing.state, closing.proof) == ("valued", "proven")
    proof, _ = await prove(config, day)
    assert broken(proof) == set()


def refusing(participant: str, table: str = "journal") -> str:
    """A constraint that one participant's entries meet, as a bug or a full disk of one partition would be."""
    return f"""
    CREATE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'no entry for {participant}' USING ERRCODE = 'check_violation'; END $$;
    CREATE TRIGGER refuse_one BEFORE INSERT ON {table} FOR EACH ROW
        WHEN (NEW.participant_id = '{participant}') EXECUTE FUNCTION refuse_one();"""


ACCEPTING = "DROP FUNCTION refuse_one CASCADE"


async def execute(operated: Cluster, service: str, statement: str) -> None:
    connection = await asyncpg.connect(operated.database_url(service))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def wait_parked(config: Settings, letter: str, items: int) -> None:
    async def is_parked() -> bool:
        return any(str(one.id) == letter and one.items == items for one in await list_letters(config))

    await eventually(is_parked, seconds=60)


async def test_parked_participants_are_freed_and_every_date_is_proven(operated: Cluster, config: Settings) -> None:
    parked = "contribution:parked:s000-P3"
    await execute(operated, "contribution", refusing("s000-P3"))
    await publish(
        config,
        [
            line("t1", "s000-P3", "T1", 10_001),
            line("t2", "s000-P2", "T1", 20_002),
            line("t3", "s000-P3", "T1", 303),
            line("t3", "s000-P3", "T1", 303),
            funding("t-cash", "T1", 20_002),
        ],
    )
    await wait_parked(config, parked, 3)
    (stays,) = await replay(config, [parked], by="tester")
    assert not stays.ok
    assert "no entry for s000-P3" in stays.outcome
    await close_and_prove(config, TUESDAY)

    await execute(operated, "contribution", ACCEPTING)
    (freed,) = await replay(config, [parked], by="tester")
    assert freed.outcome == "freed"
    await publish(config, [funding("t-cash-2", "T1", 10_001 + 303)])
    # The next stage fails too: the released line of another participant is parked on an internal log.
    await execute(operated, "allocation", refusing("s000-P2"))
    await publish(config, [line("u1", "s000-P2", "U1", 5_005), funding("u-cash", "U1", 5_005)])
    await close_and_prove(config, WEDNESDAY)
    story = await explain(config, "s000-P3", WEDNESDAY)
    assert [one["receipt"]["requested_cents"] for one in story["lines"]] == [10_001, 303]
    assert sum(fill["cents"] for fill in story["fills"] if fill["order_date"] == WEDNESDAY.isoformat()) == 10_304

    await wait_parked(config, "allocation:parked:s000-P2", 1)
    await execute(operated, "allocation", ACCEPTING)
    found = await command(operated, "dlq", "replay", "allocation:parked:s000-P2")
    assert found.exit_code == 0, found.stdout
    await close_and_prove(config, FRIDAY)
    story = await explain(config, "s000-P2", FRIDAY)
    assert sum(fill["cents"] for fill in story["fills"] if fill["order_date"] == FRIDAY.isoformat()) == 5_005
    for day in (TUESDAY, WEDNESDAY):
        proof, _ = await prove(config, day)
        assert broken(proof) == set()
    await a_closed_date_is_refused(operated, config)


async def a_closed_date_is_refused(operated: Cluster, config: Settings) -> None:
    with pytest.raises(Refused, match="closed before"):
        await close_day(config, FRIDAY, tell=lambda _: None)
    for day in (FRIDAY, date(2026, 11, 28)):
        found = await command(operated, "day", "close", day.isoformat())
        assert found.exit_code == 1
        assert "refused" in json.loads(found.stdout)["error"]


async def test_a_date_nobody_answers_for_is_valued_as_it_is_and_the_next_one_proves_all(
    operated: Cluster, config: Settings
) -> None:
    """As the runbook tells, while the custodian is away: its answers are posted with the next date."""
    await publish(config, [line("v1", "s000-P1", "V1", 20_000), funding("v-cash", "V1", 20_000)])
    await publish(config, [price("s000-F1", MONDAY, "24.00"), price("s000-F2", MONDAY, "13.00")])
    operated.hold("custodian")
    operated.process("custodian").identity.send(9)
    try:
        with pytest.raises(Refused, match="not closed yet"):
            await value_only(config, MONDAY)
        assert (await close_day(config, MONDAY, seconds=60, tell=lambda _: None)).state == "closed"
        refused = await command(operated, "day", "close", MONDAY.isoformat(), "--value", "--timeout", "2")
        assert (refused.exit_code, "every order to be answered" in refused.stdout) == (1, True)
        with pytest.raises(NotInTime, match="holdings"):
            await close_day(config, MONDAY, value=True, as_is=True, seconds=5, tell=lambda _: None)
    finally:
        operated.release("custodian")
    assert (await close_day(config, MONDAY, value=True, seconds=90, tell=lambda _: None)).state == "valued"
    await answered(config, MONDAY)
    await close_and_prove(config, date(2026, 12, 1))


async def test_dates_are_proven_over_a_parked_fill_and_the_balances_it_names_are_not_final(
    operated: Cluster, config: Settings
) -> None:
    """One of two participants of a lane can't be posted: the fill of the order waits there, for him and the other."""
    home = murmur2(b"s000-P2") % config.partitions
    fresh = next(name for n in range(100) if murmur2((name := f"s000-N{n}").encode()) % config.partitions == home)
    await execute(operated, "valuation", refusing("s000-P2", "positions"))
    await publish(
        config,
        [census(fresh), line("w1", "s000-P2", "W1", 40_004), line("w2", fresh, "W1", 12_000),
         funding("w-cash", "W1", 52_004)],
    )  # fmt: skip
    await close_and_prove(config, WAITS)
    parked = [str(one.id) for one in await list_letters(config) if str(one.id).startswith("valuation:parked:")]
    assert len(parked) == 1
    assert await shown(operated, "s000-P2", WAITS) == (None, False)
    assert await shown(operated, fresh, WAITS) == (None, False)
    assert (await shown(operated, "s000-Q1", WAITS))[1]
    await close_and_prove(config, WAITS_STILL)
    assert await shown(operated, "s000-P2", WAITS_STILL) == (None, False)

    await execute(operated, "valuation", ACCEPTING)
    found = await command(operated, "dlq", "replay", *parked)
    assert found.exit_code == 0, found.stdout
    await close_and_prove(config, FREED)
    assert (await shown(operated, "s000-P2", FREED))[1]
    assert await shown(operated, fresh, FREED) == (12_000, True)
    assert await shown(operated, fresh, WAITS_STILL) == (None, False)
    for day in (WAITS, WAITS_STILL):
        proof, _ = await prove(config, day)
        assert broken(proof) == set()


def census(participant: str) -> Outgoing:
    body = {"plan_id": "s000-ACME", "participant_id": participant, "birth_date": "1986-03-02",
            "hire_date": "2020-01-06"}  # fmt: skip
    return Outgoing(
        topics.PARTICIPANT_CENSUS.name, participant, Census.ce_type, SOURCE, participant, orjson.dumps(body)
    )


async def shown(operated: Cluster, participant: str, day: date) -> tuple[int | None, bool]:
    """The balance that is shown, and whether it is final."""
    url = f"{operated.web_url('valuation')}/v1/participants/{participant}/balance?as_of={day}"
    status, answer = await page(url)
    assert status == 200, answer
    return answer["balance_cents"], answer["is_final"]


async def answered(config: Settings, day: date) -> None:
    """Wait until the custodian has said something about every order of a date."""
    missing = (
        "SELECT count(*) FROM orders AS o WHERE trade_date = $1"
        " AND NOT EXISTS (SELECT FROM confirmations AS c WHERE c.order_id = o.order_id)"
    )
    async with await open_pool("nestwork_trading", config, size=1) as trading:

        async def none_is() -> bool:
            return await trading.fetchval(missing, day) == 0

        await eventually(none_is, seconds=60)


async def value_only(config: Settings, day: date) -> None:
    async with await open_pool("nestwork_trading", config, size=1) as trading:
        closer = Closer(config, day, trading, trading, deadline=time.monotonic() + 30, tell=lambda _: None)
        await closer.command(ValueRequested, "value")


async def test_a_date_without_orders_waits_for_the_prices_of_what_is_held(operated: Cluster, config: Settings) -> None:
    await publish(config, [price("s000-F1", LATE_PRICE, "24.00")])
    assert (await close_day(config, LATE_PRICE, seconds=60, tell=lambda _: None)).state == "closed"
    with pytest.raises(NotInTime, match="final price"):
        await close_day(config, LATE_PRICE, value=True, seconds=3, tell=lambda _: None)
    _, answer = await page(f"{operated.web_url('trading')}/v1/days/{LATE_PRICE}")
    assert answer["funds_without_final_price"] == ["s000-F2"]
    await close_and_prove(config, LATE_PRICE)
    assert (await shown(operated, "s000-P1", LATE_PRICE))[1]
    closing = await close_day(config, NO_PRICE, value=True, as_is=True, seconds=90, tell=lambda _: None)
    assert (closing.state, closing.proof) == ("valued", "proven")
    assert await shown(operated, "s000-P1", NO_PRICE) == (None, False)


async def test_trading_counts_of_each_fund_what_participants_hold(operated: Cluster, config: Settings) -> None:
    async with open_for_tampering(config) as books:
        traded = await books.trading.rows("SELECT fund_id, units::bigint AS units FROM fund_units ORDER BY fund_id")
        held = await books.valuation.rows(
            "SELECT fund_id, sum(units)::bigint AS units FROM lane_holdings WHERE trade_date ="
            " (SELECT max(trade_date) FROM lane_holdings) GROUP BY fund_id ORDER BY fund_id"
        )
    assert [tuple(row) for row in traded] == [tuple(row) for row in held]


async def test_a_run_that_vanishes_while_it_waits_breaks_the_proof_of_the_next_date(
    operated: Cluster, config: Settings
) -> None:
    """The figure of the date before is what was stated then, so rows that are gone can't agree with themselves."""
    await publish(config, [line("x1", "s000-P1", "X1", 70_007)])
    await close_and_prove(config, VANISHES)
    await execute(operated, "contribution", "DELETE FROM run_parts WHERE payroll_id = 'X1'")
    await publish(config, [price(fund, AFTER, "24.00") for fund in ("s000-F1", "s000-F2")])
    closing = await close_day(config, AFTER, value=True, seconds=120, tell=lambda _: None)
    assert (closing.state, closing.proof) == ("valued", "broken")
    proof, _ = await prove(config, AFTER)
    assert proof.engine_broken == ["credited + open before = released + open cents"]


async def test_a_close_that_takes_too_long_says_what_it_waits_for(operated: Cluster, config: Settings) -> None:
    operated.hold("trading-0")
    operated.kill_worker("trading")
    try:
        with pytest.raises(NotInTime, match="trading's answer"):
            await close_day(config, date(2026, 12, 31), seconds=2, tell=lambda _: None)
    finally:
        operated.release("trading-0")
    await operated.wait_ready("trading")
