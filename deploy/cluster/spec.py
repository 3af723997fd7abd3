"""What a cluster shall consist of: handed to the supervisor once, as one JSON line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

SERVICES = ("contribution", "allocation", "trading", "valuation")


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """The wanted cluster. Empty ``workers`` and no custodian give Kafka and PostgreSQL alone."""

    cluster_id: str
    folder: str
    tied: bool  # True: everything ends when the process that asked for it ends, however it ends.
    brokers: int = 1
    broker_heap_mb: int = 512
    broker_full_compiler: bool = False
    broker_security: dict[str, str] = field(default_factory=dict)  # Fields of BrokerSecurity; empty: loopback in clear.
    broker_detours: list[int] = field(default_factory=list)
    """Per broker, a port through which clients come that ask at its second listener (a proxy of a test); loopback."""
    postgres_settings: dict[str, str | int] = field(default_factory=dict)
    standby: bool = False  # A second PostgreSQL that follows the first, for tests of failover; fresh folders only.
    external_bootstrap: str = ""
    external_database_url: str = ""
    partitions: int = 8
    market_mode: str = "off"
    workers: dict[str, int] = field(default_factory=dict)
    worker_module: str = "services.{service}"
    custodian: bool = False
    custodian_actions: str = ""
    intake: bool = False
    """Whether payroll files are taken over HTTP."""
    extra_env: dict[str, str] = field(default_factory=dict)
    supervise: bool = True
    ready_timeout_seconds: float = 60.0

    @property
    def path(self) -> Path:
        """The cluster's folder."""
        return Path(self.folder)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ClusterSpec:
        """Read back what ``to_json`` wrote."""
        return cls(**json.loads(text))
