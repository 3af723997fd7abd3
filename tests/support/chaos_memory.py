"""What was said during a long run, for saying it again: bounded in number, drawn evenly from the whole run."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

from tests.support.events import Outgoing

KEPT_MAX = 3_000
"""Of each topic."""


class Memory:
    """By topic, so many records that each one said so far is kept with the same chance."""

    def __init__(self, seed: int, kept_max: int = KEPT_MAX) -> None:
        self.dice, self.kept_max = random.Random(seed), kept_max
        self.said: Counter[str] = Counter()
        self.kept: defaultdict[str, list[tuple[int, Outgoing]]] = defaultdict(list)
        """With the number of each among all of its topic."""

    def keep(self, record: Outgoing) -> None:
        """Note a record that a broker took; ``partition`` says where."""
        self.said[record.topic] += 1
        number, kept = self.said[record.topic], self.kept[record.topic]
        if len(kept) < self.kept_max:
            kept.append((number, record))
        elif (place := self.dice.randrange(number)) < self.kept_max:
            kept[place] = (number, record)

    def any_of(self, topic: str, dice: random.Random) -> Outgoing | None:
        """One of a topic."""
        kept = self.kept[topic]
        return dice.choice(kept)[1] if kept else None

    def newest_first(self, topic: str, dice: random.Random, count: int) -> list[Outgoing]:
        """So many of a topic at most, backwards."""
        kept = self.kept[topic]
        drawn = dice.sample(kept, min(count, len(kept)))
        return [record for _, record in sorted(drawn, key=lambda one: one[0], reverse=True)]
