"""The Java peers: their jars by hash, compiled by Eclipse's compiler on the embedded runtime (no JDK needed)."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from deploy.cluster import broker, jars

HERE = Path(__file__).resolve().parent
LOCK = HERE / "java.lock"
RELEASE = "21"


class NoJava(Exception):
    """The Java peers cannot be built here; the text says why."""


def _jar(sha256: str, coordinate: str) -> Path:
    group, artifact, version = coordinate.split(":")
    kept = jars.cache_folder() / "peers" / f"{artifact}-{version}.jar"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_fetch(group, artifact, version), kept)
    if hashlib.sha256(kept.read_bytes()).hexdigest() != sha256:
        kept.unlink()
        raise NoJava(f"{kept.name} is not the jar that was locked; it was removed")
    return kept


def _fetch(group: str, artifact: str, version: str) -> str:
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    mirrors = GlobalSettings.load().repositories
    context = MavenContext(repo_cache=jars.cache_folder() / "peers" / "repository", remote_repos=mirrors or None)
    try:
        return str(context.project(group, artifact).at_version(version).artifact().resolve())
    except Exception as error:  # Whatever the resolver raises means the same.
        raise NoJava(f"{group}:{artifact}:{version} could not be fetched: {error}") from error


def class_path(home: Path) -> str:
    """Compile the peers into ``home`` unless that was done, and return what to run them with. Raises ``NoJava``."""
    rows = [line.split() for line in LOCK.read_text().splitlines() if line and not line.startswith("#")]
    found = [_jar(sha256, coordinate) for sha256, coordinate in rows]
    compiler = next(jar for jar in found if jar.name.startswith("ecj-"))
    libraries = os.pathsep.join([str(jar) for jar in found if jar != compiler] + [jars.class_path()])
    classes, sources = home / "classes", sorted((HERE / "java" / "peers").glob("*.java"))
    newest = max(source.stat().st_mtime for source in sources)
    made = classes / "peers" / "Job.class"
    if not made.exists() or made.stat().st_mtime < newest:
        classes.mkdir(parents=True, exist_ok=True)
        options = ["-source", RELEASE, "-target", RELEASE, "-nowarn", "-cp", libraries, "-d", str(classes)]
        command = [str(broker.java()), "-jar", str(compiler), *options, *map(str, sources)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoJava(f"the peers do not compile:\n{done.stdout}{done.stderr}")
    return f"{classes}{os.pathsep}{libraries}"
