"""The orders of a date as outsiders read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson

from deploy.operate.partitions import places_of
from shared.events.topics import CUSTODIAN_ORDERS
from shared.runtime.clients import kafka_reader
from shared.runtime.settings import Settings
from shared.values.shares import units_of

POLL_MS = 500


async def orders_said(config: Settings, day: date, decimals: Mapping[str, int]) -> dict[str, int]:
    """Cents, or share units, by order id of every order of ``day`` in the public log; a repeat counts once.

    An order that was said with different amounts counts with their sum, so that no book can agree with it.
    """
    places = await places_of(config, CUSTODIAN_ORDERS.name)
    consumer = kafka_reader(config)
    await consumer.start()
    try:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        said: dict[str, set[int]] = {}
        waiting = [place for place in places if ends[place]]
        while waiting:
            for records in (await consumer.getmany(*waiting, timeout_ms=POLL_MS)).values():
                for record in records:
                    body = orjson.loads(record.value)
                    if body["trade_date"] == day.isoformat():
                        said.setdefault(body["order_id"], set()).add(_amount(body, decimals))
            waiting = [place for place in waiting if await consumer.position(place) < ends[place]]
        return {order: sum(amounts) for order, amounts in said.items()}
    finally:
        await consumer.stop()


def _amount(body: dict[str, Any], decimals: Mapping[str, int]) -> int:
    if body.get("cents") is not None:
        return int(body["cents"])
    return units_of(body["shares"], decimals[body["fund_id"]])
