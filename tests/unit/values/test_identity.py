"""The same request has the same identity, the same body the same hash, and nothing else has."""

from __future__ import annotations

import uuid
from hashlib import sha256
from typing import Any

import pytest
import rfc8785

from shared.values.identity import body_hash, canonical_json, derived_id, identity_of

LINE: dict[str, Any] = {
    "plan_id": "ACME",
    "participant_id": "P1",
    "pay_date": "2026-11-20",
    "compensation_cents": 423_077,
    "amounts": [{"source": "pre_tax", "cents": 16_923}, {"source": "roth", "cents": 0}],
}


def test_an_identity_has_sixteen_bytes_and_every_part_counts() -> None:
    assert len(identity_of("P1", "/payroll", "c1")) == 16
    assert identity_of("P1", "/payroll", "c1") == identity_of("P1", "/payroll", "c1")
    others = {
        identity_of("P2", "/payroll", "c1"),
        identity_of("P1", "/other", "c1"),
        identity_of("P1", "/payroll", "c2"),
    }
    assert len(others | {identity_of("P1", "/payroll", "c1")}) == 4


def test_parts_are_not_glued_together() -> None:
    glued = {
        identity_of("ab", "c", "d"),
        identity_of("a", "bc", "d"),
        identity_of("a", "b", "cd"),
        identity_of("abcd", "", ""),
    }
    assert len(glued) == 4


def test_a_derived_id_looks_like_a_uuid_and_is_stable() -> None:
    derived = derived_id("order", "ACME", "F1")
    parsed = uuid.UUID(derived)
    assert (str(parsed), parsed.variant, derived[14]) == (derived, uuid.RFC_4122, "8")
    assert derived == derived_id("order", "ACME", "F1") != derived_id("order", "ACME", "F2")


def test_a_body_hash_is_sha_256_of_the_canonical_json() -> None:
    text = (
        b'{"amounts":[{"cents":16923,"source":"pre_tax"},{"cents":0,"source":"roth"}],"compensation_cents":423077,'
        b'"participant_id":"P1","pay_date":"2026-11-20","plan_id":"ACME"}'
    )
    assert body_hash(LINE) == sha256(text).digest()[:16]


def test_spelling_does_not_change_the_hash() -> None:
    one = b'{"a": 1, "b": [1.0, "x"], "c": "\\u00eb"}'
    other = '{"c":"ë","b":[1,"x"],"a":1.00}'.encode()
    assert body_hash(one) == body_hash(other)


def test_another_amount_changes_the_hash() -> None:
    assert body_hash(LINE) != body_hash(LINE | {"compensation_cents": 423_078})


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        LINE,
        {"b": 1, "a": {"d": None, "c": True}},
        {"control": '\x00\x01\b\t\n\f\r\x1f\x7f"\\/'},
        {"text": "1.5 and 2e7", "colon": "a:1.5", "comma": "x,2e3", "bracket": "[1e"},
        {"é": 1, "e": 2, "\ufb33": 3, "\U0001f600": 4, "z": 5},
        {"float": 1.5, "whole": 10.0, "small": 1e-7, "large": 1e21, "negative": -0.0, "e": 1e16},
        [1e30, 5e-324, 0.1, -1.5e300],
        {"exact": 2**53 - 1},
    ],
)
def test_the_quick_way_says_what_the_standard_says(value: Any) -> None:
    assert canonical_json(value) == rfc8785.dumps(value)


def test_integers_beyond_the_standard_keep_every_digit() -> None:
    assert canonical_json({"cents": 2**53 + 1}) != canonical_json({"cents": 2**53})
    assert canonical_json({"cents": 2**53 + 1, "who": "ë"}) == b'{"cents":9007199254740993,"who":"\xc3\xab"}'
    assert len(body_hash({"cents": 10**30})) == 16


def test_text_that_is_no_unicode_still_has_a_hash() -> None:
    assert body_hash({"text": "\ud800"}) != body_hash({"text": "\ud801"})


def test_what_is_no_json_has_no_hash() -> None:
    with pytest.raises(ValueError, match="line 1 column"):
        body_hash(b"{")
