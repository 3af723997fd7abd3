"""The reader of the money plane is given and taken lanes all the time; it must not miss the first records."""

from __future__ import annotations

import asyncio
import random

from aiokafka import AIOKafkaProducer, TopicPartition

from deploy.cluster import Infrastructure
from shared.runtime.clients import kafka_reader
from shared.runtime.intake import Intake
from shared.runtime.settings import Settings
from tests.chaos.conftest import SEED
from tests.support.cluster import unique_topics

ROUNDS = 40


async def test_a_reassignment_during_a_fetch_misses_no_record(infrastructure: Infrastructure) -> None:
    (topic,) = await unique_topics(infrastructure, "reassigned", partitions=1)
    async with AIOKafkaProducer(bootstrap_servers=infrastructure.bootstrap, acks="all") as producer:
        for number in range(50):
            await producer.send_and_wait(topic, b"%d" % number, partition=0)
    config = Settings(KAFKA_BOOTSTRAP_SERVERS=infrastructure.bootstrap)
    place, dice, firsts = TopicPartition(topic, 0), random.Random(SEED), set()
    intake = Intake(asyncio.Event(), lambda: kafka_reader(config))
    await intake.start()
    running = asyncio.create_task(intake.run())
    try:
        for _ in range(ROUNDS):
            intake.assign({place: 50})
            await asyncio.sleep(dice.uniform(0, 0.15))
            intake.assign({place: 0})
            intake.arrived.clear()
            async with asyncio.timeout(20):
                await intake.arrived.wait()
            firsts.add(intake.buffers[place].records[0].offset)
    except TimeoutError:
        firsts.add(-1)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await intake.stop()
    assert firsts == {0}
