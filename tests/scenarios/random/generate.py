"""Draw a random scenario: the events of each day, its prices and custodian, and what the model expects of it."""

from __future__ import annotations

from datetime import date
from typing import Any

from tests.scenarios.random.events import Events
from tests.scenarios.random.scene import ACTIONS, Scene


def scenario(seed: int, index: int) -> dict[str, Any]:
    """The ``index``-th scenario of ``seed``, as it is written to its file."""
    scene = Scene(seed, index)
    for day in scene.dates:
        scene.file["days"].append(_day(scene, day))
    return scene.file


def _day(scene: Scene, day: date) -> dict[str, Any]:
    events = Events(scene, day).draw()
    prices = {fund: _price(scene) for fund in scene.decimals}
    actions = _custodian(scene)
    seen = scene.world.close(day, prices, actions)
    _leave_unpriced(scene, prices, seen)
    drawn: dict[str, Any] = {"date": day.isoformat(), "events": events, "prices": prices}
    if actions:
        orders = [{"fund": fund, "side": side, "action": action} for (fund, side), action in actions.items()]
        drawn["custodian"] = {"orders": orders}
    is_clean = not any("INVALID_AMOUNT" in answer.get("codes", ()) for answer in seen["receipts"].values())
    drawn["expect"] = seen | {"breaks": [], "proof": "ok"} | ({"dlq": []} if is_clean else {})
    return drawn


def _leave_unpriced(scene: Scene, prices: dict[str, str], seen: dict[str, Any]) -> None:
    """Sometimes a fund that nobody trades has no price: who holds it has no balance that day."""
    for fund in sorted(set(prices) - {order["fund"] for order in seen["orders"]}):
        if scene.chance(8):
            del prices[fund]
            holders = {
                who for who, held in seen["positions"].items() if any(fund in by_fund for by_fund in held.values())
            }
            for key in ("balances", "vested"):
                if key in seen:
                    seen[key] = {who: value for who, value in seen[key].items() if who not in holders}


def _price(scene: Scene) -> str:
    places = scene.rng.choice((2, 2, 2, 4, 0, 7))
    mantissa = scene.rng.randint(1, scene.rng.choice((30, 3000, 300_00)))
    text = str(mantissa * 10 ** max(0, places - 2) + (scene.rng.randrange(10 ** (places - 2)) if places > 2 else 0))
    text = text.zfill(places + 1)
    return f"{text[:-places]}.{text[-places:]}" if places else text


def _custodian(scene: Scene) -> dict[tuple[str, str], str]:
    percent = 45 if scene.mood in ("custodian", "reversals") else 12
    return {
        (fund, side): scene.rng.choice(ACTIONS)
        for fund in scene.decimals
        for side in ("buy", "sell")
        if scene.chance(percent)
    }
