"""Random lines and reversals, a custodian that errs: every date is proven, and with all taken back nothing is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from deploy.cluster import Cluster
from deploy.operate.proof import prove
from deploy.operate.target import of_folder
from deploy.scenarios.filerun import FileRun
from deploy.scenarios.runner import run_files
from shared.values.money import cents_of
from tests.chaos.conftest import SEED
from tests.support.operated import Kept
from tests.support.random_reversals import OPENING_DOLLARS, Draw, dates
from tests.support.wire import open_wire

FILES = 4
YEARS = """
SELECT participant_id, regular_pre_tax, regular_roth + catch_up + relabelled_pre_tax + relabelled_roth
       + other_additions + match AS others
FROM year_to_date"""


async def test_after_random_reversals_of_everything_nothing_is_left(tmp_path: Path) -> None:
    draws = {number: Draw(SEED * 1_000 + number) for number in range(FILES)}
    files = [tmp_path / f"random-{number}.yaml" for number in draws]
    for file, draw in zip(files, draws.values(), strict=True):
        file.write_text(yaml.safe_dump(draw.scenario(), sort_keys=False))
    kept: list[Cluster] = []

    async def start(_: Path, partitions: int, workers: int, actions: Path) -> Kept:
        own = tmp_path / "custodian-actions.json"
        own.write_bytes(actions.read_bytes())
        kept.append(await Cluster.start(tmp_path / "cluster", partitions=partitions, custodian_actions=own))
        return Kept(kept[0])

    try:
        runs = await run_files(files, partitions=4, cluster_factory=start)
        assert [str(one) for run in runs for one in run.differences] == []
        for run in runs:
            nothing_is_held_or_credited(run)
        await accumulators_are_as_at_the_start(kept[0], draws)
        for day in dates():
            proof, _ = await prove(of_folder(kept[0].folder), day)
            assert [one.as_json() for one in proof.equations if not one.ok] == []
    finally:
        for cluster in kept:
            await cluster.stop()


def nothing_is_held_or_credited(run: FileRun) -> None:
    """No share is left, and what was credited sums to nothing, by participant and source."""
    positions = run.days[-1]["expect"]["positions"]
    shares = [shares for sources in positions.values() for funds in sources.values() for shares in funds.values()]
    assert [text for text in shares if text.strip("0.")] == []
    credited: dict[tuple[str, str], int] = {}
    for day in run.days:
        for who, sources in day["expect"]["credited"].items():
            for source, dollars in sources.items():
                credited[who, source] = credited.get((who, source), 0) + cents_of(dollars)
    assert credited
    assert not any(credited.values())


async def accumulators_are_as_at_the_start(cluster: Cluster, draws: dict[int, Draw]) -> None:
    """Each accumulator of money is what the census opened it with."""
    rows = await books(cluster)
    assert rows
    for row in rows:
        number, name = int(row["participant_id"][1:4]), row["participant_id"][5:]
        opened = cents_of(OPENING_DOLLARS) if "ytd" in draws[number].people[name] else 0
        assert (row["regular_pre_tax"], row["others"]) == (opened, 0), row["participant_id"]


async def books(cluster: Cluster) -> list[dict[str, Any]]:
    """The years of everybody."""
    async with open_wire(cluster, of_folder(cluster.folder)) as wire:
        return [dict(row) for row in await wire.query("contribution", YEARS)]
