"""The control plane with Faust: one agent per fact topic, positions from PostgreSQL, committed records only.

The only module that imports Faust. Faust's own acknowledgements are off for these topics: the position is in the
service's database, in the transaction that stores the fact, and the consumer is sought to it on every assignment.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import aiokafka
import faust
import mode
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError, OffsetOutOfRangeError
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as faust_driver
from faust.types import TP

from shared.runtime.clients import DATABASE_TROUBLE, SERVER_TROUBLE, Connection, connect, kafka_reader
from shared.runtime.definition import FactTopic, Service
from shared.runtime.errors import Fenced, LogLoss
from shared.runtime.facts import CLAIM_TOPICS, INSERT_TOPICS, FactStore
from shared.runtime.logs import get_logger, logging_config
from shared.runtime.records import Record, instant_of, record_of
from shared.runtime.settings import Settings
from shared.values.trading_days import CalendarUnknown

log = get_logger(__name__)

YEAR_SECONDS = 31_536_000.0
QUEUE_FACTS_MAX = 5_000
BATCH_FACTS_MAX = 500
RETRY_SECONDS = 0.25
CHECK_SECONDS = 3.0
CALENDAR_SECONDS = 60.0


class CommittedReader(faust_driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, reading committed records: a funding that was rolled back must not be seen."""

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        return consumer


class PositionedConsumer(faust_driver.Consumer):
    """A Faust consumer that starts where PostgreSQL says; any other seek would be overwritten by Faust."""

    def _new_consumer_thread(self) -> CommittedReader:
        return CommittedReader(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Claim the assigned fact topics and go to their stored positions."""
        positions = {TP(*place): offset for place, offset in (await super().seek_to_committed()).items()}
        plane: ControlPlane = cast(NestworkApp, self.app).control_plane
        stored = await plane.claim([place.topic for place in positions], self.app.consumer_generation_id)
        places = {TP(topic, 0): offset for topic, offset in stored.items()}
        if places:
            await self.seek_wait(places)
        return {**positions, **places}


class PositionedTransport(faust_driver.Transport):
    """The transport behind ``nestwork://`` broker addresses."""

    Consumer = PositionedConsumer


TRANSPORTS.aliases["nestwork"] = f"{__name__}:PositionedTransport"


class ControlPlane:
    """The fact topics of one worker: claimed with the group's assignment, stored in order, batch-wise.

    The newest claim reads. A worker that was frozen between its assignment and its claim can so take a topic that the
    group gave to another one meanwhile. It can't harm the books: facts are stored in the log's order from the stored
    position, whoever does it. But it may end before it reads, and then nobody would: so the fenced reader that still
    holds the topic has the group asked again (``rejoin``), and the group's reader claims anew.
    """

    def __init__(self, service: Service, config: Settings, rejoin: Callable[[str], None] = lambda _: None) -> None:
        self.service, self.config, self.rejoin = service, config, rejoin
        self.stores = {
            fact.topic.name: FactStore(fact, config.marker_secret(), market_mode=config.market_mode == "on")
            for fact in service.facts
        }
        self.queues: dict[str, asyncio.Queue[Record]] = {name: asyncio.Queue(QUEUE_FACTS_MAX) for name in self.stores}
        self.next_offset: dict[str, int] = {}
        self.lost: dict[str, str] = {}
        """Topics that are read no more because records are missing from their logs, and why: page."""
        self.connection: Connection | None = None
        self.lock = asyncio.Lock()
        self.stored = asyncio.Event()

    def reads(self, topic: str) -> bool:
        """True while this worker holds the topic."""
        return topic in self.next_offset

    async def open(self) -> None:
        """Make the rows of all fact topics."""
        connection = await self._connected()
        await connection.execute(INSERT_TOPICS, list(self.stores))

    async def close(self) -> None:
        """Close the connection."""
        if self.connection is not None:
            self.connection.terminate()

    async def _connected(self) -> Connection:
        if self.connection is None or self.connection.is_closed():
            self.connection = await connect(self.service.database)
        return self.connection

    async def claim(self, topics: list[str], generation: int) -> dict[str, int]:
        """Take the assigned fact topics; the former reader is fenced by the raised incarnation."""
        mine = [topic for topic in topics if topic in self.stores]
        while True:
            try:
                async with self.lock:
                    connection = await self._connected()
                    rows = await connection.fetch(CLAIM_TOPICS, mine, generation)
                    for row in rows:  # Under the lock: what is stored next is stored under the new claim.
                        self.stores[row["topic"]].incarnation = row["incarnation"]
                    break
            except DATABASE_TROUBLE as trouble:
                log.warning("fact_claim_waits", error=repr(trouble))
                await asyncio.sleep(RETRY_SECONDS)
        stored = {row["topic"]: row["next_offset"] for row in rows}
        for topic, why in (await positions_beyond_logs(stored)).items():
            self._stop_reading(topic, why)
        self.next_offset = {topic: offset for topic, offset in stored.items() if topic not in self.lost}
        self.stored.set()
        log.info("facts_claimed", topics=sorted(self.next_offset), generation=generation)
        return dict(self.next_offset)

    async def run(self, topic: str) -> None:
        """Store a topic's facts for ever, as many together as have arrived."""
        queue, store = self.queues[topic], self.stores[topic]
        while True:
            records = [await queue.get()]
            while not queue.empty() and len(records) < BATCH_FACTS_MAX:
                records.append(queue.get_nowait())
            try:
                await self._store(store, records)
            except LogLoss as loss:
                self._stop_reading(topic, str(loss))

    def _stop_reading(self, topic: str, why: str) -> None:
        """Never skip: money that waits for this topic's facts waits until somebody has looked."""
        log.error("fact_topic_stopped", topic=topic, reason=why)
        self.lost[topic] = why
        self.next_offset.pop(topic, None)

    async def _store(self, store: FactStore, records: list[Record]) -> None:
        while self.reads(store.name):
            claimed = store.incarnation
            try:
                await self._check_nothing_lost(store.name, records)
                async with self.lock:
                    connection = await self._connected()
                    self.next_offset[store.name] = await store.store(connection, records)
                self.stored.set()
                return
            except Fenced as fenced:
                if store.incarnation != claimed:
                    continue  # Claimed anew by this very worker meanwhile: it is the one that reads.
                log.warning("facts_fenced", reason=str(fenced))
                self.next_offset.pop(store.name, None)
                self.rejoin(store.name)
                return
            except CalendarUnknown as unknown:
                # Market mode dates facts by their stamps, and no date may be guessed: they wait for the release.
                log.error("calendar_unknown", error=str(unknown), what_to_do="install a release that knows the year")
                await asyncio.sleep(CALENDAR_SECONDS)
            except SERVER_TROUBLE as trouble:
                log.warning("facts_wait", error=repr(trouble))
                await asyncio.sleep(RETRY_SECONDS)

    async def _check_nothing_lost(self, topic: str, records: list[Record]) -> None:
        """A jump in the offsets is a transaction's hole or a lost record: look into the log before going on.

        A step back is neither: what was queued before a new claim is delivered again after it.
        """
        expected = self.next_offset.get(topic, 0)
        for record in records:
            if record.offset > expected:
                await refuse_loss(topic, expected, record.offset)
            expected = max(expected, record.offset + 1)


async def positions_beyond_logs(positions: dict[str, int]) -> dict[str, str]:
    """The topics whose log does not hold the position to read from, and why; Faust would start elsewhere unasked."""
    if not positions:
        return {}
    reader = kafka_reader()
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await reader.start()
            places = [TopicPartition(topic, 0) for topic in positions]
            reader.assign(places)
            starts, ends = await reader.beginning_offsets(places), await reader.end_offsets(places)
    except (TimeoutError, KafkaError) as trouble:
        log.warning("fact_logs_not_checked", error=repr(trouble))
        return {}
    finally:
        await reader.stop()
    return {
        place.topic: f"{place.topic} holds offsets {starts[place]} to {ends[place]}, not {positions[place.topic]}"
        for place in places
        if not starts[place] <= positions[place.topic] <= ends[place]
    }


async def refuse_loss(topic: str, first: int, beyond: int) -> None:
    """Raise ``LogLoss`` when a committed record stands in ``[first, beyond)``, ``KafkaError`` when nobody answers."""
    reader = kafka_reader()
    try:
        await reader.start()
        place = TopicPartition(topic, 0)
        reader.assign([place])
        reader.seek(place, first)
        fetched = await reader.getmany(place, timeout_ms=5_000, max_records=1)
        if not fetched:
            # The record at ``beyond`` is there, since it was delivered: the broker has just not answered.
            raise KafkaTimeoutError(f"{topic}: no answer about offset {first}")
        if fetched[place][0].offset < beyond:
            raise LogLoss(f"{topic}: records between {first} and {beyond} did not reach the agent")
    except OffsetOutOfRangeError as loss:
        raise LogLoss(f"{topic}: the log does not hold offset {first}") from loss
    finally:
        await reader.stop()


class NestworkApp(faust.App):
    """The Faust app of one worker."""

    control_plane: ControlPlane
    starting: Callable[[], Awaitable[None]]
    stopping: Callable[[], Awaitable[None]]

    async def on_start(self) -> None:
        """Open what agents need before any of them runs."""
        await super().on_start()
        await self.starting()

    async def on_shutdown(self) -> None:
        """Close it after all of them have stopped."""
        await super().on_shutdown()
        await self.stopping()

    def rejoin_for(self, topic: str) -> None:
        """Ask the group once more who reads ``topic``, unless it was taken from this worker: then it has said so."""
        if TP(topic, 0) in self.consumer.assignment():
            thread = cast(PositionedConsumer, self.consumer)._thread
            thread.thread_loop.call_soon_threadsafe(thread._ensure_consumer()._coordinator.request_rejoin)


def broker_credentials(config: Settings) -> Any:
    """TLS and SASL towards the broker, in Faust's terms."""
    context: ssl.SSLContext | None = config.kafka_ssl_context()
    if config.kafka_security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=config.kafka_sasl_username,
            password=config.secret(config.kafka_sasl_password, config.kafka_sasl_password_file),
            mechanism=config.kafka_sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context is not None else None


def make_app(service: Service, config: Settings) -> NestworkApp:
    """The Faust app of a service, with one agent per fact topic."""
    app = NestworkApp(
        f"{service.group}-control",
        broker=[f"nestwork://{server}" for server in config.kafka_bootstrap_servers.split(",")],
        broker_credentials=broker_credentials(config),
        datadir=str(config.data_dir),
        key_serializer="raw",
        value_serializer="raw",
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=float(config.session_timeout_seconds),
        broker_rebalance_timeout=float(config.session_timeout_seconds),
        broker_heartbeat_interval=1.0,
        broker_request_timeout=float(config.session_timeout_seconds + 10),
        broker_max_poll_interval=YEAR_SECONDS,
        web_host=config.web_host,
        web_bind=config.web_host,
        web_port=config.web_port,
        web_cors_options=None,
        # Faust's own pages tell topics, tables and assignments to anybody who asks; none of them is served.
        web_router_enabled=False,
        web_tables_enabled=False,
        web_graph_enabled=False,
        web_stats_enabled=False,
        web_metrics_enabled=False,
        worker_redirect_stdouts=False,
        logging_config=logging_config(config.log_level),
    )
    app.control_plane = ControlPlane(service, config, app.rejoin_for)
    for fact in service.facts:
        _add_agent(app, service, fact)
    return app


def _add_agent(app: NestworkApp, service: Service, fact: FactTopic) -> None:
    name = fact.topic.name
    topic = app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw", acks=False)

    async def take(stream: Any) -> None:
        queue = app.control_plane.queues[name]
        async for event in stream.events():
            message = event.message
            await queue.put(_record(message))

    app.agent(topic, name=f"{service.name}-{name}", supervisor_strategy=mode.CrashingSupervisor)(take)


class _Fetched:
    """A Faust message in the shape of an aiokafka record."""

    __slots__ = ("headers", "key", "offset", "partition", "timestamp", "topic", "value")

    def __init__(self, message: Any) -> None:
        self.topic, self.partition, self.offset = message.topic, message.partition, message.offset
        self.timestamp = round(message.timestamp * 1000)
        self.key, self.value = message.key, message.value
        headers = message.headers or ()
        self.headers = tuple(headers.items()) if isinstance(headers, dict) else tuple(headers)


def _record(message: Any) -> Record:
    return record_of(-1, _Fetched(message))


async def cancelled(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel and await."""
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)


__all__ = ["NestworkApp", "cancelled", "instant_of", "make_app"]
