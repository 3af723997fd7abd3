"""One service's database as it was at a moment: recovered on a server beside, then put in the place of the live one."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from deploy.cluster.postgres import Postgres, accepts, let_pass, unprivileged_user
from deploy.operate.books import SERVICES
from deploy.operate.target import OperatorError
from deploy.recovery.backup import BASE, LOG, verify_base
from deploy.recovery.programs import Address, ProgramFailed, ask, run

RECOVERY_TIMEOUT_SECONDS = 3_600.0
WATCH_SECONDS = 0.2
READ_ONLY = "default_transaction_read_only"
"""A restored database has it on until `rejoin`."""
SMALL: dict[str, str | int] = {"shared_buffers": "'64MB'"}


def restore_services(
    address: Address, backup: Path, moment: datetime | None, services: Sequence[str]
) -> dict[str, str]:
    """Put the services' databases as of a moment in the place of the live ones; returns the names those got.

    ``moment`` is ``None`` for the end of the log. The restored ones can only be read before ``rejoin``. Nothing is
    dropped: each replaced database stays under its new name. Raises ``OperatorError`` while anybody is connected to
    one of them, or when the backup does not reach the moment.
    """
    if moment is not None and moment.tzinfo is None:
        raise OperatorError("the moment needs a time zone, as in 2026-11-20T21:00:00Z")
    unknown = sorted(set(services) - set(SERVICES))
    if unknown:
        raise OperatorError(f"there is no service {', '.join(unknown)}; the services are {', '.join(SERVICES)}")
    kept: dict[str, str] = {}
    stamp = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    with recovered(address, backup, moment) as beside, tempfile.TemporaryDirectory() as scratch:
        dumps = {service: Path(scratch) / f"{service}.dump" for service in services}
        for service, dump in dumps.items():
            source = f"{beside.url.rpartition('/')[0]}/nestwork_{service}"
            run(beside, "pg_dump", "-Fc", "-d", source, "-f", str(dump))
        for service, dump in dumps.items():
            name = f"nestwork_{service}_until_{stamp}"
            ask(address, f"ALTER DATABASE nestwork_{service} RENAME TO {name}")
            kept[service] = name
            try:
                run(address, "pg_restore", "--exit-on-error", "-C", "-d", address.url, str(dump))
            except ProgramFailed as problem:
                raise OperatorError(f"{problem}; what was there is {name}: rename it back") from None
            # A worker that is started too early fails loudly instead of speaking in the old epoch.
            ask(address, f"ALTER DATABASE nestwork_{service} SET {READ_ONLY} = on")
    return kept


@contextmanager
def recovered(address: Address, backup: Path, moment: datetime | None) -> Iterator[Address]:
    """A copy of the server at ``address`` beside it, as of ``moment``; it is gone when the block ends."""
    if not (backup / BASE / "PG_VERSION").exists() or not (backup / LOG).is_dir():
        raise OperatorError(f"{backup} holds no backup: {BASE} or {LOG} is missing")
    verify_base(backup / BASE)
    with tempfile.TemporaryDirectory(prefix="nestwork-restore-") as folder:
        server = Postgres(Path(folder), _free_port())
        _lay_out(server, backup, moment)
        user = unprivileged_user()
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                server.command(), stdout=output, stderr=output, cwd="/",
                user=user.pw_uid if user else None, group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
            )  # fmt: skip
        user_name = urlsplit(address.url).username
        beside = Address(f"postgresql://{user_name}@127.0.0.1:{server.port}/postgres", address.password)
        try:
            _wait_recovered(server, beside, process, log)
            yield beside
        finally:
            process.terminate()
            process.wait()


def _lay_out(server: Postgres, backup: Path, moment: datetime | None) -> None:
    shutil.copytree(backup / BASE, server.data_folder)
    segments = server.folder / LOG
    shutil.copytree(backup / LOG, segments)
    for unfinished in segments.glob("*.partial"):
        unfinished.rename(unfinished.with_suffix(""))  # A server reads as far as it is whole.
    target: dict[str, str | int] = {}
    if moment is not None:
        target["recovery_target_time"] = f"'{moment.astimezone(UTC).isoformat()}'"
        target["recovery_target_action"] = "promote"
    server.prepare(
        **SMALL,
        **target,
        restore_command=f'\'cp "{segments}/%f" "%p"\'',
        hba_file=f"'{server.folder}/access'",
    )
    # The copy listens on loopback only, and knows the passwords of the server it was taken from.
    (server.folder / "access").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    (server.data_folder / "recovery.signal").touch()
    server.data_folder.chmod(0o700)
    user = unprivileged_user()
    if user is not None:
        _give(server.folder, user)
        let_pass(server.data_folder)


def _give(folder: Path, user: pwd.struct_passwd) -> None:
    for place, folders, files in os.walk(folder):
        os.chown(place, user.pw_uid, user.pw_gid)
        for name in (*folders, *files):
            os.chown(Path(place) / name, user.pw_uid, user.pw_gid)


def _wait_recovered(server: Postgres, address: Address, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + RECOVERY_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise OperatorError(f"the backup could not be recovered: {log.read_text(errors='replace')[-600:]}")
        if accepts(server.port) and server.is_ready(process.pid) and _leads(address):
            return
        time.sleep(WATCH_SECONDS)
    raise OperatorError("the backup was not recovered in time")


def _leads(address: Address) -> bool:
    return ask(address, "SELECT pg_is_in_recovery()") == "f"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
