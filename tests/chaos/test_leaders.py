"""Leadership that is moved on purpose: every partition gets another leader, in a request the broker can read."""

from __future__ import annotations

import pytest
from aiokafka.protocol.admin import AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsRequest_v0

from tests.support.chaos_leaders import ANSWER_MS, ElectLeaders, ElectLeadersRequest_v1, by_topic, turned

pytestmark = pytest.mark.chaos_short


@pytest.mark.parametrize("leader", [1, 2, 3])
def test_another_replica_comes_first_and_none_is_lost(leader: int) -> None:
    found = turned([2, 3, 1], leader)
    assert found[0] != leader
    assert sorted(found) == [1, 2, 3]


def test_requests_can_be_written() -> None:
    places = [("a", 0), ("b", 2), ("a", 1)]
    assert by_topic(dict.fromkeys(places)) == {"a": [0, 1], "b": [2]}
    elected = ElectLeaders(places).build(ElectLeadersRequest_v1)
    assert ElectLeadersRequest_v1.decode(elected.encode()).topics == [("a", [0, 1]), ("b", [2])]
    ordered = AlterPartitionReassignmentsRequest(ANSWER_MS, [("a", [(0, [2, 3, 1], {})], {})], {})
    assert ordered.build(AlterPartitionReassignmentsRequest_v0).encode()
