"""One factory for Kafka clients and one for PostgreSQL: TLS, SASL and timeouts are decided here and nowhere else."""

from __future__ import annotations

import socket
import ssl
from typing import Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.codec import lz4_encode
from aiokafka.errors import KafkaError
from asyncpg.protocol import protocol as asyncpg_protocol

from shared.runtime.headernames import read_any_header_name
from shared.runtime.settings import Settings, settings

Connection: TypeAlias = Any
"""An asyncpg connection or a pool's proxy of one; asyncpg ships no usable types."""
Pool: TypeAlias = Any

DICT_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
ARRAY_TYPES: tuple[type, ...] = (list, tuple, set, frozenset, range, *DICT_VIEWS)
"""What may be sent as an array."""

# asyncpg asks of every element of every array whether it is itself a container, and asks abstract base classes, in
# Python: a quarter of the time of writing long arrays. The concrete types give the same answers for what we send.
asyncpg_protocol.IterableABC = asyncpg_protocol.SizedABC = ARRAY_TYPES

read_any_header_name()

# The client compresses at the broker's own level, 9: ten times the CPU of level 1 for a tenth fewer bytes.
lz4_encode.__defaults__ = (1,)

DATABASE_TROUBLE = (
    OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError,
)  # fmt: skip
"""What a lost or refused connection looks like: connect again, assume nothing. The last of these is what an idle
connection answers after the server said goodbye on it."""

SERVER_TROUBLE = (*DATABASE_TROUBLE, KafkaError)
"""The same where Kafka is asked as well: whichever is away, wait and try again."""

SILENCE_OPTIONS = {"keepidle": 4, "keepintvl": 2, "keepcnt": 3, "user_timeout": 10_000}
"""A database host that does not answer for ten seconds, not even the network's own questions, is gone."""

LOCK_TIMEOUT_MS = 4_000
"""Longer than ``FREE_BLOCKER_AFTER_SECONDS``: a waiter first frees the backend that blocks it (decision 0016)."""


def kafka_settings(config: Settings | None = None) -> dict[str, Any]:
    """The connection settings every Kafka client shares."""
    config = config or settings()
    options: dict[str, Any] = {
        "bootstrap_servers": config.kafka_bootstrap_servers,
        "security_protocol": config.kafka_security_protocol,
        "ssl_context": config.kafka_ssl_context(),
    }
    if config.kafka_security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": config.kafka_sasl_mechanism,
            "sasl_plain_username": config.kafka_sasl_username,
            "sasl_plain_password": config.secret(config.kafka_sasl_password, config.kafka_sasl_password_file),
        }
    return options


def kafka_reader(config: Settings | None = None, **overrides: Any) -> AIOKafkaConsumer:
    """A consumer outside any group, for assigned partitions: committed records only, positions given by the caller."""
    options = kafka_settings(config) | {
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "isolation_level": "read_committed",
        "fetch_max_wait_ms": 250,
        "fetch_max_bytes": 16 * 1024 * 1024,
        "max_partition_fetch_bytes": 2 * 1024 * 1024,
        "request_timeout_ms": 20_000,
        "retry_backoff_ms": 100,
        "metadata_max_age_ms": 60_000,
    }
    return AIOKafkaConsumer(**(options | overrides))


def kafka_producer(config: Settings | None = None, **overrides: Any) -> AIOKafkaProducer:
    """An idempotent producer that waits for all replicas."""
    options = kafka_settings(config) | {
        "enable_idempotence": True,
        "acks": "all",
        "compression_type": "lz4",
        "linger_ms": 0,
        "max_batch_size": 900 * 1024,
        "max_request_size": 1_048_576,
        "request_timeout_ms": 15_000,
        "retry_backoff_ms": 100,
    }
    return AIOKafkaProducer(**(options | overrides))


def kafka_admin(config: Settings | None = None) -> AIOKafkaAdminClient:
    """An administration client (topics, offsets)."""
    return AIOKafkaAdminClient(**kafka_settings(config), request_timeout_ms=20_000)


def database_url(database: str, config: Settings | None = None) -> str:
    """The URL of one database on the configured server; ``database`` is ``nestwork_<service>``."""
    config = config or settings()
    return urlunsplit(urlsplit(config.database_url)._replace(path=f"/{database}"))


def _connect_options(config: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {"command_timeout": 60, "timeout": 10}
    if config.database_password_file is not None:
        options["password"] = config.database_password_file.read_text().strip()
    if config.database_ssl_cafile is not None:
        options["ssl"] = ssl.create_default_context(cafile=config.database_ssl_cafile)
    options["server_settings"] = {
        "lock_timeout": str(LOCK_TIMEOUT_MS),
        "idle_in_transaction_session_timeout": "10000",
        "transaction_timeout": "60000",
        "timezone": "UTC",
        "jit": "off",
    }
    return options


async def connect(database: str, config: Settings | None = None, **server_settings: str) -> Connection:
    """One connection to a service database, with the frame's time limits."""
    config = config or settings()
    options = _connect_options(config)
    options["server_settings"] |= server_settings
    connection = await asyncpg.connect(database_url(database, config), **options)
    notice_silence(connection._transport)
    return connection


def notice_silence(transport: Any) -> None:
    """Let the system end a connection whose other side is gone without a word, as when a host loses power.

    Otherwise only ``command_timeout`` would, after a minute.
    """
    connected = transport.get_extra_info("socket")
    if connected is None or connected.family == getattr(socket, "AF_UNIX", None):
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in SILENCE_OPTIONS.items():
        option = getattr(socket, f"TCP_{name.upper()}", None)  # Not every system has all of them.
        if option is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)


async def _notice_silence(connection: Connection) -> None:
    notice_silence(connection._transport)  # A pool hands over the connection itself here, not its proxy.


async def open_pool(database: str, config: Settings | None = None, *, size: int = 4) -> Pool:
    """A small pool for pages and fact agents; the money plane keeps connections of its own."""
    config = config or settings()
    return await asyncpg.create_pool(
        database_url(database, config), min_size=1, max_size=size, init=_notice_silence, **_connect_options(config)
    )
