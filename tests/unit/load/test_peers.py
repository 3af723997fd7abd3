"""The comparison's own job and checker: the same lines for the same seed, cents that add up, faults that are seen."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.load.peers import engine, job, people, table
from tests.load.peers.check import Expected, verdict

SOME = list(people.messages(5_000, 7))


@given(st.integers(min_value=0, max_value=10**9), st.sampled_from(job.ELECTIONS))
def test_a_split_gives_every_cent_to_a_fund(cents: int, election: list[tuple[str, int]]) -> None:
    assert sum(part for _, part in job.split(cents, election)) == cents


def test_the_same_seed_draws_the_same_lines() -> None:
    assert list(people.messages(500, 7)) == SOME[:500]
    assert list(people.messages(500, 8)) != SOME[:500]


def test_some_lines_come_twice_and_some_are_malformed() -> None:
    assert 5 < len(SOME) - len(set(SOME)) < 60
    bad = 0
    for _, value in SOME:
        try:
            job.parse(value)
        except job.Invalid:
            bad += 1
    assert 0 < bad < 30


@pytest.mark.parametrize(
    ("cents", "before", "accepted", "excess"),
    [(1_000, 0, 1_000, 0), (1_000, job.LIMITS[2026] - 400, 400, 600), (1_000, job.LIMITS[2026], 0, 1_000)],
)
def test_what_exceeds_the_limit_is_cut(cents: int, before: int, accepted: int, excess: int) -> None:
    line = job.Contribution("c", "P", "P1", "r", "2026-01-02", 2026, 1, [("pre_tax", cents)])
    decision = job.decide(line, before)
    assert (decision.accepted_cents, decision.excess_cents) == (accepted, excess)


def test_the_engine_is_wanted_to_do_what_the_peers_do() -> None:
    want = engine.wanted(SOME)
    totals: dict[tuple[str, int], int] = {}
    seen, cents = set(), 0
    for _, value in SOME:
        line, _unknown = engine._readable(value)
        if line is None or line.contribution_id in seen:
            continue
        seen.add(line.contribution_id)
        decision = job.decide(line, totals.get((line.participant_id, line.year), 0))
        totals[line.participant_id, line.year] = (
            totals.get((line.participant_id, line.year), 0) + decision.elective_cents
        )
        cents += decision.accepted_cents
    assert want.cents == cents
    assert sum(legs.total() for legs in want.legs.values()) == cents


def test_every_line_has_an_id_that_only_its_repeats_share() -> None:
    ids = {engine.line_id(key, value) for key, value in SOME}
    assert len(ids) == len(set(SOME))


@pytest.mark.parametrize("fault", ["lost", "duplicated", "wrong_lines", "rejects_duplicated"])
def test_a_fault_is_named(fault: str) -> None:
    wanted = Expected({"a": {"accepted_cents": 5}}, {}, 0)
    books = {"lines": 1, "accepted": 5, "debits": 5, "credits": 5}
    assert verdict({"cents_lost": 0}, books, wanted)["ok"]
    assert verdict({"cents_lost": 0, fault: 1}, books, wanted)["faults"] == [fault]


def test_books_that_are_a_cent_off_are_a_fault() -> None:
    wanted = Expected({"a": {"accepted_cents": 5}}, {}, 0)
    books = {"lines": 1, "accepted": 5, "debits": 5, "credits": 4}
    assert verdict({"cents_lost": 0}, books, wanted)["faults"] == ["books"]
    assert verdict({"cents_lost": 1}, books | {"credits": 5}, wanted)["faults"] == ["cents"]


def test_a_peer_that_could_not_run_stands_in_the_table_with_its_reason() -> None:
    row = {"peer": "quix", "test": "drain", "n": 10, "round": 0, "error": "no | network", "ok": False}
    text = table.markdown([row])
    assert "not run: no / network" in text
    assert orjson.dumps(row)
