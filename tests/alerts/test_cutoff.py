"""Market mode: a cut-off that passes uncut pages at once, and ends when the clock could do its work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from deploy.cluster import Cluster
from deploy.operate.day import close_day
from deploy.operate.target import of_folder
from shared.values.trading_days import cutoff_at, next_trading_day, previous_trading_day
from tests.support.prometheus import Watch, open_watch
from tests.support.waiting import eventually

REFUSING = """
CREATE FUNCTION no_mark() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER no_mark BEFORE INSERT ON day_marks FOR EACH ROW WHEN (NEW.trade_date > '{day}')
    EXECUTE FUNCTION no_mark()"""


def days_ago(number: int) -> date:
    """A trading day whose next one has passed its cut-off."""
    return previous_trading_day(datetime.now(UTC).date() - timedelta(days=number))


@pytest_asyncio.fixture(loop_scope="session")
async def market(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Cluster, Watch]]:
    """A small cluster whose days end by the exchange calendar, and what watches it."""
    cluster = await Cluster.start(
        tmp_path_factory.mktemp("market"), partitions=2, market_mode="on", intake=True,
        postgres_settings={"shared_buffers": "'128MB'"},
    )  # fmt: skip
    try:
        async with open_watch(cluster, tmp_path_factory.mktemp("watch")) as watch:
            yield cluster, watch
    finally:
        await cluster.stop()


async def test_a_cut_off_that_passes_uncut_pages_until_the_clock_has_caught_up(market: tuple[Cluster, Watch]) -> None:
    cluster, watch = market
    day = days_ago(6)
    connection = await asyncpg.connect(cluster.database_url("trading"))
    try:
        await connection.execute(REFUSING.format(day=day))
        assert (await close_day(of_folder(cluster.folder), day, seconds=60, tell=lambda _: None)).state == "closed"
        await watch.until_fires("CutOffMissed")
        due = await watch.ask("query", query="max(nestwork_cutoff_due_timestamp_seconds)")
        assert float(due["result"][0]["value"][1]) == cutoff_at(next_trading_day(day)).timestamp()
        await connection.execute("DROP TRIGGER no_mark ON day_marks")
        await watch.until_ends("CutOffMissed")

        async def has_caught_up() -> bool:
            last = await connection.fetchval("SELECT max(trade_date) FROM day_marks WHERE kind = 'cut'")
            return bool(cutoff_at(next_trading_day(last)) > datetime.now(UTC))

        await eventually(has_caught_up, seconds=30)
    finally:
        await connection.close()
    assert {who for who, _ in watch.told("CutOffMissed")} == {"page"}
