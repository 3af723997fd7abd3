"""What an operator does at the console: replay letters, free participants, book or withdraw held repeats.

Each action is a row of ``operator_actions`` in the database it is about, written before anything is done. Up to the
two-person amount who asks carries it out himself; above it the row waits until somebody else with the role agrees.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from deploy.console import store_console as store
from deploy.doors.metrics import CONSOLE_ACTIONS
from deploy.operate.books import SERVICES
from deploy.operate.heldlines import resolve
from deploy.operate.letters import LetterId
from deploy.operate.replay import Replay, replay
from deploy.operate.target import TROUBLE, OperatorError
from shared.runtime.clients import Connection, connect
from shared.runtime.settings import Settings

SUBJECTS_MAX = 100
"""Letters of one action: what somebody can look through before he agrees."""
REASON_CHARACTERS_MAX = 500
OUTCOME_CHARACTERS_MAX = 4_000
WAIT_SECONDS = 20.0
"""How long a page waits for a lane's owner to do what was asked."""
REPLAYS = ("replay", "replay_again")
HELD = ("book", "withdraw")


class NotAllowed(OperatorError):
    """The action cannot be asked for or agreed to; the text says why."""


@dataclass(frozen=True, slots=True)
class Stake:
    """What an action is about, read again from the books; ``cents`` are its cents at stake, without signs."""

    service: str
    kind: str
    subjects: tuple[str, ...]
    cents: int


@dataclass(frozen=True, slots=True)
class Asked:
    """An action that was recorded: done at once, or waiting for a second person."""

    service: str
    action: int
    state: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Actions:
    """Carries actions out. ``alone_cents`` is the most that one person may move by himself; ``None`` is no limit."""

    config: Settings
    alone_cents: int | None
    knows_people: bool
    """False without a token file: nobody can be told from anybody else, so no second person can agree."""

    async def stake_of_letters(self, ids: Sequence[str], *, again: bool = False) -> Stake:
        """The letters and parked participants of one service. Raises ``NotAllowed`` or ``UnknownLetter``."""
        unique = tuple(sorted(set(ids)))
        if not 1 <= len(unique) <= SUBJECTS_MAX:
            raise NotAllowed(f"choose between 1 and {SUBJECTS_MAX} letters")
        letters = [LetterId.parse(text) for text in unique]
        services = {letter.service for letter in letters}
        if len(services) != 1:
            raise NotAllowed("choose letters of one service only")
        (service,) = services
        numbers = [letter.number for letter in letters if letter.number is not None]
        keys = [letter.key for letter in letters if letter.key is not None]
        async with opened(self.config, service) as connection:
            found = await connection.fetch(store.LETTER_STAKES, numbers)
            parked = await connection.fetch(store.PARKED_STAKES, keys)
        if len(found) != len(numbers) or len(parked) != len(keys):
            raise NotAllowed("some of these letters are not there any more")
        if not again and any(row["replayed_at"] for row in found):
            raise NotAllowed("some of these letters were sent again already; say that you want them once more")
        cents = sum(int(row["cents"]) for row in (*found, *parked))
        return Stake(service, "replay_again" if again else "replay", unique, cents)

    async def stake_of_held(self, kind: str, lane: int, entry: int, ce_source: str, ce_id: str) -> Stake:
        """A held repeat. Raises ``NotAllowed`` when the line is not held any more."""
        async with opened(self.config, "contribution") as connection:
            row = await connection.fetchrow(store.HELD_LINE, lane, entry)
        if kind not in HELD or row is None:
            raise NotAllowed("this line is not held any more")
        return Stake("contribution", kind, (f"{lane}:{entry}", ce_source, ce_id), abs(row["requested"]))

    async def try_out(self, stake: Stake) -> list[Replay]:
        """What a replay would do; nothing is sent, nothing is written."""
        again = stake.kind == "replay_again"
        return await replay(self.config, stake.subjects, by="", dry_run=True, again=again)

    def needs_two(self, cents: int) -> bool:
        """Whether so many cents at stake need a second person."""
        return self.alone_cents is not None and cents > self.alone_cents

    async def ask(self, stake: Stake, by: str, reason: str) -> Asked:
        """Record the action and carry it out, or leave it for a second person. Raises ``NotAllowed``."""
        reason = reason.strip()
        if not 1 <= len(reason) <= REASON_CHARACTERS_MAX or not reason.isprintable():
            raise NotAllowed(f"give a reason of up to {REASON_CHARACTERS_MAX} printable characters")
        row = (stake.kind, list(stake.subjects), stake.cents, reason, by)
        if not self.needs_two(stake.cents):
            async with opened(self.config, stake.service) as connection:
                action = await connection.fetchval(store.INSERT_BEGUN, *row)
            return await self._carry_out(stake, action, by, reason)
        if not self.knows_people:
            raise NotAllowed("this amount needs two people, and without a token file the console knows nobody by name")
        async with opened(self.config, stake.service) as connection:
            asked = await connection.fetchval(store.INSERT_ASKED, *row)
        if asked is None:
            raise NotAllowed("this was asked for already and waits for a second person")
        CONSOLE_ACTIONS.labels("console", stake.kind, "asked").inc()
        return Asked(stake.service, asked, "asked", "waits for a second person")

    async def agree(self, service: str, action: int, by: str) -> Asked:
        """Carry out what somebody else asked for. Raises ``NotAllowed``."""
        row = await self._row(service, action)
        if row["asked_by"] == by:
            raise NotAllowed("you asked for this yourself; somebody else has to agree")
        stake = await self._stake_now(service, row)
        if stake.cents != row["cents"]:
            raise NotAllowed("the cents at stake have changed since this was asked for; decline it and ask again")
        async with opened(self.config, service) as connection:
            if await connection.fetchval(store.BEGIN_ASKED, action, by) is None:
                raise NotAllowed("this does not wait for anybody any more")
        return await self._carry_out(stake, action, f"{row['asked_by']}, {by}", row["reason"])

    async def decline(self, service: str, action: int, by: str) -> Asked:
        """Take an action back that waits; who asked may do so too. Raises ``NotAllowed``."""
        async with opened(self.config, _known(service)) as connection:
            kind = await connection.fetchval(store.DECLINE_ASKED, action, by)
        if kind is None:
            raise NotAllowed("this does not wait for anybody any more")
        CONSOLE_ACTIONS.labels("console", kind, "declined").inc()
        return Asked(service, action, "declined", "declined")

    async def _row(self, service: str, action: int) -> Any:
        async with opened(self.config, _known(service)) as connection:
            row = await connection.fetchrow(store.ACTION, action)
        if row is None or row["state"] != "asked":
            raise NotAllowed("this does not wait for anybody any more")
        return row

    async def _stake_now(self, service: str, row: Any) -> Stake:
        if row["kind"] in REPLAYS:
            return await self.stake_of_letters(row["subjects"], again=row["kind"] == "replay_again")
        place, ce_source, ce_id = row["subjects"]
        lane, _, entry = place.partition(":")
        return await self.stake_of_held(row["kind"], int(lane), int(entry), ce_source, ce_id)

    async def _carry_out(self, stake: Stake, action: int, by: str, reason: str) -> Asked:
        """Do it and write down how it ended; what fails is written down too."""
        try:
            done, outcome = await self._do(stake, by, reason)
        except (*TROUBLE, ValueError) as problem:
            done, outcome = False, str(problem) or type(problem).__name__
        state = "done" if done else "failed"
        CONSOLE_ACTIONS.labels("console", stake.kind, state).inc()
        async with opened(self.config, stake.service) as connection:
            await connection.execute(store.FINISH, action, state, outcome[:OUTCOME_CHARACTERS_MAX])
        return Asked(stake.service, action, state, outcome)

    async def _do(self, stake: Stake, by: str, reason: str) -> tuple[bool, str]:
        if stake.kind in REPLAYS:
            again = stake.kind == "replay_again"
            ends = await replay(self.config, stake.subjects, by=by, again=again, seconds=WAIT_SECONDS)
            return all(one.ok for one in ends), "; ".join(f"{one.id}: {one.outcome}" for one in ends)
        _, ce_source, ce_id = stake.subjects
        text = f"{reason} (by {by})"
        await resolve(self.config, ce_id, stake.kind, text, source=ce_source, seconds=WAIT_SECONDS)
        return True, "booked" if stake.kind == "book" else "withdrawn"


def _known(service: str) -> str:
    if service not in SERVICES:
        raise NotAllowed("there is no such service")
    return service


@asynccontextmanager
async def opened(config: Settings, service: str) -> AsyncIterator[Connection]:
    """A connection that may write, for the length of one statement or two."""
    connection = await connect(f"nestwork_{service}", config)
    try:
        yield connection
    finally:
        await connection.close()
