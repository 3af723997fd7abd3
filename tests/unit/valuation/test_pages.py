"""How a balance says of when it is asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from services.valuation.pages import _known


def test_known_at_is_a_date_an_instant_or_nothing() -> None:
    assert _known(None) == (None, None)
    assert _known("2026-11-20") == (date(2026, 11, 20), None)
    assert _known("2026-11-20T16:00:00-05:00") == (None, datetime(2026, 11, 20, 21, tzinfo=UTC))


@pytest.mark.parametrize("text", ["soon", "2026-11-20T16:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_what_is_no_instant_of_this_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|offset|range"):
        _known(text)
