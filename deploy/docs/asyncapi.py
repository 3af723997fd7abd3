"""The contract as one AsyncAPI 3.0 document with Kafka bindings (binding version 0.5.0)."""

from __future__ import annotations

from typing import Any

from deploy.docs.schemas import component_schemas, json_text
from deploy.docs.words import first_line
from shared.events.base import Event
from shared.events.catalogue import EVENTS, MARKERS, events_on
from shared.events.envelope import (
    CE_ID,
    CE_SOURCE,
    CE_SPECVERSION,
    CE_TIME,
    CE_TYPE,
    CONTENT_TYPE,
    FAILED_AT,
    REASON,
    SERVICE,
    TRACEPARENT,
)
from shared.events.topics import DEAD_LETTER_TOPICS, OUTPUT_TOPICS, PUBLIC_TOPICS, Topic

CONTRACT_VERSION = "1.0.0"
"""Of the events, not of the engine: rises with what is added; a removal is a new major version of a topic."""

BINDING_VERSION = "0.5.0"
HEADERS, DEAD_LETTER = "CloudEventHeaders", "DeadLetter"

DESCRIPTION = """Money is integer US cents, shares and prices are decimal strings, dates are ISO. Events are CloudEvents
1.0 over Kafka, in binary mode (structured mode is accepted). Readers ignore unknown fields. P is the number of
partitions of the money plane, a power of two; the partition of a key is murmur2(key), as in Kafka's Java client,
modulo P. No names and no tax ids: participants are opaque ids."""


def asyncapi_document() -> dict[str, Any]:
    """Return the whole document."""
    topics = (*PUBLIC_TOPICS, *DEAD_LETTER_TOPICS)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Nestwork",
            "version": CONTRACT_VERSION,
            "description": DESCRIPTION.replace("\n", " "),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in topics},
        "operations": {_operation_name(topic): _operation(topic) for topic in topics},
        "components": {
            "messages": {**{event.ce_type: _message(event) for event in EVENTS}, DEAD_LETTER: _dead_letter()},
            "schemas": {HEADERS: _headers(), **component_schemas()},
        },
    }


def asyncapi_page() -> dict[str, str]:
    """Return ``docs/events/asyncapi.json``."""
    return {"docs/events/asyncapi.json": json_text(asyncapi_document())}


def _message_names(topic: Topic) -> list[str]:
    return [DEAD_LETTER] if topic in DEAD_LETTER_TOPICS else [event.ce_type for event in events_on(topic)]


def _channel(topic: Topic) -> dict[str, Any]:
    binding: dict[str, Any] = {"topic": topic.name}
    if not topic.partitioned:
        binding["partitions"] = 1
    binding["topicConfiguration"] = {
        name: [value] if name == "cleanup.policy" else int(value) if value.lstrip("-").isdigit() else value
        for name, value in topic.config.items()
    }
    partitions = "P partitions" if topic.partitioned else "One partition"
    return {
        "address": topic.name,
        "summary": topic.summary,
        "description": f"{partitions}, keyed by {topic.key}. Written by {', '.join(topic.writers)}; "
        f"read by {', '.join(topic.readers)}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _message_names(topic)},
        "bindings": {"kafka": {**binding, "bindingVersion": BINDING_VERSION}},
    }


def _operation_name(topic: Topic) -> str:
    return f"{_action(topic)}.{topic.name}"


def _action(topic: Topic) -> str:
    return "send" if topic in OUTPUT_TOPICS or topic in DEAD_LETTER_TOPICS else "receive"


def _operation(topic: Topic) -> dict[str, Any]:
    """What the engine does with the channel, seen from the engine."""
    channel = f"#/channels/{topic.name}"
    return {
        "action": _action(topic),
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in _message_names(topic)],
    }


def _message(event: type[Event]) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": event.ce_type,
        "title": event.__name__,
        "summary": first_line(event),
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "allOf": [{"$ref": f"#/components/schemas/{HEADERS}"}],
            "properties": {CE_TYPE: {"const": event.ce_type}},
        },
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
    }
    if event not in MARKERS:
        key = {"type": "string", "description": event.topic.key}
        message["bindings"] = {"kafka": {"key": key, "bindingVersion": BINDING_VERSION}}
    return message


def _headers() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "CloudEvents 1.0 in binary mode: attributes are record headers in UTF-8.",
        "properties": {
            CE_SPECVERSION: {"const": "1.0"},
            CE_ID: text | {"description": "With ce_source the identity of the event; a resend repeats both."},
            CE_SOURCE: text | {"description": "Who says it, as a URI reference."},
            CE_TYPE: text | {"description": "The event type with its major version."},
            CE_TIME: text | {"format": "date-time", "description": "When it happened; decides nothing about money."},
            CONTENT_TYPE: text | {"description": "application/json"},
            TRACEPARENT: text | {"description": "W3C trace context; carried through to receipts and trades."},
        },
        "required": [CE_SPECVERSION, CE_ID, CE_SOURCE, CE_TYPE],
    }


def _dead_letter() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "name": DEAD_LETTER,
        "title": "Dead letter",
        "summary": "A record that broke the contract, as it came: original key, bytes and headers.",
        "headers": {
            "type": "object",
            "properties": {
                REASON: text | {"description": "The reason code."},
                SERVICE: text | {"description": "The service that could not read it."},
                FAILED_AT: text | {"format": "date-time", "description": "When."},
            },
            "required": [REASON, SERVICE, FAILED_AT],
        },
        "payload": {"description": "The original bytes, whatever they are."},
    }
