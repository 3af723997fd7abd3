"""JSON lines on standard error: an event name and fields, never a person's name, a tax id or a birth date."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

FORBIDDEN_FIELDS = frozenset({"ssn", "name", "first_name", "last_name", "birth_date", "born", "tax_id"})


def _drop_personal_fields(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for field in FORBIDDEN_FIELDS & event.keys():
        event[field] = "[removed]"
    return event


def configure_logs(service: str, level: str = "INFO") -> None:
    """Send our own events and the libraries' lines through one JSON formatter."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        _drop_personal_fields,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("aiokafka", "faust", "mode", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    structlog.contextvars.bind_contextvars(service=service)


def get_logger(name: str) -> Any:
    """A structured logger: ``log.info("lane_claimed", lane=3)``."""
    return structlog.stdlib.get_logger(name)
