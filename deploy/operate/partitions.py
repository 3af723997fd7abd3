"""How many partitions a topic really has."""

from __future__ import annotations

from aiokafka import TopicPartition

from deploy.operate.target import OperatorError
from shared.runtime.clients import kafka_admin
from shared.runtime.settings import Settings


async def places_of(config: Settings, topic: str) -> list[TopicPartition]:
    """Every partition of ``topic``, in order. Raises ``OperatorError`` when the broker does not know it."""
    admin = kafka_admin(config)
    await admin.start()
    try:
        described = await admin.describe_topics([topic])
    finally:
        await admin.close()
    numbers = sorted(part["partition"] for found in described for part in found["partitions"])
    if not numbers:
        raise OperatorError(f"the broker has no topic {topic}")
    return [TopicPartition(topic, number) for number in numbers]
