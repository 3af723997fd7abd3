"""PostgreSQL's roles: ``python -m deploy.security.roles`` as a superuser, once per server and after each release.

| role | may |
|---|---|
| ``nestwork_owner`` | own the databases and change tables: migrations only |
| ``nestwork_SERVICE`` | read and write rows of its own database; nothing else, and no other database |
| ``nestwork_custodian`` | own the simulated custodian's database |
| ``nestwork_reader`` | read every service's tables: proof, explanations, dashboards |
| ``nestwork_operator`` | read, and mark replayed dead letters or give tasks to the lanes |

Passwords come from files named like the roles in ``NESTWORK_ROLE_PASSWORDS_DIR``; the server is sent only a SCRAM
verifier, so no statement log holds a password. ``--grants`` does the part that needs no superuser: it is what a
database operator that makes roles itself (CloudNativePG) leaves to us, and runs as ``nestwork_owner``.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from deploy.security import store_roles
from shared.runtime.clients import Connection, connect
from shared.runtime.errors import NestworkError
from shared.runtime.settings import Settings, settings

SERVICES = ("contribution", "allocation", "trading", "valuation")
OWNER, READER, OPERATOR, CUSTODIAN = "nestwork_owner", "nestwork_reader", "nestwork_operator", "nestwork_custodian"
ROLES = (OWNER, *(f"nestwork_{service}" for service in SERVICES), CUSTODIAN, READER, OPERATOR)
PASSWORDS_VARIABLE = "NESTWORK_ROLE_PASSWORDS_DIR"
SCRAM_ROUNDS = 4096
PASSWORD_CHARACTERS_MIN = 16


class PasswordMissing(NestworkError):
    """A role has no usable password."""


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """What PostgreSQL stores for SCRAM-SHA-256; RFC 5803. The password must be plain ASCII (no SASLprep is done)."""
    if not password.isascii() or len(password) < PASSWORD_CHARACTERS_MIN:
        raise PasswordMissing(f"a role's password needs at least {PASSWORD_CHARACTERS_MIN} ASCII characters")
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${SCRAM_ROUNDS}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def read_passwords(folder: Path) -> dict[str, str]:
    """Every role's password from its file. Raises ``PasswordMissing``."""
    try:
        return {role: (folder / role).read_text().strip() for role in ROLES}
    except OSError as problem:
        raise PasswordMissing(f"no password for every role in NESTWORK_ROLE_PASSWORDS_DIR: {problem}") from problem


async def make_roles(passwords: dict[str, str], config: Settings | None = None) -> None:
    """Roles and databases, as a superuser; then the grants. Safe to repeat, also to change passwords."""
    config = config or settings()
    server = await connect(urlsplit(config.database_url).path.lstrip("/") or "postgres", config)
    try:
        for role in ROLES:
            await store_roles.make_role(server, role, scram_verifier(passwords[role]))
        for service in SERVICES:
            await store_roles.make_database(server, f"nestwork_{service}", OWNER)
        await store_roles.make_database(server, CUSTODIAN, CUSTODIAN)
        await store_roles.close_database(server, CUSTODIAN)
        await store_roles.close_database(server, "postgres", OWNER)  # Migrations look there which databases exist.
        await store_roles.close_database(server, "template1")
    finally:
        await server.close()
    await grant(config)


async def grant(config: Settings | None = None) -> None:
    """What each role may do inside the services' databases, for tables that are there and tables to come."""
    for service in SERVICES:
        connection: Connection = await connect(f"nestwork_{service}", config)
        try:
            async with connection.transaction():
                await store_roles.grant(connection, f"nestwork_{service}", OWNER, READER, OPERATOR)
        finally:
            await connection.close()


async def _main(grants_only: bool) -> None:
    if grants_only:
        await grant()
        return
    folder = os.environ.get(PASSWORDS_VARIABLE)
    if not folder:
        raise PasswordMissing("NESTWORK_ROLE_PASSWORDS_DIR must name a folder with one password file per role")
    await make_roles(read_passwords(Path(folder)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="PostgreSQL's roles and what they may do.")
    parser.add_argument("--grants", action="store_true", help="only the part that needs no superuser")
    asyncio.run(_main(parser.parse_args().grants))
