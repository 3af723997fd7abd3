"""Keep each overlay as it comes out of kustomize: ``python -m deploy.manifests.render``.

Needs ``kustomize`` or ``kubectl`` on the path. What is kept carries a hash of all it was made from, so that a stale one
is noticed also where neither tool is installed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from deploy.manifests import generate
from shared.runtime.errors import NestworkError

FOLDER = generate.ROOT / "k8s"
RENDERED = FOLDER / "rendered"
OVERLAYS = ("dev", "production")
MARK = "# Inputs: "


class ToolMissing(NestworkError):
    """Neither kustomize nor kubectl is installed; either of them renders the overlays."""


def inputs_hash() -> str:
    """SHA-256 over every file under k8s/ that can change what comes out, with its name."""
    digest = hashlib.sha256()
    for file in sorted(FOLDER.rglob("*.yaml")):
        if RENDERED not in file.parents:
            digest.update(f"{file.relative_to(FOLDER).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def command() -> list[str]:
    """The tool that is there. Raises ``ToolMissing``."""
    if found := shutil.which("kustomize"):
        return [found, "build"]
    if found := shutil.which("kubectl"):
        return [found, "kustomize"]
    raise ToolMissing


def rendered(overlay: str) -> str:
    """An overlay as it would be applied."""
    place = str(FOLDER / "overlays" / overlay)
    done = subprocess.run([*command(), place], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NestworkError(f"{overlay}: {done.stderr.strip()}")
    return done.stdout


def kept(overlay: str) -> Path:
    """Where an overlay's text is kept."""
    return RENDERED / f"{overlay}.yaml"


def main() -> None:
    """Derive, render and keep everything."""
    generate.main()
    for overlay in OVERLAYS:
        head = f"# Made by `make manifests`; do not edit. Apply the overlay, or this.\n{MARK}{inputs_hash()}\n"
        kept(overlay).write_text(head + rendered(overlay))


if __name__ == "__main__":
    main()
