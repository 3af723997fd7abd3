"""Workers of two releases in one group: the books are those of the new release alone."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import asyncpg
import psutil
import pytest
import pytest_asyncio

from deploy.cluster import Cluster
from deploy.operate.proof import prove
from deploy.operate.state_hash import StateHash, state_hash
from deploy.operate.target import of_folder
from deploy.scenarios.runner import run_files
from tests.recovery.release import FOLDER_VARIABLE, OLD_RULE_SET
from tests.support.operated import FIRST, PAYDAYS, SECOND, Kept

pytestmark = pytest.mark.timeout(400)
ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("contribution", "allocation", "trading", "valuation")
MIGRATIONS = (*(f"services/{service}/migrations" for service in SERVICES), "shared/runtime/migrations_frame")
TREE_VARIABLE = "NESTWORK_OLD_TREE"
NAMES_RULE_SET = {"contribution lines", "allocation splits", "trading instructions"}
"""Tables of the state hash that hold the name of the rule set."""


def git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def old_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code from before the newest migration, which therefore has to run on a newer schema."""
    if given := os.environ.get(TREE_VARIABLE):
        return Path(given)
    if not (ROOT / ".git").exists():
        pytest.fail(f"the older release is taken from git; without it {TREE_VARIABLE} must name a folder with one")
    newest = git("log", "-1", "--diff-filter=A", "--format=%H", "--", *MIGRATIONS).decode().strip()
    tree = tmp_path_factory.mktemp("old")
    subprocess.run(["tar", "-x", "-C", str(tree)], input=git("archive", f"{newest}^"), check=True)
    return tree


@dataclass
class Outcome:
    """What a run came to."""

    books: StateHash
    rule_sets: set[str]
    """Of contribution's journal."""


async def play(folder: Path, old: str | None) -> Outcome:
    """Play two paydays with two workers of each service; ``old`` is what the first ones start as, until the second day.

    A path: that tree. Empty: this tree with an older rule set. None: all are new from the start.
    """
    releases = folder / "releases"
    releases.mkdir()
    if old is not None:
        for service in SERVICES:
            (releases / f"{service}-0").write_text(old)
    kept: list[Cluster] = []
    file = folder / "paydays.yaml"
    file.write_text(PAYDAYS)

    async def start(_: Path, partitions: int, workers: int, actions: Path) -> Kept:
        own = folder / "custodian-actions.json"
        own.write_bytes(actions.read_bytes())
        cluster = await Cluster.start(
            folder / "cluster", partitions=partitions, workers=dict.fromkeys(SERVICES, workers), custodian_actions=own,
            worker_module="tests.recovery.entry.{service}", extra_env={FOLDER_VARIABLE: str(releases)},
            postgres_settings={"shared_buffers": "'64MB'"},
        )  # fmt: skip
        kept.append(cluster)
        return Kept(cluster)

    async def on_day(day: date, phase: str) -> None:
        if (day.isoformat(), phase) != (SECOND, "published"):
            return
        for wish in releases.iterdir():
            runs_in = psutil.Process(kept[0].process(wish.name).pid).cwd()
            assert runs_in == str(old or ROOT), "the worker is of the release that was wanted"
        for wish in releases.iterdir():  # The other half follows, while the day's lines are on their way.
            wish.unlink()
            kept[0].process(wish.name).identity.send(signal.SIGTERM)

    try:
        (found,) = await run_files([file], workers=2, partitions=4, cluster_factory=start, on_day=on_day)
        assert not found.differences, [str(difference) for difference in found.differences]
        return await outcome(kept[0])
    finally:
        for cluster in kept:
            await cluster.stop()


async def outcome(cluster: Cluster) -> Outcome:
    """Prove both dates, and read the books up to the second."""
    config = of_folder(cluster.folder)
    await cluster.wait_ready()
    for day in (FIRST, SECOND):
        proof, _ = await prove(config, date.fromisoformat(day))
        assert proof.ok, [one.name for one in proof.equations if not one.ok]
    connection = await asyncpg.connect(cluster.database_url("contribution"))
    try:
        rows = await connection.fetch("SELECT DISTINCT rule_set FROM journal")
    finally:
        await connection.close()
    return Outcome(await state_hash(config, date.fromisoformat(SECOND)), {row["rule_set"] for row in rows})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def new_alone(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Outcome]:
    """The run that the others are compared with."""
    yield await play(tmp_path_factory.mktemp("new"), None)


async def test_workers_from_before_the_newest_migration_and_new_ones_make_the_same_books(
    old_tree: Path, new_alone: Outcome, tmp_path: Path
) -> None:
    mixed = await play(tmp_path, str(old_tree))
    assert mixed.books.differing_tables(new_alone.books) == []
    assert mixed.books.overall == new_alone.books.overall


async def test_each_journal_line_names_the_rules_it_was_decided_by(new_alone: Outcome, tmp_path: Path) -> None:
    mixed = await play(tmp_path, "")
    assert new_alone.rule_sets < mixed.rule_sets
    assert OLD_RULE_SET in mixed.rule_sets
    assert set(mixed.books.differing_tables(new_alone.books)) <= NAMES_RULE_SET
