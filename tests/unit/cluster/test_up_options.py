"""What the words after ``nestwork up`` mean."""

from __future__ import annotations

import pytest

from deploy.cli.cluster import parse_workers
from deploy.cluster import ClusterError


def test_services_that_are_not_named_get_one_worker() -> None:
    assert parse_workers(["trading=3"]) == {"contribution": 1, "allocation": 1, "trading": 3, "valuation": 1}


def test_a_bare_number_counts_for_every_service_and_a_later_word_wins() -> None:
    assert parse_workers(["2", "valuation=1"]) == {"contribution": 2, "allocation": 2, "trading": 2, "valuation": 1}


@pytest.mark.parametrize("word", ["trading", "trading=0", "trading=x", "banking=1", "=", ""])
def test_anything_else_is_refused(word: str) -> None:
    with pytest.raises(ClusterError):
        parse_workers([word])
