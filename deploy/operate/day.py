"""Ending a business day by hand: ask through the public topic, then watch what the engine does with it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from deploy.operate import store_day
from deploy.operate.target import OperatorError
from shared.events.envelope import event_headers
from shared.events.market import CloseRequested, ValueRequested
from shared.events.topics import DAY_COMMANDS
from shared.runtime.clients import Pool, kafka_producer, open_pool
from shared.runtime.settings import Settings

POLL_SECONDS = 0.2
CLOSED_BEFORE, VALUED_BEFORE = "refused: closed before", "refused: valued before"
OPERATOR_SOURCE = "/nestwork/operator"

Tell = Callable[[str], None]
Command = type[CloseRequested] | type[ValueRequested]


class Refused(OperatorError):
    """The engine refused a command."""


class NotInTime(OperatorError):
    """The engine did not get there in the time that was given."""


@dataclass(frozen=True, slots=True)
class Closing:
    """How far a date was taken."""

    trade_date: date
    state: str
    """requested, closed, or valued."""
    proof: str | None
    """``proven`` or ``broken`` once it is valued."""
    orders: dict[str, int]

    @property
    def ok(self) -> bool:
        """False only for a date whose proof does not hold."""
        return self.proof in (None, "proven")

    def as_json(self) -> dict[str, Any]:
        """As the command prints it."""
        return {
            "ok": self.ok,
            "trade_date": self.trade_date.isoformat(),
            "state": self.state,
            "proof": self.proof,
            "orders": self.orders,
        }


async def close_day(
    config: Settings,
    day: date,
    *,
    value: bool = False,
    as_is: bool = False,
    wait: bool = True,
    seconds: float = 600.0,
    tell: Tell,
) -> Closing:
    """Ask for the close of ``day`` and wait for it; with ``value``, value it too once all is answered and priced.

    To be valued, a date may have been closed before. ``as_is`` values it with what is there: what is not answered stays
    in flight, who holds what is not priced has no balance. Without ``wait`` only the engine's yes is waited for. Raises
    ``Refused`` or ``NotInTime``.
    """
    async with AsyncExitStack() as stack:
        pools = [await stack.enter_async_context(await open_pool(f"nestwork_{name}", config, size=1))
                 for name in ("trading", "valuation")]  # fmt: skip
        closer = Closer(config, day, *pools, deadline=time.monotonic() + seconds, tell=tell)
        await closer.command(CloseRequested, "close", fine=(CLOSED_BEFORE,) if value else ())
        if not (wait or value):
            return await closer.result("requested")
        await closer.until(closer.is_decided, "its orders to be made", "day")
        if not value:
            return await closer.result("closed")
        if not await closer.is_valued():  # What is answered after the value cut is judged with the next date.
            if not as_is:
                await closer.until(closer.is_answered, "every order to be answered and every confirmation judged")
                await closer.until(closer.is_priced, "the final price of every fund that is held")
            await closer.command(ValueRequested, "value", fine=(VALUED_BEFORE,))
        await closer.until(closer.proof, "valuation's proof (prices and the custodian's holdings must be there)")
        return await closer.result("valued")


class Closer:
    """One date on its way to its close."""

    def __init__(
        self, config: Settings, day: date, trading: Pool, valuation: Pool, *, deadline: float, tell: Tell
    ) -> None:
        self._config, self._day, self._trading, self._valuation = config, day, trading, valuation
        self._deadline, self._tell = deadline, tell

    async def command(self, model: Command, kind: str, fine: tuple[str, ...] = ()) -> None:
        """Publish a command and wait for what the engine says to it. Raises ``Refused``, unless that is ``fine``."""
        ce_id = f"{kind}/{self._day.isoformat()}/{secrets.token_hex(8)}"
        await _publish(self._config, model, self._day, ce_id)
        self._tell(f"asked to {kind} {self._day}")
        outcome: list[str | None] = [None]

        async def answered() -> Any:
            cause = f"{OPERATOR_SOURCE}/{ce_id}"
            outcome[0] = await self._trading.fetchval(store_day.COMMAND_OUTCOME, kind, cause)
            return outcome[0]

        await self.until(answered, "trading's answer to the command")
        if outcome[0] in fine:
            self._tell(f"{self._day}: {outcome[0]}")
        elif outcome[0] != "done":
            raise Refused(f"{kind} of {self._day}: {outcome[0]}")

    async def until(self, holds: Callable[..., Awaitable[Any]], awaited: str, *arguments: Any) -> None:
        """Wait until ``holds``. Raises ``NotInTime``."""
        told = False
        while not await holds(*arguments):
            if time.monotonic() > self._deadline:
                raise NotInTime(f"{self._day}: waited in vain for {awaited}")
            if not told:
                self._tell(f"waiting for {awaited}")
                told = True
            await asyncio.sleep(POLL_SECONDS)

    async def is_decided(self, cycle: str) -> bool:
        """True when the builder has decided the date and its cut stands in every log."""
        marked = await self._trading.fetchval(store_day.MARKED, "cut", self._day)
        return bool(marked and await self._trading.fetchval(store_day.DECIDED, cycle, self._day))

    async def is_valued(self) -> bool:
        """True when the value cut was marked."""
        return await self._trading.fetchval(store_day.MARKED, "value", self._day) is not None

    async def is_answered(self) -> bool:
        """True when no order is unanswered, no correction is awaited and nothing waits for its judgement."""
        states = await self._orders()
        unjudged = await self._trading.fetchval(store_day.UNJUDGED, self._day)
        return not (states.get("open") or states.get("broken") or unjudged)

    async def is_priced(self) -> bool:
        """True when no fund that is held lacks its final price of the date."""
        return not await self._trading.fetch(store_day.UNPRICED, self._day)

    async def proof(self) -> str | None:
        """Valuation's verdict, once there is one."""
        found: str | None = await self._valuation.fetchval(store_day.PROOF, self._day)
        return found

    async def _orders(self) -> dict[str, int]:
        return {
            row["status"]: row["orders"] for row in await self._trading.fetch(store_day.ORDERS_BY_STATUS, self._day)
        }

    async def result(self, state: str) -> Closing:
        """Where the date stands now."""
        return Closing(self._day, state, await self.proof(), await self._orders())


async def _publish(config: Settings, model: Command, day: date, ce_id: str) -> None:
    producer = kafka_producer(config)
    await producer.start()
    try:
        await producer.send_and_wait(
            DAY_COMMANDS.name,
            orjson.dumps({"trade_date": day.isoformat()}),
            key=day.isoformat().encode(),
            headers=event_headers(ce_id, OPERATOR_SOURCE, model.ce_type, time.time_ns() // 1_000_000),
        )
    finally:
        await producer.stop()
