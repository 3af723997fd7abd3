"""Look every locked dependency up among known weaknesses: ``python -m deploy.security.audit`` (`make audit`).

Online pip-audit asks the package index. Where the network does not reach it, ``--database FILE`` reads what the OSV
project exports per ecosystem: the zip of PyPI for the Python packages, that of Maven for Kafka's jars. Exit status 0:
all were looked up and nothing is known; 1: something is known; 2: they could not be looked up, with a code and the way.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.cluster.jars import LOCK_FILE
from deploy.security.advisories import JARS, PYTHON, Advisories, Locked, Weakness
from shared.runtime.errors import NestworkError

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements-dev.lock"
DAYS_MAX = 14
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)
ONLINE = (
    sys.executable, "-m", "pip_audit", "--strict", "--disable-pip", "--require-hashes", "--requirement",
    str(REQUIREMENTS), "--format", "json", "--progress-spinner", "off",
)  # fmt: skip
WAY_OUT = (
    "Where the network does not reach it, fetch OSV's export of the ecosystem PyPI (all.zip) elsewhere and run "
    "`make audit AUDIT_DATABASE=all.zip` (docs/security.md)."
)


class NotAudited(NestworkError):
    """The dependencies could not be looked up; that is no result."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")


def locked_packages() -> list[Locked]:
    """Every Python package and jar that is locked."""
    python = [Locked(PYTHON, name, version) for name, version in PINNED.findall(REQUIREMENTS.read_text())]
    lines = [line.split() for line in LOCK_FILE.read_text().splitlines() if line and not line.startswith("#")]
    jars = [coordinates.rsplit(":", 1) for _, coordinates in lines]
    return python + [Locked(JARS, name, version) for name, version in jars]


def ask_online(command: Sequence[str] = ONLINE) -> list[Weakness]:
    """What the package index knows of the Python packages. Raises ``NotAudited``."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NotAudited("AUDIT_SOURCE_UNREACHABLE", f"{said}. {WAY_OUT}") from None
    return [
        Weakness(
            Locked(PYTHON, one["name"], one["version"]), (known["id"], *known["aliases"]),
            tuple(known["fix_versions"]), str(known.get("description", "")).split("\n", 1)[0][:200],
        )
        for one in packages for known in one["vulns"]
    ]  # fmt: skip


def read_files(files: Sequence[Path], days_max: int, now: datetime) -> tuple[Advisories, list[Weakness]]:
    """What exported files know of everything locked. Raises ``NotAudited``."""
    try:
        advisories = Advisories(files)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise NotAudited("AUDIT_DATABASE_UNREADABLE", f"not OSV's export, or not there: {problem!r}") from problem
    if PYTHON not in advisories.ecosystems:
        raise NotAudited("AUDIT_DATABASE_UNREADABLE", "no record is about the ecosystem PyPI")
    if now - advisories.newest > timedelta(days=days_max):
        raise NotAudited(
            "AUDIT_DATABASE_OLD", f"its newest record is of {advisories.newest:%Y-%m-%d}, more than {days_max} days ago"
        )
    return advisories, [found for package in locked_packages() for found in advisories.of(package)]


def report(found: Sequence[Weakness], looked_up: Collection[str]) -> str:
    """What was found, and among what."""
    lines = []
    for one in found:
        fixed = f"fixed in {', '.join(one.fixed_in)}" if one.fixed_in else "no fixed version is known"
        lines.append(f"{one.package.name} {one.package.version}: {', '.join(one.ids)}: {fixed}. {one.summary}")
    packages = locked_packages()
    for ecosystem in (PYTHON, JARS):
        count = sum(package.ecosystem == ecosystem for package in packages)
        state = "looked up" if ecosystem in looked_up else "NOT looked up: give the export of that ecosystem, too"
        lines.append(f"{ecosystem}: {count} locked packages {state}")
    return "\n".join([*lines, f"{len(found)} known weaknesses"])


def main(arguments: Sequence[str] | None = None, online: Sequence[str] = ONLINE) -> int:
    """Look them up and say what was found; returns the exit status."""
    parser = argparse.ArgumentParser(description="Look locked dependencies up among known weaknesses.")
    parser.add_argument("--database", type=Path, action="append", default=[], help="OSV's export of an ecosystem (zip)")
    parser.add_argument("--days", type=int, default=DAYS_MAX, help="how old its newest record may be")
    given = parser.parse_args(arguments)
    try:
        if given.database:
            advisories, found = read_files(given.database, given.days, datetime.now(UTC))
            text = report(found, advisories.ecosystems)
        else:
            found = ask_online(online)
            text = report(found, {PYTHON})
    except NotAudited as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - the answer of this program.
        return 2
    print(text)  # noqa: T201 - the answer of this program.
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
