"""TLS to PostgreSQL as `verify-full` has it: the right authority, the right name, and no way around."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shared.runtime import clients
from shared.runtime.settings import Settings
from tests.support.certificates import issue
from tests.support.tls_postgres import TlsPostgres, debian_programs, fetched_programs, tls_postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def fetch_with(server: TlsPostgres, authority: Path | None, host: str = "127.0.0.1") -> Any:
    """Connect as the engine does, with its own options, and ask whether the session is encrypted."""
    given = {"DATABASE_URL": server.url(host=host)}
    if authority is not None:
        given["DATABASE_SSL_CAFILE"] = str(authority)
    options = clients._connect_options(Settings.model_validate(given))
    # Debian's server may be older than the engine wants; the handshake is what is tried here.
    options["server_settings"] = {"application_name": "tried"}
    connection = await asyncpg.connect(server.url(host=host), **options)
    try:
        return await connection.fetchrow("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    finally:
        await connection.close()


@pytest.mark.parametrize("programs", [debian_programs, fetched_programs])
async def test_only_the_right_authority_and_the_right_name_will_do(
    tmp_path: Path, programs: Callable[[], Path]
) -> None:
    async with tls_postgres(programs()) as server:
        found = await fetch_with(server, server.certificates.authority)
        assert (found["ssl"], found["version"]) == (True, "TLSv1.3")
        other = issue(tmp_path / "other", "somebody else")
        with pytest.raises(ssl.SSLCertVerificationError, match=r"self-signed|unable to get|verify failed"):
            await fetch_with(server, other.authority)
        with pytest.raises(ssl.SSLCertVerificationError, match=r"IP address mismatch|Hostname mismatch"):
            await fetch_with(server, server.certificates.authority, host="127.0.0.2")


async def test_a_server_that_wants_tls_refuses_a_session_in_clear() -> None:
    async with tls_postgres(debian_programs()) as server:
        with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="no encryption"):
            await asyncpg.connect(server.url(), ssl=False)
