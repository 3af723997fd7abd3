"""Only the engine ends a business day."""

from __future__ import annotations

import pytest

from shared.runtime.signing import is_signed, sign_marker

PLACE = ("nestwork.day.cut.v1", "2026-11-20", "payroll.contributions.v1", 3)
SECRET = b"secret"


def test_a_marker_signed_for_its_place_is_ours() -> None:
    assert is_signed(SECRET, sign_marker(SECRET, *PLACE), *PLACE)


def test_a_signature_is_readable_text_and_the_same_each_time() -> None:
    signature = sign_marker(SECRET, *PLACE)
    assert len(signature) == 64
    assert signature == sign_marker(SECRET, *PLACE) == bytes.fromhex(signature.decode()).hex().encode()


@pytest.mark.parametrize(
    "elsewhere",
    [
        ("nestwork.day.value-cut.v1", *PLACE[1:]),
        (PLACE[0], "2026-11-23", *PLACE[2:]),
        (*PLACE[:2], "participant.census.v1", 3),
        (*PLACE[:3], 4),
    ],
)
def test_a_signature_cannot_be_copied_to_another_place(elsewhere: tuple[str, str, str, int]) -> None:
    assert not is_signed(SECRET, sign_marker(SECRET, *PLACE), *elsewhere)


@pytest.mark.parametrize("signature", [b"", b"0" * 64, b"\xff\x00", sign_marker(b"another", *PLACE)])
def test_anything_else_is_not_ours(signature: bytes) -> None:
    assert not is_signed(SECRET, signature, *PLACE)
