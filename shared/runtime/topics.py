"""Create the catalogue's topics: ``python -m shared.runtime.topics``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.events.topics import ALL_TOPICS, Topic
from shared.runtime.clients import kafka_admin
from shared.runtime.errors import NestworkError, PartitionCountDiffers
from shared.runtime.settings import Settings, settings


def partition_count(topic: Topic, config: Settings) -> int:
    """P for partitioned topics, 1 for the others."""
    return config.partitions if topic.partitioned else 1


async def create_topics(config: Settings | None = None) -> None:
    """Create what is missing and check the partition counts of what is there."""
    config = config or settings()
    admin = kafka_admin(config)
    await admin.start()
    try:
        present = await _present(admin, ALL_TOPICS, config)
        missing = [topic for topic in ALL_TOPICS if topic.name not in present]
        if missing:
            await _create(admin, missing, config)
    finally:
        await admin.close()


async def check_topics(topics: Iterable[Topic], config: Settings) -> None:
    """Raise ``PartitionCountDiffers`` when one of these has another count; what is not there yet is not judged."""
    admin = kafka_admin(config)
    await admin.start()
    try:
        await _present(admin, topics, config)
    finally:
        await admin.close()


async def _present(admin: AIOKafkaAdminClient, topics: Iterable[Topic], config: Settings) -> set[str]:
    """The names of those that exist. Raises ``PartitionCountDiffers``."""
    found = {one["topic"]: len(one["partitions"]) for one in await admin.describe_topics()}
    present = [topic for topic in topics if topic.name in found]
    for topic in present:
        if found[topic.name] != partition_count(topic, config):
            raise PartitionCountDiffers(f"topic {topic.name}", found[topic.name], partition_count(topic, config))
    return {topic.name for topic in present}


async def _create(admin: AIOKafkaAdminClient, missing: list[Topic], config: Settings) -> None:
    response = await admin.create_topics(
        [
            NewTopic(
                topic.name,
                num_partitions=partition_count(topic, config),
                replication_factor=config.kafka_replication_factor,
                topic_configs=dict(topic.config),
            )
            for topic in missing
        ]
    )
    for name, code, *_ in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise NestworkError(f"topic {name} could not be created: {error.__name__}")


if __name__ == "__main__":
    try:
        asyncio.run(create_topics())
    except PartitionCountDiffers as differs:
        sys.exit(str(differs))
