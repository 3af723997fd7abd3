"""Fills that valuation has set aside: the proof beside the engine reads them as they were frozen."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec

from deploy.operate import parkedfills
from deploy.operate.flow import with_parked
from services.valuation.handlers import post_fills
from services.valuation.items import FilledItem, explode_filled
from shared.events.packed import Fill
from shared.events.topics import TRADES_FILLED
from shared.runtime.definition import Input, Kind, Service
from shared.runtime.parking import thawed

FILLED = "nestwork.trades.filled.v1"
DAY = date(2026, 11, 20)
STAMP = datetime(2026, 11, 20, 21, tzinfo=UTC)
BOUGHT = Fill(
    "o1", 1, "ACME", "F1", "buy", "2026-11-20", "10.00", 3, ["P1", "P2"], [1, 2], ["roth"] * 2, [600, 400], [60, 40]
)
SOLD = msgspec.structs.replace(BOUGHT, order_id="o2", side="sell", cents=[-60, -40], units=[-6, -4], proceeds=[70, 50])
TAKEN_BACK = msgspec.structs.replace(BOUGHT, cents=[-600, -400], units=[-60, -40], reversal=True)
WRITTEN_OFF = msgspec.structs.replace(SOLD, version=0, units=[0, 0], proceeds=[0, 0])


def test_a_frozen_fill_is_read_without_the_services_own_types() -> None:
    item = FilledItem(3, TRADES_FILLED.name, 17, STAMP, DAY, BOUGHT.order_id, BOUGHT)
    assert parkedfills._decode(msgspec.msgpack.encode((FILLED, item)))[1].fill == BOUGHT


def test_the_engine_thaws_what_it_froze() -> None:
    kind = Kind(FILLED, explode_filled, post_fills, FilledItem)
    service = Service("valuation", (Input(TRADES_FILLED, (kind,), internal=True),))
    item = FilledItem(3, TRADES_FILLED.name, 17, STAMP, DAY, SOLD.order_id, SOLD)
    assert thawed(service, TRADES_FILLED.name, msgspec.msgpack.encode((FILLED, item))) == (kind, item)


def test_parked_fills_stand_beside_the_posted_ones_under_the_names_of_their_entries() -> None:
    posted = {("o1", "fill", 1): (90, 9)}
    assert with_parked(posted, [BOUGHT, TAKEN_BACK, SOLD, WRITTEN_OFF]) == {
        ("o1", "fill", 1): (1_090, 109),
        ("o1", "fill_reversed", 1): (-1_000, -100),
        ("o2", "fill", 1): (-120, -10),
    }
    assert posted == {("o1", "fill", 1): (90, 9)}


def test_only_sells_take_cost_out_of_positions() -> None:
    assert parkedfills.cost_of_sales([BOUGHT, SOLD, WRITTEN_OFF]) == 200
