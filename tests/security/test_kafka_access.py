"""Kafka with TLS, SCRAM and access lists: every user can do his work, and nothing beside it."""

from __future__ import annotations

import ssl
from contextlib import suppress

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    NoError,
    TopicAuthorizationFailedError,
)
from aiokafka.protocol.fetch import FetchRequest

from deploy.security import kafka_acls
from deploy.security.access import SERVICES, denied_topics, parties, user_name
from shared.events.topics import ALL_TOPICS, PAYROLL_CONTRIBUTIONS, Topic
from shared.runtime.clients import kafka_admin, kafka_producer, kafka_reader
from shared.runtime.settings import Settings
from shared.runtime.topics import create_topics
from tests.support.secured import Secured

pytestmark = pytest.mark.slow


async def writable(config: Settings, topics: list[Topic]) -> set[str]:
    """Those of the topics that take a record from this user."""
    producer, found = kafka_producer(config), set()
    try:
        await producer.start()
        for topic in topics:
            with suppress(TopicAuthorizationFailedError):
                await producer.send_and_wait(topic.name, b"tried", partition=0)
                found.add(topic.name)
    except ClusterAuthorizationFailedError:
        return set()  # Who may write nothing is not even given a producer's id.
    finally:
        await producer.stop()
    return found


async def readable(config: Settings, topics: list[Topic]) -> set[str]:
    """Those of the topics whose records this user is given: one fetch over all, answered topic by topic."""
    admin = kafka_admin(config)
    await admin.start()
    try:
        wanted = [(topic.name, [(0, 0, 1024)]) for topic in topics]
        answer = await admin._send_request(FetchRequest(0, 0, 1024, 0, wanted))
        codes = {topic: partitions[0][1] for topic, partitions in answer.topics}
        assert set(codes.values()) <= {NoError.errno, TopicAuthorizationFailedError.errno}
        return {topic for topic, code in codes.items() if code == NoError.errno}
    finally:
        await admin.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service", [*SERVICES, "custodian", "payroll integrations", "scaler", "watcher"])
async def test_a_user_writes_what_the_contract_lets_him_write_and_nothing_else(secured: Secured, service: str) -> None:
    config = secured.config(service, "nestwork_reader")
    denied = set(denied_topics(service, "Write"))
    # Internal logs are dense and sequenced: a foreign record would stop a lane, so only the refusals are tried there.
    tried = [topic for topic in ALL_TOPICS if topic.plane != "internal" or topic.name in denied]
    assert await writable(config, tried) == {topic.name for topic in tried} - denied


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service", [*SERVICES, "custodian", "payroll integrations", "scaler", "watcher"])
async def test_a_user_reads_what_the_contract_lets_him_read_and_nothing_else(secured: Secured, service: str) -> None:
    readings = await readable(secured.config(service, "nestwork_reader"), list(ALL_TOPICS))
    assert readings == {topic.name for topic in ALL_TOPICS} - set(denied_topics(service, "Read"))


@pytest.mark.parametrize("service", SERVICES)
async def test_nobody_joins_another_services_group(secured: Secured, service: str) -> None:
    other = "trading" if service == "contribution" else "contribution"
    own = next(topic.name for topic in ALL_TOPICS if other in topic.readers)
    config = secured.config(other, "nestwork_reader")
    consumer = kafka_reader(config, group_id=f"nestwork-{service}", auto_offset_reset="earliest")
    consumer.subscribe([own])
    try:
        with pytest.raises(GroupAuthorizationFailedError):
            await consumer.start()
    finally:
        await consumer.stop()


async def test_nobody_but_the_administrator_makes_topics_or_lists(secured: Secured) -> None:
    admin = kafka_admin(secured.administrator())
    await admin.start()
    try:
        await admin.delete_topics(["limits.v1.dlq"])
    finally:
        await admin.close()
    for party in ("trading", "operators"):
        config = secured.config(party, "nestwork_reader")
        with pytest.raises(Exception, match=r"Authorization|CREATE|could not be created"):
            await create_topics(config)
        with pytest.raises(kafka_acls.AclsRefused):
            await kafka_acls.apply(config)
    await create_topics(secured.administrator())


async def test_lists_are_stable_and_a_foreign_one_of_our_users_is_removed(secured: Secured) -> None:
    administrator = secured.administrator()
    assert await kafka_acls.apply(administrator) == (0, 0)
    admin = kafka_admin(administrator)
    await admin.start()
    try:
        extra = (2, "plans.v1", 3, f"User:{user_name('trading')}", "*", 3, 3)
        request = kafka_acls._Prepared(kafka_acls.CreateAclsRequest_v1, [extra])
        await admin._send_to_controller(request)  # type: ignore[arg-type]
    finally:
        await admin.close()
    assert await kafka_acls.apply(administrator) == (0, 1)


async def test_without_the_right_password_nobody_gets_in(secured: Secured) -> None:
    environment = secured.environment("trading") | {"KAFKA_SASL_PASSWORD": "wrong"}
    del environment["KAFKA_SASL_PASSWORD_FILE"]
    producer = kafka_producer(Settings.model_validate(environment))
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()


async def test_without_tls_or_with_another_authority_nobody_gets_in(secured: Secured) -> None:
    plain = AIOKafkaConsumer(bootstrap_servers=secured.bootstrap, request_timeout_ms=2_000)
    with pytest.raises(KafkaConnectionError):
        await plain.start()
    await plain.stop()
    stranger = AIOKafkaProducer(
        bootstrap_servers=secured.bootstrap, security_protocol="SSL", ssl_context=ssl.create_default_context()
    )
    with pytest.raises(KafkaConnectionError):
        await stranger.start()
    await stranger.stop()


def test_every_party_of_the_catalogue_has_a_user_of_his_own() -> None:
    names = [user_name(party) for party in parties()]
    assert len(names) == len(set(names))
    assert {party for topic in ALL_TOPICS for party in topic.readers} <= {*parties()}
    assert PAYROLL_CONTRIBUTIONS.name in denied_topics("custodian", "Write")
