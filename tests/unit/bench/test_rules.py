"""The rules' own benchmark decides what it is given, loses no cent, and says so."""

from __future__ import annotations

import pytest

from deploy.bench import rules
from deploy.bench.rules import measure_rules


def test_a_small_year_is_decided_to_the_cent_with_limits_crossed() -> None:
    measured = measure_rules(60)
    assert measured["ok"]
    assert measured["lines"] == 60 * 26
    assert measured["accepted_cents"] + measured["rejected_cents"] == measured["asked_cents"]
    assert measured["rejected_cents"] > 0
    assert measured["credited_cents"] > measured["accepted_cents"]
    assert measured["decided_per_s"] > 0
    assert measured["repeats"] == 0


def test_a_measurement_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "PROGRAM", "services.contribution.no_such_module")
    with pytest.raises(RuntimeError, match="no_such_module"):
        measure_rules(1)
