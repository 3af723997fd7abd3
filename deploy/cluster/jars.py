"""Apache Kafka's jars: named and hashed in kafka-jars.lock, fetched once by Maven coordinates, checked before use."""

from __future__ import annotations

import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.cluster.errors import JarsDiffer, JarsUnavailable

LOCK_FILE = Path(__file__).with_name("kafka-jars.lock")
KAFKA_VERSION = "4.3.1"
# Resolved one after the other: together, the second one's parent would govern the versions of the first one's jars.
COORDINATES = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",  # Without a binding the broker cannot say why it fails.
)
CHECKED = "checked"


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked jar: where it comes from and what it must be."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """Name of the jar in the cache folder."""
        return f"{self.artifact}-{self.version}.jar"


def cache_folder() -> Path:
    """The user's cache: XDG_CACHE_HOME, else ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nestwork"


def locked_jars() -> list[Jar]:
    """The lock, in class path order."""
    rows = [line.split() for line in LOCK_FILE.read_text().splitlines() if line and not line.startswith("#")]
    jars = []
    for sha256, coordinate in rows:
        group, artifact, version = coordinate.split(":")
        jars.append(Jar(group, artifact, version, sha256))
    return jars


def class_path(*, offline: bool = False, source: Path | None = None) -> str:
    """Return the broker's class path, fetching what the cache lacks.

    ``offline`` never fetches; ``source`` is a folder with the jars for machines without a network. Raises
    ``JarsUnavailable`` or ``JarsDiffer``; a jar is checked against the lock when it enters the cache and again
    when the cache is older than the lock.
    """
    folder = cache_folder() / f"kafka-{KAFKA_VERSION}"
    jars = locked_jars()
    lock_digest = hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()
    stamp = folder / CHECKED
    present = all((folder / jar.file_name).is_file() for jar in jars)
    if not (present and stamp.is_file() and stamp.read_text() == lock_digest):
        folder.mkdir(parents=True, exist_ok=True)
        _fill(folder, jars, offline=offline, source=source)
        stamp.write_text(lock_digest)
    return os.pathsep.join(str(folder / jar.file_name) for jar in jars)


def _fill(folder: Path, jars: list[Jar], *, offline: bool, source: Path | None) -> None:
    missing = [jar for jar in jars if not (folder / jar.file_name).is_file()]
    if missing and offline and source is None:
        raise JarsUnavailable(
            f"{len(missing)} of {len(jars)} Kafka jars are not in {folder}; run `nestwork up` once with a network, or "
            f"name a folder that has them with --jars"
        )
    for jar in jars:
        if jar not in missing:
            _check(folder / jar.file_name, jar)
    if source is not None:
        for jar in missing:
            _adopt(source / jar.file_name, folder, jar)
        return
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda jar: _adopt(_download(jar, folder / "repository"), folder, jar), missing))
    shutil.rmtree(folder / "repository", ignore_errors=True)


def _download(jar: Jar, repository: Path) -> Path:
    from jgo.config import GlobalSettings
    from jgo.maven import MavenContext

    # An organisation's own mirror, if jgo's settings name one, is asked as well.
    mirrors: dict[str, str] = GlobalSettings.load().repositories
    context = MavenContext(repo_cache=repository, remote_repos=mirrors or None)
    try:
        return Path(context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve())
    except Exception as error:  # Whatever the resolver raises means the same to the user.
        raise JarsUnavailable(
            f"{jar.group}:{jar.artifact}:{jar.version} could not be fetched ({error}); check the network or proxy, or "
            f"name a folder with the jars with --jars"
        ) from error


def _adopt(found: Path, folder: Path, jar: Jar) -> None:
    """Copy a jar into the cache under a temporary name, check it there, then give it its name."""
    if not found.is_file():
        raise JarsUnavailable(f"{jar.file_name} is not in {found.parent}")
    arriving = folder / f".{jar.file_name}.{os.getpid()}"
    shutil.copyfile(found, arriving)
    _check(arriving, jar)
    arriving.replace(folder / jar.file_name)


def _check(file: Path, jar: Jar) -> None:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != jar.sha256:
        file.unlink()
        raise JarsDiffer(f"{jar.file_name} has SHA-256 {digest}, locked is {jar.sha256}; the file was removed")


def lock_text() -> str:
    """Resolve the coordinates afresh and return the text of a new lock (used when Kafka's version changes)."""
    from jgo.maven import MavenContext
    from jgo.parse import Coordinate

    context = MavenContext(repo_cache=cache_folder() / "resolve")
    found: dict[tuple[str, str], Any] = {}
    for text in COORDINATES:
        wanted = context.create_dependency(Coordinate.parse(text))
        wanted.scope = "compile"
        inputs, others = context.resolver.resolve([wanted])
        for item in [*inputs, *others]:
            if item.scope in ("compile", "runtime"):
                found.setdefault((item.groupId, item.artifactId), item.artifact)
    lines = ["# SHA-256 and Maven coordinates of the broker's class path. Made by: python -m deploy.cluster.jars"]
    for artifact in found.values():
        digest = hashlib.sha256(Path(artifact.resolve()).read_bytes()).hexdigest()
        lines.append(f"{digest}  {artifact.groupId}:{artifact.artifactId}:{artifact.version}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    LOCK_FILE.write_text(lock_text())
