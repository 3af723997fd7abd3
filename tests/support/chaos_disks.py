"""File systems that can be full: a server's own, which has no free page from one moment to the next."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

SIZE = "6g"
"""More than a run writes; what is not written costs no memory."""
FULL_SECONDS = 5.0
KEEPER = 'mount -t tmpfs -o size=$1,mode=755 tmpfs "$2" || exit; echo mounted; read -r _; umount -l "$2"'
"""Takes the mount away when whoever asked for it ends, however that ends."""


class NoDisk(Exception):
    """A file system can't be mounted here; the text says why."""


class SmallDisk:
    """A file system in memory whose size the test sets. Only whoever may mount has one."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._keeper: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        """Mount. Raises ``NoDisk``."""
        self.place.mkdir(parents=True, exist_ok=True)
        try:
            self._keeper = subprocess.Popen(
                ["sh", "-c", KEEPER, "sh", SIZE, str(self.place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, start_new_session=True,
            )  # fmt: skip
        except OSError as problem:
            raise NoDisk(f"no file system can be mounted: {problem}") from None
        assert self._keeper.stdout is not None
        if (said := self._keeper.stdout.readline().strip()) != "mounted":
            self.__exit__()
            raise NoDisk(f"no file system can be mounted: {said}")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._keeper is not None
        self._keeper.communicate()

    def used(self) -> int:
        """Bytes that are taken."""
        found = os.statvfs(self.place)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    @contextmanager
    def full(self) -> Iterator[None]:
        """No page is free while the block lasts: the size becomes what is used, as if a balloon had taken the rest."""
        deadline = time.monotonic() + FULL_SECONDS
        while not self._resized(str(self.used())):  # Refused when more was written in between.
            if time.monotonic() > deadline:
                raise NoDisk("the file system could not be made full")
        try:
            yield
        finally:
            if not self._resized(SIZE):
                raise NoDisk("the file system stays full")

    def _resized(self, size: str) -> bool:
        command = ["mount", "-o", f"remount,size={size}", str(self.place)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
