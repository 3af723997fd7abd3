"""A second PostgreSQL that follows the first and takes over when it dies, to try the engine's failover.

Commits are acknowledged only when the standby has them on disk (``synchronous_standby_names``), so that a failover
loses none that a client was told of. While one of the two is being rebuilt there is no such promise: a second failure
in that time is not tried.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.cluster import store_standby as store
from deploy.cluster.errors import StartFailed
from deploy.cluster.postgres import USER, Postgres, binary, let_pass, unprivileged_user

FIRST, SECOND = "postgres", "postgres-2"
COPY_TIMEOUT_SECONDS = 60
STREAMING_TIMEOUT_SECONDS = 60.0
WATCH_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Pair:
    """Two servers of which one leads; which one is asked of the servers, since a failover changes it."""

    first: Postgres
    second: Postgres

    @classmethod
    def in_folder(cls, folder: Path, ports: dict[str, int]) -> Pair:
        """The two servers of a cluster's folder."""
        return cls(Postgres(folder / FIRST, ports[FIRST]), Postgres(folder / SECOND, ports[SECOND]))

    def named(self, name: str) -> Postgres:
        """A server by the name of its process."""
        return {FIRST: self.first, SECOND: self.second}[name]

    def leader(self) -> tuple[str, str]:
        """Names of the server that leads and of the other one. Raises ``StartFailed`` when none leads now."""
        for leading, following in ((FIRST, SECOND), (SECOND, FIRST)):
            try:
                if ask(self.named(leading), store.IS_STANDBY) == "f":
                    return leading, following
            except StartFailed:
                continue
        raise StartFailed("neither PostgreSQL server leads")

    def url(self) -> str:
        """Where to find whichever leads."""
        password = self.first.password_file.read_text().strip()
        hosts = f"127.0.0.1:{self.first.port},127.0.0.1:{self.second.port}"
        return f"postgresql://{USER}:{password}@{hosts}/postgres?target_session_attrs=primary"


def ask(server: Postgres, *statements: str) -> str:
    """Run statements with psql; returns the last answer. Raises ``StartFailed``."""
    commands = [part for statement in statements for part in ("-c", statement)]
    place = ["-h", "127.0.0.1", "-p", str(server.port), "-U", USER, "-d", "postgres"]
    return _run([str(binary("psql")), "-XAtq", *place, *commands], server).strip().rpartition("\n")[2]


def follow(leading: Postgres, following: Postgres, settings: dict[str, str | int]) -> None:
    """Make the data folder of a server anew as a copy of another's, ready to follow it."""
    following.folder.mkdir(parents=True, exist_ok=True)
    password = leading.password_file.read_text()
    following.password_file.touch(mode=0o600)
    following.password_file.write_text(password)
    shutil.rmtree(following.data_folder, ignore_errors=True)
    following.data_folder.mkdir(mode=0o700)
    user = unprivileged_user()
    if user is not None:
        os.chown(following.data_folder, user.pw_uid, user.pw_gid)
        let_pass(following.data_folder)
    place = ["-h", "127.0.0.1", "-p", str(leading.port), "-U", USER, "-D", str(following.data_folder)]
    _run([str(binary("pg_basebackup")), *place, "-X", "stream", "-c", "fast", "--no-sync"], leading)
    (following.data_folder / "standby.signal").touch()
    source = f"host=127.0.0.1 port={leading.port} user={USER} password={password.strip()}"
    following.prepare(**settings, primary_conninfo=f"'{source}'")


def wait_streaming(leading: Postgres) -> None:
    """Wait until a standby follows, then acknowledge no commit that it does not have."""
    deadline = time.monotonic() + STREAMING_TIMEOUT_SECONDS
    while ask(leading, store.COUNT_STREAMING) == "0":
        if time.monotonic() > deadline:
            raise StartFailed(f"no standby follows after {STREAMING_TIMEOUT_SECONDS:.0f} s")
        time.sleep(WATCH_SECONDS)
    ask(leading, store.WAIT_FOR_STANDBY, store.RELOAD)


def promote(server: Postgres) -> None:
    """Let a standby lead; it waits for nobody until ``wait_streaming``. Raises ``StartFailed`` when it did not."""
    ask(server, store.WAIT_FOR_NOBODY, store.RELOAD)
    if ask(server, store.PROMOTE) != "t":
        raise StartFailed("the standby did not take over in time")


def _run(command: Sequence[str], server: Postgres) -> str:
    user = unprivileged_user()
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "LC_ALL": "C",
        "PGPASSWORD": server.password_file.read_text().strip(),
    }
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=environment,
        timeout=COPY_TIMEOUT_SECONDS,
        user=user.pw_uid if user else None,
        group=user.pw_gid if user else None,
        extra_groups=[] if user else None,
    )
    if done.returncode:
        raise StartFailed(f"{Path(command[0]).name}: {done.stderr.strip()}")
    return done.stdout
