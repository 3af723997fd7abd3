"""A base backup of the server and the stream of its write-ahead log, in a folder: what a restore starts from."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from pathlib import Path

import orjson

from deploy.operate.target import OperatorError
from deploy.recovery.programs import Address, ask, program, run

BASE, LOG = "base", "wal"
CHECKSUMS = ("--manifest-checksums", "SHA256")
SEGMENT_TIMEOUT_SECONDS = 60.0
WATCH_SECONDS = 0.1


def take_base(address: Address, folder: Path) -> Path:
    """Copy the running server into ``folder``/base. Raises ``OperatorError`` when there is one already."""
    base = folder / BASE
    if base.exists():
        raise OperatorError(f"{base} exists; a backup is never overwritten, name another folder")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    run(address, "pg_basebackup", "-d", address.url, "-D", str(base), "-X", "stream", "-c", "fast", *CHECKSUMS)
    verify_base(base)
    return base


def verify_base(base: Path) -> int:
    """Compare every file with the backup's manifest; returns how many. Raises ``OperatorError`` when one differs.

    The embedded server's own pg_verifybackup does not run, so this reads the manifest itself.
    """
    listed = orjson.loads((base / "backup_manifest").read_bytes())["Files"]
    for one in listed:
        file = base / (one["Path"] if "Path" in one else os.fsdecode(bytes.fromhex(one["Encoded-Path"])))
        if not file.is_file() or file.stat().st_size != one["Size"]:
            raise OperatorError(f"the backup is damaged: {file} is missing or has another size")
        with file.open("rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != one["Checksum"]:
                raise OperatorError(f"the backup is damaged: {file} was changed")
    return len(listed)


def streaming(address: Address, folder: Path) -> subprocess.Popen[bytes]:
    """Start copying the write-ahead log into ``folder``/wal as it is written, from now until the process ends.

    Start it before ``take_base``: nothing between the two may be missing.
    """
    log = folder / LOG
    log.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [program("pg_receivewal"), "-d", address.url, "-D", str(log), "--synchronous", "--status-interval=1"]
    return subprocess.Popen(command, env=address.environment(), stdin=subprocess.DEVNULL)


def finish_segment(address: Address, folder: Path) -> str:
    """End the segment that is being written and wait until it is in ``folder``/wal; returns its name."""
    name = ask(address, "SELECT pg_walfile_name(pg_current_wal_lsn())")
    ask(address, "SELECT pg_switch_wal()")
    deadline = time.monotonic() + SEGMENT_TIMEOUT_SECONDS
    while not (folder / LOG / name).exists():
        if time.monotonic() > deadline:
            raise OperatorError(f"{name} did not reach {folder / LOG}; does `nestwork backup stream` run?")
        time.sleep(WATCH_SECONDS)
    return name
