"""Prometheus and Alertmanager for tests: Debian's packages, unpacked into a cache folder without root.

Programs on the PATH win. Otherwise `apt-get download` brings the packages (its lists must be there: `apt-get update`
needs root once) and `dpkg -x` unpacks them.

Debian's Alertmanager opens its templates by an absolute path. The unpacked copy is told to look below its working
folder instead: the first byte of that path becomes a dot, and the cache has a folder of that name.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-alertmanager": "prometheus-alertmanager",
}
TEMPLATES = b"/usr/share/prometheus/alertmanager"
FETCH_SECONDS = 180


class ToolMissing(Exception):
    """A program could neither be found nor fetched; the text says what to do."""


def tool(name: str) -> Path:
    """The path of a program. Raises ``ToolMissing``."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    cached = _folder(PACKAGES[name]) / "usr" / "bin" / name
    if not cached.exists():
        _fetch(PACKAGES[name])
    return cached


def working_folder(program: Path) -> Path:
    """Where a program must be started so that it finds its own files."""
    return program.parents[2]


def _cache() -> Path:
    return user_cache_path("nestwork") / "debian"


def _folder(package: str) -> Path:
    return _cache() / package


def _fetch(package: str) -> None:
    missing = [program for program in ("apt-get", "dpkg") if shutil.which(program) is None]
    if missing:
        raise ToolMissing(f"{package} is not installed, and without {missing[0]} it cannot be fetched; install it")
    _cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_cache()) as folder:
        try:
            _run(["apt-get", "download", package], folder)
            (file,) = Path(folder).glob("*.deb")
            _run(["dpkg", "-x", file.name, "unpacked"], folder)
        except (subprocess.SubprocessError, ValueError) as failure:
            detail = getattr(failure, "stderr", None) or str(failure)
            raise ToolMissing(f"{package} could not be fetched ({detail.strip()}); install it") from failure
        unpacked = Path(folder) / "unpacked"
        _look_below(unpacked)
        shutil.rmtree(_folder(package), ignore_errors=True)
        unpacked.rename(_folder(package))


def _look_below(unpacked: Path) -> None:
    (unpacked / ".usr").symlink_to("usr")
    for program in (unpacked / "usr" / "bin").iterdir():
        code = program.read_bytes()
        if TEMPLATES in code:
            program.write_bytes(code.replace(TEMPLATES, b"." + TEMPLATES[1:]))


def _run(command: list[str], folder: str) -> None:
    subprocess.run(
        command,
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        timeout=FETCH_SECONDS,
        env={**os.environ, "LC_ALL": "C"},
    )
