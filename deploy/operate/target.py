"""Which cluster a command means: the one of a folder, or the one the environment names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError

from deploy.cluster.errors import ClusterError
from deploy.cluster.launch import require_state
from shared.runtime.errors import NestworkError
from shared.runtime.settings import Settings

DEFAULT_FOLDER = Path(".nestwork")


class OperatorError(NestworkError):
    """The command could not be carried out; the text says why."""


class NoCluster(OperatorError):
    """No running cluster was found."""


TROUBLE = (OperatorError, OSError, TimeoutError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a command says in one sentence instead of a stack trace."""


def find_cluster(folder: Path | None) -> Settings:
    """How to reach the cluster: of ``folder`` when given, else of the environment, else of the default folder.

    The environment counts when it names both Kafka and PostgreSQL. Raises ``NoCluster``.
    """
    named = os.environ.get("KAFKA_BOOTSTRAP_SERVERS") and os.environ.get("DATABASE_URL")
    if folder is None and named:
        return Settings()
    return of_folder(folder or DEFAULT_FOLDER)


def of_folder(folder: Path) -> Settings:
    """How to reach the cluster that was started in ``folder``. Raises ``NoCluster`` when none runs there."""
    try:
        state = require_state(folder)
    except ClusterError as problem:
        raise NoCluster(str(problem)) from None
    if not state.supervisor.identity.alive() or state.phase != "running":
        raise NoCluster(f"the cluster of {folder} is not running; `nestwork up --folder {folder}` starts it")
    given: dict[str, Any] = {
        "KAFKA_BOOTSTRAP_SERVERS": state.bootstrap,
        "DATABASE_URL": state.database_url,
        "NESTWORK_PARTITIONS": state.partitions,
        "NESTWORK_MARKET_MODE": state.market_mode,
        "NESTWORK_MARKER_KEY_FILE": Path(state.marker_key_file) if state.marker_key_file else None,
    }
    return Settings(**given)
