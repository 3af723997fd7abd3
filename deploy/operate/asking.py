"""Ask a program of a service, in a process of its own: the tools around the services know nothing of their rules."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from deploy.operate.target import OperatorError
from shared.runtime.settings import Settings

SECONDS_MAX = 3_600.0


async def ask(config: Settings, program: str, question: Mapping[str, Any]) -> dict[str, Any]:
    """Give a question as JSON to ``python -m program`` and return its answer. Raises ``OperatorError``."""
    return await asyncio.to_thread(_ask, config, program, question)


def _ask(config: Settings, program: str, question: Mapping[str, Any]) -> dict[str, Any]:
    cluster = {"KAFKA_BOOTSTRAP_SERVERS": config.kafka_bootstrap_servers, "DATABASE_URL": config.database_url}
    done = subprocess.run(
        [sys.executable, "-m", program], input=orjson.dumps(question), capture_output=True, check=False,
        timeout=SECONDS_MAX, env={**os.environ, **cluster}, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        said: dict[str, Any] = orjson.loads(done.stdout)
    except orjson.JSONDecodeError:
        reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise OperatorError(f"{program} gave no answer: {reason}") from None
    if "error" in said:
        raise OperatorError(said["error"])
    return said
