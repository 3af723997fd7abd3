"""Facts in memory: every worker keeps the plans, funds and limits its lanes decide by, and adds new versions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from shared.runtime.clients import Connection
from shared.runtime.definition import FactTopic
from shared.values.invariants import invariant
from shared.values.trading_days import GENESIS, next_trading_day

SELECT_TOPICS = """
SELECT topic, version, first_cut, last_cut, first_value_cut, last_value_cut FROM fact_topics"""
SELECT_NEWER = "SELECT key, version, effective_from, body FROM facts WHERE topic = $1 AND version > $2 ORDER BY version"


@dataclass(slots=True)
class FactProgress:
    """How far a fact topic has been read by whichever worker reads it."""

    version: int = 0
    first_cut: date | None = None
    last_cut: date | None = None
    first_value_cut: date | None = None
    last_value_cut: date | None = None

    @property
    def open_date(self) -> date:
        """The date the next fact is received for."""
        return GENESIS if self.last_cut is None else next_trading_day(self.last_cut)


class FactCache:
    """Effective-dated lookups over all generic fact topics of a service."""

    def __init__(self, topics: tuple[FactTopic, ...]) -> None:
        self.topics = {fact.topic.name: fact for fact in topics}
        self.progress = {name: FactProgress() for name in self.topics}
        self.known: dict[str, int] = dict.fromkeys(self.topics, 0)
        self.versions: dict[str, dict[str, list[tuple[date, Any]]]] = {name: {} for name in self.topics}
        self.changes = 0
        """Grows whenever a generic fact was added: caches derived from facts compare it."""

    async def refresh(self, connection: Connection) -> bool:
        """Read what is new; true when anything moved (a fact or a cut)."""
        moved = False
        for row in await connection.fetch(SELECT_TOPICS):
            name = row["topic"]
            if name not in self.topics:
                continue
            now = FactProgress(*list(row)[1:])
            moved = moved or now != self.progress[name]
            self.progress[name] = now
            if now.version > self.known[name] and self.topics[name].store is None:
                await self._load(connection, name)
        return moved

    async def _load(self, connection: Connection, name: str) -> None:
        build, versions = self.topics[name].build, self.versions[name]
        for row in await connection.fetch(SELECT_NEWER, name, self.known[name]):
            versions.setdefault(row["key"], []).append((row["effective_from"], build(orjson.loads(row["body"]))))
            self.known[name] = row["version"]
        self.changes += 1

    def get(self, topic: str, key: str, day: date) -> Any | None:
        """The fact that governs ``day``: the newest whose effective date has come; ``None`` when there is none."""
        for effective_from, fact in reversed(self.versions[topic].get(key, ())):
            if effective_from <= day:
                return fact
        return None

    def since(self, topic: str, key: str) -> date | None:
        """The first date a fact of this key governs; ``None`` when there is none."""
        versions = self.versions[topic].get(key)
        return versions[0][0] if versions else None

    def need(self, topic: str, key: str, day: date) -> Any:
        """The fact that governs ``day`` and must be there: an internal log would not name it otherwise."""
        fact = self.get(topic, key, day)
        invariant(fact is not None, f"{topic} {key} is known for {day}")
        return fact

    def all_on(self, topic: str, day: date) -> dict[str, Any]:
        """Every key's fact that governs ``day``."""
        found = ((key, self.get(topic, key, day)) for key in self.versions[topic])
        return {key: fact for key, fact in found if fact is not None}

    def gate(self, *, after_the_cut: bool = False) -> date | None:
        """Money dated after this must wait for facts; ``None`` when no fact topic gates money.

        ``after_the_cut``: for what a service says of D once D is cut; it may name facts first received for D itself.
        """
        read = [self.progress[name] for name, fact in self.topics.items() if fact.gates_money]
        if after_the_cut:
            return min((one.last_cut or GENESIS for one in read), default=None)
        return min((one.open_date for one in read), default=None)
