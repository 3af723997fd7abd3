"""PostgreSQL's roles on a real server: each does its work, and nothing beside it; passwords are in no log."""

from __future__ import annotations

import asyncpg
import pytest

from deploy.security import roles
from shared.runtime.clients import connect
from tests.support.secured import SERVICES, Secured

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
CHANGES_OF_TABLES = (
    "DROP TABLE journal",
    "TRUNCATE dead_letters",
    "ALTER TABLE dead_letters ADD COLUMN tried text",
    "CREATE TABLE tried (number int)",
    "CREATE SCHEMA tried",
    "UPDATE schema_migrations SET checksum = 'tried'",
    "DELETE FROM schema_migrations",
)
ABOVE_ONES_STATION = (
    "SELECT * FROM pg_authid",
    "COPY dead_letters TO PROGRAM 'cat'",
    "SELECT pg_read_file('/etc/passwd')",
    "CREATE ROLE tried",
    "CREATE DATABASE tried",
    "SET ROLE nestwork_owner",
    "ALTER SYSTEM SET log_statement = 'none'",
)


async def refused(secured: Secured, role: str, database: str, statements: tuple[str, ...]) -> list[str]:
    """The statements that were NOT refused for lack of rights."""
    connection = await connect(database, secured.config("contribution", role))
    wrong = []
    try:
        for statement in statements:
            try:
                await connection.execute(statement)
                wrong.append(statement)
            except asyncpg.InsufficientPrivilegeError:
                pass
    finally:
        await connection.close()
    return wrong


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_changes_rows_of_its_own_and_no_tables(secured: Secured, service: str) -> None:
    database = f"nestwork_{service}"
    connection = await connect(database, secured.config("contribution", database))
    try:
        assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is True
        async with connection.transaction():
            await connection.execute("DELETE FROM dead_letters")
            await connection.execute("UPDATE lanes SET incarnation = incarnation")
        await connection.execute("SELECT pg_notify('nestwork', '')")
    finally:
        await connection.close()
    assert await refused(secured, database, database, CHANGES_OF_TABLES + ABOVE_ONES_STATION) == []


@pytest.mark.parametrize("role", [f"nestwork_{service}" for service in SERVICES])
async def test_nobody_enters_another_services_database(secured: Secured, role: str) -> None:
    others = [f"nestwork_{service}" for service in (*SERVICES, "custodian") if f"nestwork_{service}" != role]
    for database in (*others, "postgres", "template1"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connect(database, secured.config("contribution", role))


async def test_a_reader_reads_and_an_operator_marks_letters_and_gives_tasks(secured: Secured) -> None:
    writes = ("INSERT INTO lanes VALUES (99)", "UPDATE lanes SET incarnation = 9", "DELETE FROM journal")
    for role in (roles.READER, roles.OPERATOR):
        for service in SERVICES:
            database = f"nestwork_{service}"
            assert await refused(secured, role, database, writes + CHANGES_OF_TABLES + ABOVE_ONES_STATION) == []
    letters = ("UPDATE dead_letters SET replayed_at = now(), replayed_by = 'tried'",)
    assert await refused(secured, roles.READER, "nestwork_trading", letters) == []
    assert await refused(secured, roles.OPERATOR, "nestwork_trading", letters) == list(letters)
    assert await refused(secured, roles.OPERATOR, "nestwork_trading", ("UPDATE dead_letters SET code = 'X'",)) == []


async def test_the_owner_changes_tables_and_is_no_superuser(secured: Secured) -> None:
    assert await refused(secured, roles.OWNER, "nestwork_trading", ABOVE_ONES_STATION[:5]) == []
    connection = await connect("nestwork_trading", secured.owner())
    try:
        async with connection.transaction():
            await connection.execute("CREATE TABLE later (number int)")
        trading = await connect("nestwork_trading", secured.config("trading"))
        try:  # What a later release adds is open to the service, without another step.
            await trading.execute("INSERT INTO later VALUES (1)")
        finally:
            await trading.close()
        await connection.execute("DROP TABLE later")
    finally:
        await connection.close()


async def test_roles_can_be_made_again_with_other_passwords_and_no_log_ever_holds_one(secured: Secured) -> None:
    await roles.make_roles(secured.role_passwords, secured.administrator())
    log = secured.postgres.log.read_text()
    assert "ALTER ROLE nestwork_trading" in log
    assert [role for role, password in secured.role_passwords.items() if password in log] == []
