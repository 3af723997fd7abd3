"""PostgreSQL's own programs, told where the server is without showing its password in the list of processes."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from deploy.cluster.errors import StartFailed
from deploy.cluster.postgres import binary
from deploy.operate.target import OperatorError
from shared.runtime.clients import database_url
from shared.runtime.settings import Settings


class ProgramFailed(OperatorError):
    """A program of PostgreSQL ended unsuccessfully; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Address:
    """A server as libpq understands it, the password apart."""

    url: str
    password: str

    @classmethod
    def of(cls, config: Settings, database: str = "postgres") -> Address:
        """The configured server."""
        parts = urlsplit(database_url(database, config))
        user, _, password = parts.netloc.rpartition("@")[0].partition(":")
        if config.database_password_file is not None:
            password = config.database_password_file.read_text().strip()
        hosts = parts.netloc.rpartition("@")[2]
        return cls(urlunsplit(parts._replace(netloc=f"{user}@{hosts}")), password)

    def environment(self) -> dict[str, str]:
        """What a program needs around it."""
        return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "PGPASSWORD": self.password}


def program(name: str) -> str:
    """The installed program of that name, else the one that comes with the embedded server."""
    try:
        own = binary(name)
    except StartFailed:
        own = Path()
    found = str(own) if own.is_file() else shutil.which(name)
    if found is None:
        raise ProgramFailed(f"PostgreSQL's program {name} was not found; install PostgreSQL's client programs")
    return found


def run(address: Address, name: str, *arguments: str) -> str:
    """Run a program to its end and return what it printed. Raises ``ProgramFailed``."""
    done = subprocess.run(
        [program(name), *arguments], capture_output=True, text=True, check=False, env=address.environment()
    )
    if done.returncode:
        raise ProgramFailed(f"{name}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def ask(address: Address, *statements: str) -> str:
    """Run statements with psql, each in a transaction of its own; returns the last line of the last answer."""
    commands = [part for statement in statements for part in ("-c", statement)]
    arguments = ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", address.url, *commands]
    return run(address, "psql", *arguments).strip().rpartition("\n")[2]
