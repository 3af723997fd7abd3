"""What a load run refuses before it starts anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from deploy.load.profiles import PROFILES, ProfileName, intended_seconds
from deploy.load.target import NotLoopback, refuse_strangers
from deploy.load.wish import Wish
from deploy.operate.target import OperatorError
from shared.runtime.settings import Settings


def test_a_run_knows_its_lines_beforehand() -> None:
    assert Wish(100, 50.0, "steady", 10.0).lines() == 500


@pytest.mark.parametrize(
    "wish",
    [
        Wish(1, 1_000.0, "steady", 10.0),
        Wish(5_000_000, 100_000.0, "steady", 86_400.0),
        Wish(100, 0.01, "steady", 1.0),
    ],
    ids=["beyond the yearly limit", "more lines than bounded", "nothing"],
)
def test_a_run_that_makes_no_sense_is_refused(wish: Wish) -> None:
    with pytest.raises(OperatorError):
        wish.lines()


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_goes_as_fast_as_lines_are_answered(profile: ProfileName) -> None:
    wish = Wish(100, None, profile, 10.0)
    assert wish.lines() == (100 if profile == "backlog" else 40_000)
    assert wish.latency_from == ("released" if profile == "backlog" else "sent")


@pytest.mark.parametrize("profile", PROFILES)
def test_one_line_per_second_for_a_second_is_a_line_in_every_profile(profile: ProfileName) -> None:
    wish = Wish(1, 1.0, profile, 1.0)
    assert wish.lines() == len(intended_seconds(wish.shape.pieces(1.0, 1.0))) == 1
    assert wish.latency_from == ("released" if profile == "backlog" else "intended")


def test_a_run_closes_its_eve_a_day_at_each_cut_and_one_at_the_end() -> None:
    assert Wish(1, 1.0, "steady", 10.0).closes(None) == [date(2026, 11, 19), date(2026, 11, 20)]
    soak = Wish(1, 1.0, "soak", 200.0)
    assert [str(day) for day in soak.closes(date(2026, 12, 30))] == [
        "2026-12-31", "2027-01-04", "2027-01-05", "2027-01-06",
    ]  # fmt: skip
    assert Wish(1, 1.0, "steady", 10.0, close=False).closes(None) == []


def test_a_run_that_would_outlast_the_calendar_is_refused_beforehand() -> None:
    day = Wish(1_000, 1.0, "soak", 86_400.0)
    with pytest.raises(OperatorError, match="which ends with 2028, has 530 after 2026-11-18"):
        day.refuse_senseless()
    replace(day, close=False).refuse_senseless()
    short = Wish(1, 1.0, "steady", 10.0)
    assert short.closes(date(2028, 12, 26))[-1] == date(2028, 12, 28)
    with pytest.raises(OperatorError, match="take a new cluster"):
        short.closes(date(2028, 12, 27))


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
