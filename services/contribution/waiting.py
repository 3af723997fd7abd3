"""Who waits in a lane, as the rows of held lines say, and how far they were tried since a fact came."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from services.contribution import store


class Trial:
    """One trial of what a lane holds: a page at a time, in the order it came, over as many transactions as it takes."""

    def __init__(self, changes: int, closing: date | None = None, people: Collection[str] | None = None) -> None:
        self.changes = changes
        """The facts it began with: those that come meanwhile are a reason for the next one."""
        self.closing = closing
        """The date that ends: its lines that still name an unknown plan or participant are rejected."""
        self.people = None if people is None else sorted(people)
        self.last = -1
        """The last entry that was tried."""
        self.behind: dict[store.YearKey, date] = {}
        """The date of what was tried last of each key."""
        self.freed = 0


class LaneCache:
    """What a lane knows without asking: who has a held line, and which facts were last tried on those."""

    def __init__(self) -> None:
        self.waiting: set[store.YearKey] = set()
        """Of the held lines, as the rows say; while a page is tried, only of those that stand before it."""
        self.reversing: set[str] = set()
        """Participants with a held reversal, perhaps of a line that is still to come. No line waits behind it."""
        self.tried_changes = -1
        self.trial: Trial | None = None
        """The trial that is under way; one that is lost begins again, and what it decided stays decided."""

    @property
    def holds_anything(self) -> bool:
        """True when a line or a reversal is held."""
        return bool(self.waiting or self.reversing)

    def holds_of(self, people: Collection[str]) -> bool:
        """True when a line or a reversal of these participants is held."""
        return any(who in people for who in self.reversing) or any(key[0] in people for key in self.waiting)

    def note(self, row: Mapping[str, Any]) -> None:
        """Remember that somebody waits."""
        if row["kind"] == "line":
            self.waiting.add(key_of(row))
        else:
            self.reversing.add(row["participant_id"])


def key_of(row: Mapping[str, Any]) -> store.YearKey:
    """What a held line makes later ones wait for."""
    return (row["participant_id"], row["plan_id"], row["year"])


async def on_claim(connection: Any, lanes: list[int]) -> dict[int, LaneCache]:
    """Load who is waiting in these lanes."""
    caches = {lane: LaneCache() for lane in lanes}
    for row in await connection.fetch(store.SELECT_HELD_KEYS, lanes):
        caches[row["lane"]].note(row)
    return caches
