"""The first Kafka of a machine: nothing is kept yet in the user's cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cluster import broker
from deploy.cluster.jars import class_path


def test_the_first_records_of_a_cluster_are_made_when_none_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jars = class_path()
    monkeypatch.setattr(broker, "cache_folder", lambda: tmp_path)
    made = broker._bootstrap_checkpoint(jars)
    assert made
    assert broker._bootstrap_checkpoint(jars) == made
    assert [kept.name for kept in tmp_path.rglob("*") if kept.is_file()] == ["bootstrap.checkpoint"]
