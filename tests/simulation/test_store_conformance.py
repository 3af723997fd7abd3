"""The twin of PostgreSQL against PostgreSQL: whole simulated paydays with faults, done again statement by statement."""

from __future__ import annotations

from collections import Counter

import pytest

from deploy.cluster import Infrastructure
from shared.runtime.migrations import migrate
from shared.runtime.settings import Settings
from tests.simulation.replay import Replay, service_trace
from tests.simulation.seeds import plan_of
from tests.simulation.simulate import Outcome, simulate
from tests.support.cluster import fresh_database

SEED = 2
SERVICES = ("contribution", "allocation", "trading", "valuation")


@pytest.fixture(scope="module")
def traced() -> Outcome:
    """A payday with faults, and everything its workers asked of the databases."""
    return simulate(plan_of(SEED), keep_trace=True)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service", SERVICES)
async def test_postgres_answers_every_statement_as_its_twin_did(
    infrastructure: Infrastructure, traced: Outcome, service: str
) -> None:
    url = await fresh_database(infrastructure, f"twin_{service}")
    await migrate(service, Settings(DATABASE_URL=infrastructure.server_url), database=url.rpartition("/")[2])
    assert traced.problems == []
    assert traced.trace is not None
    replay = Replay(url)
    await replay.run(service_trace(traced.trace, service), service)
    assert replay.differences == [], "\n\n".join(replay.differences)
    assert replay.compared > 200


def test_the_compared_run_reads_copies_and_solves_conflicts(traced: Outcome) -> None:
    assert traced.trace is not None
    done = Counter(operation for _, _, operation, _, _, _ in traced.trace)
    assert done.keys() >= {"begin", "commit", "run", "copy", "close"}
    assert any("ON CONFLICT" in sql for _, _, operation, sql, _, _ in traced.trace if operation == "run")
