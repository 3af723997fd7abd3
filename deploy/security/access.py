"""Kafka users and what each may do, derived from the catalogue of topics: nobody has more than the contract says.

A user reads what the catalogue names him a reader of and writes what it names him a writer of. Reading comes with his
own consumer groups and nobody else's. Nobody may create, alter or delete a topic, and nobody holds a transactional id:
the engine's outbox needs no Kafka transactions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from shared.events.topics import ALL_TOPICS, CUT_TOPICS, VALUE_CUT_TOPICS, Topic

Resource = Literal["topic", "group"]
Pattern = Literal["literal", "prefix"]
Operation = Literal["Read", "Write", "Describe"]

SERVICES = ("contribution", "allocation", "trading", "valuation")
CUTTER = "trading"
"""Its day clock appends the signed markers to every public input and control topic."""
CUSTODIAN = "custodian"
OPERATOR = "operators"
WATCHER = "watcher"
"""Reports lag from outside: how many records wait in a service's inputs, and since when the first of them does."""
SCALER = "scaler"
"""Starts workers by lag (KEDA): sees offsets of groups and topics, never a record."""


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One permission on one resource."""

    resource: Resource
    name: str
    pattern: Pattern
    operations: tuple[Operation, ...]


def user_name(party: str) -> str:
    """The Kafka user of a party of the catalogue: ``payroll integrations`` is ``nestwork-payroll-integrations``."""
    return "nestwork-" + party.replace(" ", "-")


def parties() -> list[str]:
    """Everybody who needs a user: services first, then all that the catalogue names, by name."""
    named = {party for topic in ALL_TOPICS for party in (*topic.writers, *topic.readers)} | {OPERATOR, SCALER, WATCHER}
    return [*SERVICES, *sorted(named - {*SERVICES, "operator"})]


def grants_of(party: str) -> list[Grant]:
    """All permissions of a party, merged by resource, in a stable order."""
    found = [*_topic_grants(party), *_group_grants(party)]
    merged: dict[tuple[Resource, str, Pattern], set[Operation]] = {}
    for grant in found:
        merged.setdefault((grant.resource, grant.name, grant.pattern), set()).update(grant.operations)
    # Kafka lets whoever reads or writes a topic describe it as well; the list says it so that a reader need not know.
    return [Grant(*key, tuple(sorted(operations | {"Describe"}))) for key, operations in sorted(merged.items())]


def _topic_grants(party: str) -> Iterator[Grant]:
    for topic in ALL_TOPICS:
        if _reads(party, topic):
            yield Grant("topic", topic.name, "literal", ("Read",))
        if _writes(party, topic):
            yield Grant("topic", topic.name, "literal", ("Write",))
        if party in (SCALER, WATCHER):
            yield Grant("topic", topic.name, "literal", ("Describe",))


def _reads(party: str, topic: Topic) -> bool:
    if party == WATCHER:
        return any(reader in SERVICES for reader in topic.readers)
    return party in topic.readers or party == OPERATOR  # An operator proves and explains from all logs.


def _writes(party: str, topic: Topic) -> bool:
    if topic.plane == "dead_letters":
        return party in SERVICES and party in topic.writers
    if party == CUTTER and topic in {*CUT_TOPICS, *VALUE_CUT_TOPICS}:
        return True
    if party == OPERATOR and topic in CUT_TOPICS:
        return True  # Commands of the day, and dead letters that are replayed into the log they came from.
    return party in topic.writers


def _group_grants(party: str) -> Iterable[Grant]:
    if party in SERVICES:  # The money plane's membership, and Faust's group of the control plane.
        return [Grant("group", f"nestwork-{party}{suffix}", "literal", ("Read",)) for suffix in ("", "-control")]
    if party == SCALER:
        return [Grant("group", f"nestwork-{service}", "literal", ("Describe",)) for service in SERVICES]
    if any(_reads(party, topic) for topic in ALL_TOPICS):
        return [Grant("group", f"{user_name(party)}.", "prefix", ("Read",))]
    return []


def denied_topics(party: str, operation: Operation) -> list[str]:
    """Topics on which a party lacks an operation: what a test tries, and a reviewer reads."""
    allowed = {grant.name for grant in grants_of(party) if grant.resource == "topic" and operation in grant.operations}
    return [topic.name for topic in ALL_TOPICS if topic.name not in allowed]


__all__ = [
    "CUSTODIAN",
    "OPERATOR",
    "SCALER",
    "SERVICES",
    "WATCHER",
    "Grant",
    "denied_topics",
    "grants_of",
    "parties",
    "user_name",
]
