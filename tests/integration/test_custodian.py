"""The simulated custodian as a real process on real Kafka and PostgreSQL: killed, restarted, and still of one word."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.cluster import Infrastructure
from deploy.scenarios.facts import Outgoing
from deploy.scenarios.publisher import Publisher
from shared.events import topics
from shared.events.envelope import event_headers
from shared.runtime.migrations import create_database
from shared.runtime.records import VALUE_CUT
from shared.runtime.settings import Settings
from shared.runtime.signing import SIGNATURE_HEADER, sign_marker
from shared.runtime.topics import create_topics
from shared.values.shares import units_of
from tests.support.waiting import eventually

DAY = "2026-11-24"
SECRET = "a key only the engine and the custodian know"
FUNDS = ("F1", "F2", "F3")
PLANS = ("ACME", "BETA")
ORDER_COUNT = 600

Said = dict[tuple[str, int], set[bytes]]
"""Distinct bytes by (order id, version)."""


@dataclass
class Ground:
    """A broker, a database, and the environment that points the custodian at them."""

    environment: dict[str, str]
    config: Settings

    @asynccontextmanager
    async def publisher(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(bootstrap_servers=self.config.kafka_bootstrap_servers, enable_idempotence=True)
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()

    async def start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "deploy.custodian", env=os.environ | self.environment
        )


@pytest_asyncio.fixture(scope="module")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    infrastructure = await Infrastructure.start(
        tmp_path_factory.mktemp("custodian"), postgres_settings={"shared_buffers": "'128MB'"}
    )
    try:
        environment = infrastructure.environment() | {"NESTWORK_PARTITIONS": "4", "NESTWORK_MARKER_KEY": SECRET}
        environment.pop("NESTWORK_MARKER_KEY_FILE", None)
        config = Settings.model_validate(environment)
        await create_topics(config)
        await create_database("nestwork_custodian", config)
        yield Ground(environment, config)
    finally:
        await infrastructure.stop()


def an_order(number: int) -> Outgoing:
    body = {
        "order_id": f"order-{number}",
        "plan_id": PLANS[number % len(PLANS)],
        "fund_id": FUNDS[number % len(FUNDS)],
        "trade_date": DAY,
        "side": "buy",
        "cents": 1_000 + number,
        "shares": None,
    }
    order_id = f"order-{number}"
    name = topics.CUSTODIAN_ORDERS.name
    return Outgoing(name, order_id, "nestwork.custodian.order.v1", "/test", order_id, orjson.dumps(body))


def a_fund(fund: str) -> Outgoing:
    body = orjson.dumps({"fund_id": fund, "share_decimals": 3})
    return Outgoing(topics.FUNDS.name, fund, "nestwork.fund.v1", "/test", fund, body)


def a_price(fund: str) -> Outgoing:
    body = {"fund_id": fund, "price_date": DAY, "price": "12.34", "status": "final", "version": 1}
    key = f"{fund}:{DAY}"
    return Outgoing(topics.MARKET_PRICES.name, key, "nestwork.market.price.v1", "/test", key, orjson.dumps(body))


async def mark_value_cut(producer: AIOKafkaProducer, secret: str) -> None:
    topic = topics.MARKET_PRICES.name
    headers = event_headers(ce_id=f"cut:{DAY}", ce_source="/nestwork/trading", ce_type=VALUE_CUT)
    signature = sign_marker(secret.encode(), VALUE_CUT, DAY, topic, 0)
    value = orjson.dumps({"trade_date": DAY})
    await producer.send_and_wait(topic, value, partition=0, headers=[*headers, (SIGNATURE_HEADER, signature)])


class Listener:
    """Everything the custodian has published."""

    def __init__(self) -> None:
        self.said: Said = defaultdict(set)
        self.ids_by_answer: dict[tuple[str, int], set[bytes]] = defaultdict(set)
        self.holdings: dict[bytes, dict[str, object]] = {}

    async def follow(self, config: Settings) -> None:
        consumer = AIOKafkaConsumer(
            topics.CUSTODIAN_CONFIRMATIONS.name,
            topics.CUSTODIAN_HOLDINGS.name,
            bootstrap_servers=config.kafka_bootstrap_servers,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            async for record in consumer:
                body, ce_id = orjson.loads(record.value), dict(record.headers)["ce_id"]
                if record.topic == topics.CUSTODIAN_HOLDINGS.name:
                    self.holdings[ce_id] = body
                else:
                    self.said[body["order_id"], body["version"]].add(record.value)
                    self.ids_by_answer[body["order_id"], body["version"]].add(ce_id)
        finally:
            await consumer.stop()


@asynccontextmanager
async def a_listener(config: Settings) -> AsyncIterator[Listener]:
    listener = Listener()
    task = asyncio.create_task(listener.follow(config))
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def stop(custodian: asyncio.subprocess.Process) -> int:
    custodian.send_signal(signal.SIGTERM)
    return await asyncio.wait_for(custodian.wait(), 15)


def booked_units(said: Said) -> dict[tuple[str, str], int]:
    """Shares by (plan, fund) as the last word on each order says."""
    units: defaultdict[tuple[str, str], int] = defaultdict(int)
    last: dict[str, dict[str, object]] = {}
    for (order_id, _), values in sorted(said.items()):
        last[order_id] = orjson.loads(next(iter(values)))
    for order_id, body in last.items():
        if body["shares"] is not None:
            number = int(order_id.removeprefix("order-"))
            place = (PLANS[number % len(PLANS)], FUNDS[number % len(FUNDS)])
            units[place] += units_of(str(body["shares"]), 3)
    return dict(units)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_killed_again_and_again_the_custodian_neither_loses_nor_changes_an_answer(
    ground: Ground, tmp_path: Path
) -> None:
    actions = tmp_path / "actions.json"
    actions.write_text(json.dumps([{"fund": "F3", "trade_date": DAY, "side": "buy", "action": "late", "plan": "BETA"}]))
    rates = {"REJECT": "0.1", "DUPLICATE": "0.1", "MISPRICE": "0.1", "WRONG_SHARES": "0.1"}
    ground.environment |= {f"NESTWORK_CUSTODIAN_RATE_{name}": rate for name, rate in rates.items()}
    ground.environment |= {"NESTWORK_CUSTODIAN_ACTIONS": str(actions), "NESTWORK_CUSTODIAN_SEED": "7"}
    chance = random.Random(7)
    orders = [an_order(number) for number in range(ORDER_COUNT)]
    late = {f"order-{n}" for n in range(ORDER_COUNT) if n % 3 == 2 and n % 2 == 1}

    async with ground.publisher() as producer, a_listener(ground.config) as listener:
        publisher = Publisher(producer)
        custodian = await ground.start()
        try:
            await publisher.publish([a_fund(fund) for fund in FUNDS])
            for start in range(0, ORDER_COUNT, 100):
                await publisher.publish(chance.sample(orders[: start + 100], start + 100))
                if start == 200:
                    await publisher.publish([a_price(fund) for fund in FUNDS])
                await asyncio.sleep(chance.uniform(0.3, 1.5))
                custodian.kill()
                await custodian.wait()
                custodian = await ground.start()

            async def all_answered() -> bool:
                return len({order_id for order_id, _ in listener.said}) == ORDER_COUNT

            await eventually(all_answered, seconds=30)
            await mark_value_cut(producer, "somebody else's key")
            await mark_value_cut(producer, SECRET)
            await asyncio.sleep(chance.uniform(0.0, 0.3))
            custodian.kill()
            await custodian.wait()
            before_late = booked_units({key: value for key, value in listener.said.items() if key[0] not in late})
            custodian = await ground.start()

            async def late_ones_confirmed() -> bool:
                return all((order_id, 2) in listener.said for order_id in late) and bool(listener.holdings)

            await eventually(late_ones_confirmed, seconds=30)
            assert await stop(custodian) == 0
        finally:
            if custodian.returncode is None:
                custodian.kill()
                await custodian.wait()

    assert {len(values) for values in listener.said.values()} == {1}
    assert {len(ids) for ids in listener.ids_by_answer.values()} == {1}
    (report,) = listener.holdings.values()
    held = {(row["plan_id"], row["fund_id"]): units_of(row["shares"], 3) for row in report["positions"]}  # type: ignore[attr-defined]
    assert held == before_late
    statuses = {orjson.loads(next(iter(values)))["status"] for values in listener.said.values()}
    assert statuses == {"pending", "confirmed", "rejected", "corrected"}
