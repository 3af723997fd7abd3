"""Disks that tests fill: full at once, free again at once, and left out aloud where nobody may mount one."""

from __future__ import annotations

import errno
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.chaos_cluster import mount
from tests.support.chaos_disks import NoDisk, SmallDisk

pytestmark = pytest.mark.chaos_short


def test_a_full_disk_takes_nothing_and_keeps_what_it_has(tmp_path: Path) -> None:
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(SmallDisk(tmp_path / "disk"))
        except NoDisk as why:
            pytest.skip(str(why))
        (disk.place / "kept").write_bytes(b"x" * 10_000)
        with disk.full(), pytest.raises(OSError, match="No space") as refused:
            (disk.place / "more").write_bytes(b"x" * 10_000)
        assert refused.value.errno == errno.ENOSPC
        (disk.place / "more").write_bytes(b"x" * 10_000)
        assert (disk.place / "kept").stat().st_size == 10_000
    assert not (tmp_path / "disk" / "kept").exists()


def test_faults_of_disks_are_left_out_with_the_reason_where_nobody_may_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = tmp_path / "bin" / "mount"
    refusing.parent.mkdir()
    refusing.write_text("#!/bin/sh\necho must be superuser to use mount >&2\nexit 32\n")
    refusing.chmod(0o700)
    monkeypatch.setenv("PATH", f"{refusing.parent}:/usr/bin:/bin")
    with ExitStack() as stack:
        disks, left_out = mount(tmp_path / "cluster", 3, stack)
    assert disks == {}
    assert left_out.keys() == {"database_disk_full", "broker_disk_full"}
    assert all("must be superuser" in why for why in left_out.values())
