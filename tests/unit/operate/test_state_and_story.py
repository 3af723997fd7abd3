"""The state hash, the ids of letters, where a command looks for its cluster, and an election in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.operate.letters import LetterId, UnknownLetter, readable
from deploy.operate.state_hash import Hasher, StateHash
from deploy.operate.story import legs_of, percents
from deploy.operate.target import NoCluster, find_cluster

ROWS = st.lists(st.tuples(st.text(max_size=5), st.integers(0, 9), st.none() | st.binary(max_size=3)), max_size=12)


def hashed(table: str, rows: list[Any]) -> StateHash:
    hasher = Hasher()
    for row in rows:
        hasher.add(table, [row])
    return hasher.result()


@given(rows=ROWS, data=st.data())
def test_the_order_of_rows_and_their_portions_do_not_matter(rows: list[Any], data: st.DataObject) -> None:
    whole = Hasher()
    whole.add("lines", data.draw(st.permutations(rows)))
    assert whole.result() == hashed("lines", rows)


@given(rows=ROWS.filter(bool))
def test_a_row_more_is_seen_even_when_it_is_a_repeat(rows: list[Any]) -> None:
    assert hashed("lines", rows).overall != hashed("lines", [*rows, rows[0]]).overall


def test_the_same_row_of_another_table_is_another_state() -> None:
    one, other = hashed("lines", [("P1", 1, None)]), hashed("fills", [("P1", 1, None)])
    assert one.differing_tables(other) == ["fills", "lines"]
    assert len(one.differing_buckets(other)) == 1


@pytest.mark.parametrize("text", ["contribution:12", "trading:parked:2026-11-20:ACME:F1:buy:cents:0"])
def test_an_id_is_read_as_it_is_written(text: str) -> None:
    assert str(LetterId.parse(text)) == text


@pytest.mark.parametrize("text", ["", "12", "payroll:1", "contribution:", "contribution:x", "contribution:parked:"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(UnknownLetter):
        LetterId.parse(text)


def test_bytes_that_are_no_text_are_shown_as_base64() -> None:
    assert readable(b"abc") == {"text": "abc"}
    assert readable(b"\xff") == {"base64": "/w=="}
    assert readable(None) is None


def test_a_split_is_told_leg_by_leg_without_the_empty_ones() -> None:
    assert legs_of(["pre_tax", "roth"], ["F1", "F2"], [60, 40, 0, 7]) == [
        {"source": "pre_tax", "fund_id": "F1", "cents": 60},
        {"source": "pre_tax", "fund_id": "F2", "cents": 40},
        {"source": "roth", "fund_id": "F2", "cents": 7},
    ]
    assert percents({"all": [["F1", 333_300], ["F2", 666_700]]}) == {"all": {"F1": "33.3300", "F2": "66.6700"}}


def test_the_environments_cluster_is_meant_unless_a_folder_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "broker:9092")
    monkeypatch.setenv("DATABASE_URL", "postgresql://database/postgres")
    assert find_cluster(None).kafka_bootstrap_servers == "broker:9092"
    with pytest.raises(NoCluster):
        find_cluster(tmp_path)


def test_without_environment_and_folder_the_command_says_how_to_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoCluster, match="nestwork up"):
        find_cluster(None)
