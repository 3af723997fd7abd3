"""The engine as on a secured cluster: TLS and SCRAM everywhere, a Kafka user and a database role per service."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.cluster import Infrastructure
from deploy.cluster.broker import BROKER_USER
from deploy.security import kafka_acls, roles
from deploy.security.access import parties, user_name
from shared.runtime.migrations import migrate
from shared.runtime.settings import Settings
from shared.runtime.topics import create_topics
from tests.support.certificates import Certificates, issue
from tests.support.tls_postgres import TlsPostgres, fetched_programs, tls_postgres
from tests.support.waiting import eventually
from tests.support.workers import SECRET, Ground, Worker

SERVICES = ("contribution", "allocation", "trading", "valuation")


@dataclass
class Secured:
    """Kafka and PostgreSQL that let in only who has a name, and all the names."""

    folder: Path
    kafka: Infrastructure
    kafka_certificates: Certificates
    passwords: dict[str, str]
    postgres: TlsPostgres
    role_passwords: dict[str, str]
    partitions: int = 4
    workers: dict[str, Worker] = field(default_factory=dict)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def bootstrap(self) -> str:
        """Kafka's bootstrap servers."""
        return self.kafka.bootstrap

    def web_url(self, service: str, index: int = 0) -> str:
        """Base address of a worker's pages."""
        return self.workers[f"{service}-{index}"].url

    async def stop(self) -> None:
        """End the workers; the servers end with the block that opened them."""
        await self.stack.aclose()

    def kafka_environment(self, user: str) -> dict[str, str]:
        """What a process of this Kafka user finds in its environment."""
        password = self.folder / "passwords" / user
        password.parent.mkdir(exist_ok=True)
        password.write_text(self.passwords[user])
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": user,
            "KAFKA_SASL_PASSWORD_FILE": str(password),
            "KAFKA_SSL_CAFILE": str(self.kafka_certificates.authority),
        }

    def environment(self, party: str, role: str | None = None) -> dict[str, str]:
        """Everything a process of a party needs: its Kafka user, its database role, the secrets in files."""
        role = role or f"nestwork_{party}"
        key, password = self.folder / "marker.key", self.folder / "passwords" / role
        key.write_text(SECRET)
        kafka = self.kafka_environment(user_name(party))
        password.write_text(self.role_passwords[role])
        return kafka | {
            "DATABASE_URL": f"postgresql://{role}@127.0.0.1:{self.postgres.port}/postgres",
            "DATABASE_PASSWORD_FILE": str(password),
            "DATABASE_SSL_CAFILE": str(self.postgres.certificates.authority),
            "NESTWORK_PARTITIONS": str(self.partitions),
            "NESTWORK_MARKER_KEY_FILE": str(key),
        }

    def config(self, party: str, role: str | None = None) -> Settings:
        """The same as settings."""
        return Settings.model_validate(self.environment(party, role))

    def administrator(self) -> Settings:
        """Kafka's super user and PostgreSQL's: makes topics, lists, roles; runs nothing."""
        return Settings.model_validate(
            self.kafka_environment(BROKER_USER)
            | {
                "DATABASE_URL": self.postgres.url(),
                "DATABASE_SSL_CAFILE": str(self.postgres.certificates.authority),
                "NESTWORK_PARTITIONS": str(self.partitions),
            }
        )

    def owner(self) -> Settings:
        """The role that changes tables."""
        return self.config("contribution", roles.OWNER)

    async def prepare(self) -> None:
        """Topics, access lists, roles, tables: in the order of the handbook page."""
        administrator = self.administrator()
        await create_topics(administrator)
        await kafka_acls.apply(administrator)
        await roles.make_roles(self.role_passwords, administrator)
        for service in SERVICES:
            await migrate(service, self.owner())
        await roles.grant(self.owner())

    async def start_workers(self, more: Mapping[str, str]) -> None:
        """One worker of each service and the custodian, each as its own user; ended by ``stop``."""
        for service in SERVICES:
            ground = Ground(self.kafka, service, self.environment(service) | more, self.folder)
            self.workers[f"{service}-0"] = await self.stack.enter_async_context(ground.worker())
        custodian = Ground(self.kafka, "custodian", self.environment("custodian") | more, self.folder)
        await self.stack.enter_async_context(custodian.worker("-m", "deploy.custodian"))
        for worker in self.workers.values():
            await eventually(worker.is_ready, seconds=240)


@asynccontextmanager
async def open_secured(folder: Path) -> AsyncIterator[Secured]:
    """Start Kafka and PostgreSQL with certificates, users and roles; no topics or tables yet."""
    folder.mkdir(parents=True, exist_ok=True)
    certificates = issue(folder / "kafka-certificates", BROKER_USER)
    passwords = {user: secrets.token_hex(16) for user in (BROKER_USER, *map(user_name, parties()))}
    users = folder / "kafka-users.json"
    users.touch(mode=0o600)
    users.write_text(json.dumps(passwords))
    programs = await asyncio.to_thread(fetched_programs)
    async with tls_postgres(programs) as postgres:
        security = {
            "keystore": str(certificates.both),
            "truststore": str(certificates.authority),
            "users": str(users),
        }
        kafka = await Infrastructure.start(
            folder / "kafka",
            broker_security=security,
            external_database_url=postgres.url(),
            ready_timeout_seconds=240.0,
        )
        async with kafka:
            role_passwords = {role: secrets.token_hex(16) for role in roles.ROLES}
            yield Secured(folder, kafka, certificates, passwords, postgres, role_passwords)
