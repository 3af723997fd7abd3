"""Schedules: as many lines as asked for, at moments that follow from the rate alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.load.profiles import (
    PROFILE,
    PROFILES,
    Piece,
    ProfileName,
    intended_seconds,
    line_count,
    own_profile,
    read_moments,
    read_shape,
    share_of_peak,
    step_bounds,
)

RATES = st.floats(min_value=0, max_value=2_000)
PIECES = st.lists(
    st.builds(Piece, st.floats(min_value=0.1, max_value=60), RATES, RATES).filter(
        lambda piece: piece.rate_from + piece.rate_to > 0.5
    ),
    min_size=1,
    max_size=5,
)


def test_what_is_less_than_a_line_is_one_line_at_its_half_and_nothing_is_none() -> None:
    assert intended_seconds([Piece(1, 0.2, 0.2)]).tolist() == pytest.approx([0.5])
    assert line_count([Piece(1, 0.2, 0.2)]) == 1
    assert (len(intended_seconds([Piece(1, 0, 0)])), line_count([Piece(1, 0, 0)])) == (0, 0)


@pytest.mark.parametrize(
    ("profile", "shares"),
    [
        ("steady", [1, 1, 1, 1, 1]),
        ("ramp", [0.1, 0.3, 0.6, 0.8, 1]),
        ("spike", [0.2, 0.2, 1, 0.2, 0.2]),
        ("cutoff-rush", [0.1, 0.1 + 0.9 * 2 / 7, 0.1 + 0.9 * 5 / 7, 1, 0.3]),
        ("soak", [1, 1, 1, 1, 1]),
        ("kill", [1, 1, 1, 1, 1]),
    ],
)
def test_a_profile_says_what_share_of_the_most_it_takes_at_a_moment(profile: ProfileName, shares: list[float]) -> None:
    pieces = PROFILE[profile].pieces(1.0, 100.0)
    assert [share_of_peak(pieces, second) for second in (0, 20, 50, 75, 99)] == pytest.approx(shares)
    assert share_of_peak(pieces, 200.0) == pytest.approx(shares[-1])


def test_a_steady_rate_spaces_lines_evenly() -> None:
    due = intended_seconds(PROFILE["steady"].pieces(10, 2))
    assert np.allclose(due, np.arange(20) / 10 + 0.05)


@given(PIECES)
def test_a_schedule_ascends_inside_its_time_and_has_the_area_under_its_rate(pieces: list[Piece]) -> None:
    due = intended_seconds(pieces)
    total = sum(piece.seconds for piece in pieces)
    assert abs(len(due) - line_count(pieces)) <= 1
    assert np.all(np.diff(due) >= -1e-6)
    assert not len(due) or (due[0] >= 0 and due[-1] <= total + 1e-6)


@pytest.mark.parametrize("name", PROFILES)
def test_no_profile_exceeds_the_rate_or_the_time_that_were_asked_for(name: str) -> None:
    pieces = PROFILE[name].pieces(500, 60)  # type: ignore[index]
    assert sum(piece.seconds for piece in pieces) == pytest.approx(60)
    assert max(max(piece.rate_from, piece.rate_to) for piece in pieces) == pytest.approx(500)


def test_a_ramp_climbs_in_ten_even_steps() -> None:
    due = intended_seconds(PROFILE["ramp"].pieces(1_000, 20))
    counts = [int(((due >= begin) & (due < end)).sum()) for begin, end in step_bounds(20)]
    assert counts == [pytest.approx(200 * number, abs=1) for number in range(1, 11)]


def test_the_cut_of_a_rush_falls_where_the_rate_is_highest() -> None:
    cut = PROFILE["cutoff-rush"].cuts(100)[0]
    due = intended_seconds(PROFILE["cutoff-rush"].pieces(100, 100))
    assert int(((due >= cut - 5) & (due < cut + 5)).sum()) == pytest.approx(1_000, abs=2)
    assert (due > cut).any()


def test_a_soak_closes_days_within_its_time_and_a_kill_profile_kills() -> None:
    assert PROFILE["soak"].cuts(200) == [60, 120]
    assert PROFILE["soak"].cuts(30) == []
    assert PROFILE["kill"].kills(60) == [7.5, 22.5, 37.5, 52.5]
    assert all(not PROFILE[name].kills(60) for name in PROFILES if name != "kill")


def test_a_shape_of_ones_own_is_read_piece_by_piece() -> None:
    assert read_shape("20:100, 2.5:100-1000,10:0-50") == (Piece(20, 100, 100), Piece(2.5, 100, 1_000), Piece(10, 0, 50))
    assert line_count(read_shape("10:100,10:0,5:0-200")) == 1_500
    assert read_moments("12.5, 3") == (3.0, 12.5)
    assert read_moments("") == ()


@pytest.mark.parametrize(
    "text", ["", "10", "10:", ":5", "10:5-", "-10:5", "10:5-1-2", "0:5", "10:5,", "1e3:5", "10:nan"]
)
def test_what_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="piece"):
        read_shape(text)


def test_a_shape_closes_and_kills_within_its_time() -> None:
    made = own_profile(read_shape("10:5,10:20"), cuts=(5,), kills=(3, 19.9))
    assert (made.cuts(0), made.kills(0), made.waits) == ([5], [3, 19.9], False)
    with pytest.raises(ValueError, match="not within"):
        own_profile(read_shape("10:5"), kills=(10,))
    with pytest.raises(ValueError, match="seconds"):
        read_moments("3,x")
