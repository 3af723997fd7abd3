"""The checks that make the protocol safe."""

from __future__ import annotations

import pytest

from shared.runtime.errors import Fenced, LogLoss
from shared.runtime.guards import ClaimGuard, GapGuard, IdentityGuard, OffsetGuard, SequenceGuard


def test_a_claim_that_still_stands_may_write() -> None:
    ClaimGuard().check({0: (1, 7), 3: (2, 7)}, {0: (1, 7), 3: (2, 7), 5: (9, 9)})


@pytest.mark.parametrize("stored", [{0: (2, 7)}, {0: (1, 8)}, {}, {1: (1, 7)}])
def test_a_claim_that_moved_or_is_gone_is_fenced(stored: dict[int, tuple[int, int]]) -> None:
    with pytest.raises(Fenced):
        ClaimGuard().check({0: (1, 7)}, stored)


def test_a_claim_needs_a_heartbeat_that_was_answered_at_its_own_generation() -> None:
    assert [ClaimGuard().may_take(answered, 7) for answered in (None, 6, 7, 8)] == [False, False, True, False]


def test_positions_that_moved_elsewhere_are_fenced() -> None:
    OffsetGuard().check(3, 3)
    with pytest.raises(Fenced, match="1 of 3"):
        OffsetGuard().check(3, 2)


@pytest.mark.parametrize(
    ("epoch", "seq", "is_repeat"),
    [(2, 10, True), (2, 9, True), (1, 99, True), (2, 11, False), (3, 1, False)],
)
def test_what_was_applied_or_is_of_an_older_epoch_is_a_repeat(epoch: int, seq: int, is_repeat: bool) -> None:
    assert SequenceGuard().is_repeat((2, 10), epoch, seq) is is_repeat


def test_a_stream_goes_on_by_one_and_a_new_epoch_starts_at_one() -> None:
    GapGuard().check_sequence(3, "s", (2, 10), 2, 11)
    GapGuard().check_sequence(3, "s", (2, 10), 3, 1)


@pytest.mark.parametrize(("epoch", "seq"), [(2, 12), (3, 2), (3, 11)])
def test_a_jump_in_a_stream_is_loss(epoch: int, seq: int) -> None:
    with pytest.raises(LogLoss) as caught:
        GapGuard().check_sequence(3, "s", (2, 10), epoch, seq)
    assert caught.value.lanes == (3,)


def test_a_jump_in_a_dense_log_is_loss() -> None:
    GapGuard().check_offset("t", 0, 5, 5)
    for got in (4, 6):
        with pytest.raises(LogLoss, match="expected offset 5"):
            GapGuard().check_offset("t", 0, 5, got)


def test_a_decided_identity_is_known() -> None:
    assert IdentityGuard().known({b"a": None}, b"a")
    assert not IdentityGuard().known({b"a": None}, b"b")
