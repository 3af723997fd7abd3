"""Leadership moves from broker to broker as an operator moves it: cleanly, of many partitions at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeAlias

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import AlterPartitionReassignmentsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

from shared.runtime.clients import kafka_admin

if TYPE_CHECKING:
    from tests.support.chaos_field import Field

ANSWER_MS = 20_000
MOVED_SECONDS = 30.0
PREFERRED = 0
Place = tuple[str, int]
"""Topic and partition."""


class ElectLeadersResponse_v1(Response):
    """What became of each partition's election."""

    API_KEY, API_VERSION = 43, 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                (
                    "partitions",
                    Array(("partition", Int32), ("error_code", Int16), ("error_message", String("utf-8"))),
                ),
            ),
        ),
    )


class ElectLeadersRequest_v1(RequestStruct):
    """The client library has no such request."""

    API_KEY, API_VERSION = 43, 1
    RESPONSE_TYPE = ElectLeadersResponse_v1
    SCHEMA = Schema(
        ("election_type", Int8),
        ("topics", Array(("topic", String("utf-8")), ("partitions", Array(Int32)))),
        ("timeout_ms", Int32),
    )


ElectLeadersStruct: TypeAlias = ElectLeadersRequest_v1


class ElectLeaders(Request[ElectLeadersStruct]):
    """Let the first replica of each partition lead."""

    API_KEY = 43

    def __init__(self, places: list[Place]) -> None:
        self.places = places

    def build(self, request_struct_class: type[ElectLeadersStruct]) -> ElectLeadersStruct:
        """The request as it is sent."""
        return request_struct_class(PREFERRED, list(by_topic(dict.fromkeys(self.places)).items()), ANSWER_MS)


def by_topic(places: dict[Place, Any]) -> dict[str, list[int]]:
    """Partitions by topic."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for topic, partition in places:
        found[topic].append(partition)
    return dict(found)


def turned(replicas: list[int], leader: int) -> list[int]:
    """The same replicas, another one than the leader first."""
    at = replicas.index(leader) + 1
    return replicas[at:] + replicas[:at]


async def leaders_moved(field: Field) -> None:
    """Half of all partitions, those of groups and positions too, get another leader, without anybody dying."""
    admin = kafka_admin(field.settings)
    await admin.start()
    try:
        found = await _led(admin)
        chosen = field.dice.sample(sorted(found), len(found) // 2)
        wanted = {place: turned(found[place][1], found[place][0]) for place in chosen}
        await _reorder(admin, wanted)
        await admin._send_to_controller(ElectLeaders(chosen))
        field.say(f"{await _moved(admin, wanted)} of {len(found)} partitions")
    finally:
        await admin.close()


async def _led(admin: AIOKafkaAdminClient) -> dict[Place, tuple[int, list[int]]]:
    """Each partition's leader and replicas, where all is well with it."""
    found = {}
    for topic in await admin.describe_topics():
        for one in topic["partitions"]:
            if one["leader"] in one["replicas"] and sorted(one["isr"]) == sorted(one["replicas"]):
                found[topic["topic"], one["partition"]] = (one["leader"], one["replicas"])
    return found


async def _reorder(admin: AIOKafkaAdminClient, wanted: dict[Place, list[int]]) -> None:
    """The same replicas in another order: the first is the preferred one. No data moves."""
    topics = [
        (topic, [(partition, wanted[topic, partition], {}) for partition in partitions], {})
        for topic, partitions in by_topic(wanted).items()
    ]
    answer = await admin._send_to_controller(AlterPartitionReassignmentsRequest(ANSWER_MS, topics, {}))
    assert answer.error_code == 0, answer


async def _moved(admin: AIOKafkaAdminClient, wanted: dict[Place, list[int]]) -> int:
    """Wait until every one of them has the leader it should have; returns how many have."""
    deadline = asyncio.get_running_loop().time() + MOVED_SECONDS
    while True:
        led = await _led(admin)
        moved = sum(led.get(place, (0,))[0] == replicas[0] for place, replicas in wanted.items())
        if moved == len(wanted) or asyncio.get_running_loop().time() > deadline:
            assert moved, "no leader moved"
            return moved
        await asyncio.sleep(0.2)
