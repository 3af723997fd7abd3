"""What a load run refuses before it starts anything."""

from __future__ import annotations

import pytest

from deploy.load.run import Wish
from deploy.load.target import NotLoopback, refuse_strangers
from deploy.operate.target import OperatorError
from shared.runtime.settings import Settings


def test_a_run_knows_its_lines_beforehand() -> None:
    assert Wish(100, 50.0, "steady", 10.0).lines() == 500


@pytest.mark.parametrize(
    "wish",
    [
        Wish(1, 1_000.0, "steady", 10.0),
        Wish(5_000_000, 100_000.0, "steady", 86_400.0),
        Wish(100, None, "ramp", 10.0),
        Wish(100, 0.01, "steady", 1.0),
    ],
    ids=["beyond the yearly limit", "more lines than bounded", "max without a shape", "nothing"],
)
def test_a_run_that_makes_no_sense_is_refused(wish: Wish) -> None:
    with pytest.raises(OperatorError):
        wish.lines()


@pytest.mark.parametrize(
    ("bootstrap", "database"),
    [
        ("kafka.example.com:9092", "postgresql://u@127.0.0.1:5432/p"),
        ("127.0.0.1:9092,10.0.0.7:9092", "postgresql://u@127.0.0.1:5432/p"),
        ("127.0.0.1:9092", "postgresql://u@db.example.com/p"),
    ],
)
def test_servers_elsewhere_are_refused(bootstrap: str, database: str) -> None:
    with pytest.raises(NotLoopback):
        refuse_strangers(Settings(KAFKA_BOOTSTRAP_SERVERS=bootstrap, DATABASE_URL=database))


def test_servers_on_this_machine_are_taken() -> None:
    refuse_strangers(
        Settings(KAFKA_BOOTSTRAP_SERVERS="localhost:1,127.0.0.1:2", DATABASE_URL="postgresql://u@127.0.0.1/p")
    )
