"""Prometheus and Alertmanager for tests: Debian's packages, unpacked into a cache folder without root.

Programs on the PATH win. Otherwise `apt-get download` brings the packages (its lists must be there: `apt-get update`
needs root once) and `dpkg -x` unpacks them.
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
FETCH_SECONDS = 180


class ToolMissing(Exception):
    """A program could neither be found nor fetched; the text says what to do."""


def tool(name: str) -> Path:
    """The path of a program. Raises ``ToolMissing``."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    cached = _cache() / "usr" / "bin" / name
    if not cached.exists():
        _fetch(PACKAGES[name])
    return cached


def _cache() -> Path:
    return user_cache_path("nestwork") / "debian"


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
        for program in (Path(folder) / "unpacked" / "usr" / "bin").iterdir():
            (_cache() / "usr" / "bin").mkdir(parents=True, exist_ok=True)
            program.replace(_cache() / "usr" / "bin" / program.name)


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
