"""Business days around and under load: close, wait for the orders' answers, value, prove without the engine's word."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from datetime import date
from typing import Any

from deploy.load.people import LOAD_SOURCE, prices
from deploy.operate.day import Closer
from deploy.operate.proof import prove
from deploy.wire.outgoing import final_prices
from deploy.wire.publish import BulkPublisher
from shared.events.market import CloseRequested, ValueRequested
from shared.events.topics import MARKET_PRICES
from shared.runtime.clients import open_pool
from shared.runtime.settings import Settings


async def close_and_prove(
    config: Settings, publisher: BulkPublisher, day: date, began: float, seconds: float
) -> dict[str, Any]:
    """Take ``day`` from its cut to its proof and say when each step was reached (seconds after ``began``).

    Raises ``OperatorError`` when the engine refuses or takes longer than ``seconds``.
    """
    steps: dict[str, float] = {}

    def reached(name: str) -> None:
        steps[name] = round(time.time() - began, 3)

    async with AsyncExitStack() as stack:
        pools = [await stack.enter_async_context(await open_pool(f"nestwork_{name}", config, size=1))
                 for name in ("trading", "valuation")]  # fmt: skip
        closer = Closer(config, day, *pools, deadline=time.monotonic() + seconds, tell=lambda _: None)
        reached("asked")
        await closer.command(CloseRequested, "close")
        reached("cut")
        await publisher.publish(MARKET_PRICES.name, final_prices(day, dict(prices(day)), LOAD_SOURCE))
        await closer.until(closer.is_decided, "its orders to be made", "day")
        reached("ordered")
        await closer.until(closer.is_answered, "every order to be answered and every confirmation judged")
        reached("confirmed")
        await closer.command(ValueRequested, "value")
        await closer.until(closer.proof, "valuation's proof (prices and the custodian's holdings must be there)")
        reached("valued")
        closing = await closer.result("valued")
    proof, _ = await prove(config, day)
    return {
        "trade_date": day.isoformat(),
        "seconds_after_start": steps,
        "orders": closing.orders,
        "engine": proof.engine_status,
        "equations": len(proof.equations),
        "differ": [one.name for one in proof.equations if not one.ok],
        "proof": "ok" if proof.ok else "broken",
    }
