"""Create the catalogue's topics: ``python -m shared.runtime.topics``."""

from __future__ import annotations

import asyncio

from aiokafka.admin import NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from shared.events.topics import ALL_TOPICS, Topic
from shared.runtime.clients import kafka_admin
from shared.runtime.errors import NestworkError
from shared.runtime.settings import Settings, settings


class PartitionCountDiffers(NestworkError):
    """A topic exists with another number of partitions than this cluster is configured for."""


def partition_count(topic: Topic, config: Settings) -> int:
    """P for partitioned topics, 1 for the others."""
    return config.partitions if topic.partitioned else 1


async def create_topics(config: Settings | None = None) -> None:
    """Create what is missing and check the partition counts of what is there."""
    config = config or settings()
    admin = kafka_admin(config)
    await admin.start()
    try:
        present = {found["topic"]: len(found["partitions"]) for found in await admin.describe_topics()}
        missing = [topic for topic in ALL_TOPICS if topic.name not in present]
        for topic in ALL_TOPICS:
            if topic.name in present and present[topic.name] != partition_count(topic, config):
                raise PartitionCountDiffers(
                    f"{topic.name} has {present[topic.name]} partitions, not {partition_count(topic, config)}"
                )
        if missing:
            await _create(admin, missing, config)
    finally:
        await admin.close()


async def _create(admin: object, missing: list[Topic], config: Settings) -> None:
    response = await admin.create_topics(  # type: ignore[attr-defined]
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
    asyncio.run(create_topics())
