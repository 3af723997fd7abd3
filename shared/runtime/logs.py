"""JSON lines on standard error: an event name and fields, never a person's name, a tax id or a birth date."""

from __future__ import annotations

import logging
import logging.config
import sys
import traceback
from typing import Any

import asyncpg
import structlog

FORBIDDEN_FIELDS = frozenset({"ssn", "name", "first_name", "last_name", "birth_date", "born", "tax_id"})


REVEALING = (
    ValueError, TypeError, LookupError, ArithmeticError, AttributeError, asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
)  # fmt: skip
"""What code raises about the data in its hands: the message may repeat it, and PostgreSQL's detail the whole row."""


def error_text(failure: BaseException) -> str:
    """An exception for a log line: its message only where that cannot hold what somebody sent about a person."""
    return type(failure).__name__ if isinstance(failure, REVEALING) else repr(failure)


def stack_text(failure: BaseException) -> str:
    """Where an exception and its causes were raised, frame by frame, without source lines and values."""
    parts: list[str] = []
    seen: set[int] = set()
    here: BaseException | None = failure
    while here is not None and id(here) not in seen:
        seen.add(id(here))
        frames = traceback.extract_tb(here.__traceback__)
        parts.append(" < ".join([error_text(here), *(f"{f.filename}:{f.lineno} {f.name}" for f in reversed(frames))]))
        here = here.__cause__ or (None if here.__suppress_context__ else here.__context__)
    return "\ncaused by ".join(parts)


def _show_exception(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """In the place of structlog's and logging's own renderers, which print messages and PostgreSQL's details."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    failure = given[1] if isinstance(given, tuple) else given
    if isinstance(failure, BaseException):
        event["exception"] = stack_text(failure)
    return event


def _drop_personal_fields(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for field in FORBIDDEN_FIELDS & event.keys():
        event[field] = "[removed]"
    return event


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    _drop_personal_fields,
]


def logging_config(level: str = "INFO") -> dict[str, Any]:
    """The standard library's logging set-up: our own events and the libraries' lines through one JSON formatter."""
    noisy = {"level": "WARNING"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    _show_exception,
                    structlog.processors.JSONRenderer(),
                ],
            }
        },
        "handlers": {
            # Faust puts a proxy in the place of sys.stderr; lines must not go through it back into logging.
            "stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.__stderr__"}
        },
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {name: noisy for name in ("aiokafka", "faust", "mode", "asyncio")},
    }


def configure_logs(service: str, level: str = "INFO") -> None:
    """Send everything through the JSON formatter, with the service's name on each line."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(logging_config(level))
    structlog.contextvars.bind_contextvars(service=service)


def get_logger(name: str) -> Any:
    """A structured logger: ``log.info("lane_claimed", lane=3)``."""
    return structlog.stdlib.get_logger(name)
