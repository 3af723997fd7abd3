"""Which records of a log ``nestwork prove`` counts for a date."""

from __future__ import annotations

from datetime import date

import pytest

from deploy.operate.cutlog import DateBounds, DatedLog, DateReader, _Scan
from shared.events.topics import CUSTODIAN_CONFIRMATIONS, PAYROLL_CONTRIBUTIONS
from shared.runtime.settings import Settings
from tests.support.fetched import NOON, SECRET, a_marker, an_event

HOUR = 3_600_000
THURSDAY, FRIDAY, MONDAY = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 23)


def counted(topic: str, day: date, before: date, *, is_open: bool) -> int:
    """Records of ``day`` in a log with one of Friday noon, one of Friday evening, Friday's marker, Monday's."""
    settings = {"NESTWORK_MARKET_MODE": "on", "NESTWORK_MARKER_KEY": SECRET.decode()}
    reader = DateReader(Settings.model_validate(settings), topic, DateBounds(day, before, None, None))
    scan = _Scan(DatedLog(0), 0, is_open)
    log = [an_event(0, topic), an_event(1, topic, timestamp=NOON + 5 * HOUR)]
    reader._take(scan, [*log, a_marker(2, "2026-11-20", topic), a_marker(3, "2026-11-23", topic)])
    return scan.found.records


@pytest.mark.parametrize(
    ("topic", "friday", "monday"), [(PAYROLL_CONTRIBUTIONS.name, 1, 1), (CUSTODIAN_CONFIRMATIONS.name, 2, 0)]
)
def test_in_market_mode_a_late_stamp_counts_for_the_next_date_where_not_the_cuts_alone_rule(
    topic: str, friday: int, monday: int
) -> None:
    assert counted(topic, FRIDAY, THURSDAY, is_open=True) == friday
    assert counted(topic, MONDAY, FRIDAY, is_open=False) == monday
