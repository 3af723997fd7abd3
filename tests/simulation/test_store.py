"""What the twin of PostgreSQL promises on its own: isolation, locks, savepoints, and refusing what it does not know."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from asyncpg.exceptions import CheckViolationError, UniqueViolationError

from tests.simulation.store import Blocked, Database, Session
from tests.simulation.store_expressions import NotInTwin

STAMP = datetime(2026, 11, 20, tzinfo=UTC)
INSERT_ROW = (
    "INSERT INTO outbox (lane, topic, partition, epoch, seq, records, payload) VALUES ($1, 't', 0, 1, $2, $3, '')"
)
COUNT = "SELECT count(*) FROM outbox"


def two_sessions() -> tuple[Session, Session]:
    database = Database("contribution", lambda: 0.0)
    return database.open(1), database.open(2)


def count(session: Session) -> int:
    return int(session.run(COUNT, ()).rows[0][0])


def test_what_is_not_committed_is_seen_by_nobody_else() -> None:
    one, other = two_sessions()
    one.begin()
    one.run(INSERT_ROW, (0, 1, 1))
    assert (count(one), count(other)) == (1, 0)
    one.commit()
    assert count(other) == 1


def test_a_locked_row_is_waited_for_and_then_seen_as_it_became() -> None:
    one, other = two_sessions()
    one.run("INSERT INTO lanes (lane) VALUES (0)", ())
    one.begin()
    one.run("SELECT lane FROM lanes WHERE lane = $1 FOR UPDATE", (0,))
    other.begin()
    with pytest.raises(Blocked) as blocked:
        other.run("UPDATE lanes SET incarnation = incarnation + 1 WHERE lane = 0", ())
    assert blocked.value.holder is one
    one.run("UPDATE lanes SET incarnation = 5 WHERE lane = 0", ())
    one.commit()
    other.run("UPDATE lanes SET incarnation = incarnation + 1 WHERE lane = 0", ())
    other.commit()
    assert one.run("SELECT incarnation FROM lanes", ()).rows == [(6,)]


def test_a_savepoint_takes_back_what_came_after_it_only() -> None:
    one, other = two_sessions()
    one.begin()
    one.run(INSERT_ROW, (0, 1, 1))
    one.begin()
    one.run(INSERT_ROW, (0, 2, 1))
    one.rollback()
    one.commit()
    assert count(other) == 1


def test_a_closed_session_leaves_nothing_and_holds_nothing() -> None:
    one, other = two_sessions()
    one.begin()
    one.run(INSERT_ROW, (0, 1, 1))
    one.close()
    assert count(other) == 0
    other.run(INSERT_ROW, (0, 1, 1))
    assert count(other) == 1


def test_keys_and_checks_of_the_migrations_hold() -> None:
    one, _ = two_sessions()
    one.run(INSERT_ROW, (0, 1, 1))
    with pytest.raises(UniqueViolationError):
        one.run(INSERT_ROW, (0, 1, 1))
    with pytest.raises(CheckViolationError):
        one.run(INSERT_ROW, (0, 2, 0))
    assert count(one) == 1


def test_a_key_that_another_transaction_may_take_is_waited_for() -> None:
    one, other = two_sessions()
    one.begin()
    one.run(INSERT_ROW, (0, 1, 1))
    with pytest.raises(Blocked):
        other.run(INSERT_ROW, (0, 1, 1))
    one.rollback()
    other.run(INSERT_ROW, (0, 1, 1))


def test_an_insert_that_does_nothing_at_a_conflict_does_not_wait_for_a_row_that_is_locked() -> None:
    one, other = two_sessions()
    one.run(INSERT_ROW, (0, 1, 1))
    one.begin()
    one.run("SELECT lane FROM outbox WHERE lane = 0 FOR UPDATE", ())
    other.run(f"{INSERT_ROW} ON CONFLICT DO NOTHING", (0, 1, 1))
    assert count(other) == 1


@pytest.mark.parametrize(
    "sql", ["SELECT rank() OVER (ORDER BY lane) FROM lanes", "SELECT now() + interval '1 day'", "SELECT 1 FROM nowhere"]
)
def test_a_statement_that_the_twin_does_not_know_is_refused(sql: str) -> None:
    one, _ = two_sessions()
    with pytest.raises(NotInTwin):
        one.run(sql, ())
