"""The statements behind PostgreSQL's roles. Names are ours and fixed; verifiers hold no quote."""

from __future__ import annotations

from shared.runtime.clients import Connection

ROLE_EXISTS = "SELECT 1 FROM pg_roles WHERE rolname = $1"
DATABASE_EXISTS = "SELECT 1 FROM pg_database WHERE datname = $1"
ROLE_LIMITS = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
OPERATOR_WRITES = {
    "dead_letters": "UPDATE (replayed_at, replayed_by)",
    "tasks": "INSERT",
    "operator_actions": "INSERT, UPDATE (state, decided_by, decided_at, outcome)",
}
"""What a replay does: mark a letter, hand a lane the task of freeing a participant; and the console's audit rows."""

GRANTS = """
REVOKE ALL ON DATABASE {database} FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT CONNECT ON DATABASE {database} TO {service}, {reader}, {operator};
GRANT USAGE ON SCHEMA public TO {service}, {reader}, {operator};
GRANT USAGE, CREATE ON SCHEMA public TO {owner};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {service};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {service}, {operator};
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {reader}, {operator};
ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {service};
ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {service}, {operator};
ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT ON TABLES TO {reader}, {operator};
"""
NOT_FOR_SERVICES = ("schema_migrations", "operator_actions")
"""What was migrated and what operators did is not for the service itself to write."""
PROTECT = "REVOKE INSERT, UPDATE, DELETE ON {table} FROM {service}"
TABLE_EXISTS = "SELECT to_regclass('public.' || $1) IS NOT NULL"


async def make_role(server: Connection, role: str, verifier: str) -> None:
    """Create or change a login role with no rights of its own."""
    verb = "ALTER" if await server.fetchval(ROLE_EXISTS, role) else "CREATE"
    await server.execute(f"{verb} ROLE {role} {ROLE_LIMITS} PASSWORD '{verifier}'")


async def make_database(server: Connection, database: str, owner: str) -> None:
    """Create a database, or hand it to its owner."""
    if await server.fetchval(DATABASE_EXISTS, database):
        await server.execute(f"ALTER DATABASE {database} OWNER TO {owner}")
    else:
        await server.execute(f"CREATE DATABASE {database} OWNER {owner}")


async def close_database(server: Connection, database: str, *let_in: str) -> None:
    """Nobody connects who was not let in by name."""
    await server.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    for role in let_in:
        await server.execute(f"GRANT CONNECT ON DATABASE {database} TO {role}")


async def grant(connection: Connection, service: str, owner: str, reader: str, operator: str) -> None:
    """Rights inside one service's database, which has the service's name."""
    names = {"database": service, "service": service, "owner": owner, "reader": reader, "operator": operator}
    await connection.execute(GRANTS.format(**names))
    for table, rights in OPERATOR_WRITES.items():
        if await connection.fetchval(TABLE_EXISTS, table):
            await connection.execute(f"GRANT {rights} ON {table} TO {operator}")
    for table in NOT_FOR_SERVICES:
        if await connection.fetchval(TABLE_EXISTS, table):
            await connection.execute(PROTECT.format(table=table, service=service))
