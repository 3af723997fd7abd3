"""Judges a run by its public topics alone: every input answered once, every order said once."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import orjson
from aiokafka import TopicPartition

from shared.events.topics import ALL_TOPICS, CUSTODIAN_ORDERS, PAYROLL_CONTRIBUTIONS, PAYROLL_RECEIPTS, Topic
from shared.runtime.clients import kafka_producer, kafka_reader
from shared.runtime.records import MARKERS
from shared.runtime.settings import Settings
from shared.runtime.topics import partition_count

Request = tuple[str, str]


async def read_log(config: Settings, topic: str) -> list[Any]:
    """Every committed record of a partitioned topic up to its present end, markers left out."""
    found = await read_whole_log(config, next(one for one in ALL_TOPICS if one.name == topic))
    return [record for record in found if dict(record.headers).get("ce_type", b"").decode() not in MARKERS]


async def read_whole_log(config: Settings, topic: Topic) -> list[Any]:
    """Every committed record of a topic up to its present end."""
    reader = kafka_reader(config)
    await reader.start()
    try:
        places = [TopicPartition(topic.name, partition) for partition in range(partition_count(topic, config))]
        reader.assign(places)
        await reader.seek_to_beginning(*places)
        ends = await reader.end_offsets(places)
        found: list[Any] = []
        while any([await reader.position(place) < ends[place] for place in places]):
            for records in (await reader.getmany(timeout_ms=500)).values():
                found += records
    finally:
        await reader.stop()
    return found


async def resend_to_wrong_partitions(config: Settings, count: int) -> None:
    """Send the first records of the payroll log once more, each to the partition after its own."""
    records = sorted(await read_log(config, PAYROLL_CONTRIBUTIONS.name), key=lambda one: (one.key, one.offset))
    producer = kafka_producer(config)
    await producer.start()
    try:
        for record in records[:count]:
            wrong = (record.partition + 1) % config.partitions
            await producer.send_and_wait(
                record.topic, record.value, key=record.key, partition=wrong, headers=list(record.headers)
            )
    finally:
        await producer.stop()


async def complaints(config: Settings) -> list[str]:
    """What is wrong with the answers and orders that outsiders saw; empty when all is well."""
    asked: Counter[Request] = Counter()
    for record in await read_log(config, PAYROLL_CONTRIBUTIONS.name):
        headers = dict(record.headers)
        asked[headers["ce_source"].decode(), headers["ce_id"].decode()] += 1
    receipts = await read_log(config, PAYROLL_RECEIPTS.name)
    orders = await read_log(config, CUSTODIAN_ORDERS.name)
    return [*_unstable(receipts), *_unstable(orders), *_answers(asked, receipts), *_orders(orders)]


def _unstable(records: list[Any]) -> list[str]:
    said: dict[tuple[str, str], bytes] = {}
    found = []
    for record in records:
        name = (record.topic, dict(record.headers)["ce_id"].decode())
        if said.setdefault(name, record.value) != record.value:
            found.append(f"{name} was said twice with different bodies")
    return found


def _answers(asked: Counter[Request], receipts: list[Any]) -> list[str]:
    """One receipt id per sending (``held`` apart, which is followed by a final one), one decision per request."""
    ids: defaultdict[Request, set[str]] = defaultdict(set)
    decisions: defaultdict[Request, set[bytes]] = defaultdict(set)
    for record in receipts:
        body = orjson.loads(record.value)
        request = (body["request"]["source"], body["request"]["id"])
        codes = {code["code"] for code in body["codes"]}
        if body["status"] == "held":
            continue
        ids[request].add(dict(record.headers)["ce_id"].decode())
        if body["status"] != "duplicate" and "IDEMPOTENCY_MISMATCH" not in codes:
            decisions[request].add(record.value)
    found = [f"{request} was sent {times} times and answered {len(ids[request])} times"
             for request, times in asked.items() if len(ids[request]) != times]  # fmt: skip
    found += [f"{request} has {len(decisions[request])} decisions" for request in asked if len(decisions[request]) != 1]
    return found + [f"{request} was answered and never sent" for request in ids if request not in asked]


def _orders(orders: list[Any]) -> list[str]:
    """An order's business key belongs to one order id."""
    by_key: defaultdict[tuple[Any, ...], set[str]] = defaultdict(set)
    for record in orders:
        body = orjson.loads(record.value)
        unit = "cents" if body.get("cents") is not None else "shares"
        key = tuple(body.get(name) for name in ("plan_id", "fund_id", "side", "trade_date", "wave"))
        by_key[*key, unit].add(body["order_id"])
    return [f"order {key} was given {len(ids)} times" for key, ids in by_key.items() if len(ids) > 1]
