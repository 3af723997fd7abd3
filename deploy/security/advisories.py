"""Known weaknesses in OSV's format (ossf.github.io/osv-schema), read from files: does one of them concern a version?

A range whose versions can't be ordered counts as concerned: who audits must look, not hope.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

PYTHON, JARS = "PyPI", "Maven"
Advisory = Mapping[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Locked:
    """A locked package."""

    ecosystem: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Weakness:
    """A known weakness of a locked package."""

    package: Locked
    ids: tuple[str, ...]
    """Its own id first, then the names others gave it."""
    fixed_in: tuple[str, ...]
    summary: str


class Advisories:
    """All records of some files, by package."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.records = 0
        self.newest = datetime.min.replace(tzinfo=UTC)
        self.ecosystems: set[str] = set()
        self._by_package: dict[tuple[str, str], list[tuple[Advisory, Advisory]]] = {}
        for file in files:
            for record in _records(file):
                self._add(record)

    def _add(self, record: Advisory) -> None:
        self.records += 1
        self.newest = max(self.newest, _instant(record["modified"]))
        for affected in record.get("affected", ()):
            package = affected.get("package", {})
            ecosystem = str(package.get("ecosystem", "")).partition(":")[0]
            self.ecosystems.add(ecosystem)
            if not record.get("withdrawn"):
                key = ecosystem, _name(ecosystem, str(package.get("name", "")))
                self._by_package.setdefault(key, []).append((record, affected))

    def of(self, package: Locked) -> list[Weakness]:
        """What is known of a package in this version."""
        known = self._by_package.get((package.ecosystem, _name(package.ecosystem, package.name)), ())
        found = {record["id"]: (record, affected) for record, affected in known if concerns(affected, package.version)}
        return [_weakness(package, record, affected) for record, affected in found.values()]


def concerns(affected: Advisory, version: str) -> bool:
    """Whether a version is named, or lies in a range that orders versions (not commits)."""
    if version in affected.get("versions", ()):
        return True
    ranges = [one for one in affected.get("ranges", ()) if one.get("type") in ("ECOSYSTEM", "SEMVER")]
    return any(_inside(one["events"], version) for one in ranges)


def _inside(events: Iterable[Mapping[str, str]], version: str) -> bool:
    """Introduced before or at the version, and neither fixed at or before it nor last seen before it."""
    inside = False
    try:
        at = Version(version)
        for event in sorted(events, key=_place):
            if "introduced" in event:
                inside = inside or event["introduced"] == "0" or Version(event["introduced"]) <= at
            elif "fixed" in event:
                inside = inside and Version(event["fixed"]) > at
            elif "last_affected" in event:
                inside = inside and Version(event["last_affected"]) >= at
    except InvalidVersion:
        return True
    return inside


def _place(event: Mapping[str, str]) -> tuple[Version, int]:
    """Where an event stands: by version; what begins at one stands behind what ends there."""
    (kind, text), *_ = event.items()
    return Version("0" if text == "0" else text), ("fixed", "introduced", "last_affected").index(kind)


def _weakness(package: Locked, record: Advisory, affected: Advisory) -> Weakness:
    fixed = [event["fixed"] for one in affected.get("ranges", ()) for event in one["events"] if "fixed" in event]
    summary = str(record.get("summary") or record.get("details") or "").strip().split("\n", 1)[0]
    return Weakness(package, (record["id"], *record.get("aliases", ())), tuple(dict.fromkeys(fixed)), summary[:200])


def _records(file: Path) -> Iterator[Advisory]:
    """A zip of records as OSV exports an ecosystem, or one record. Raises ``OSError``, ``ValueError``."""
    if not zipfile.is_zipfile(file):
        yield json.loads(file.read_bytes())
        return
    with zipfile.ZipFile(file) as opened:
        for name in opened.namelist():
            if name.endswith(".json"):
                yield json.loads(opened.read(name))


def _name(ecosystem: str, name: str) -> str:
    return canonicalize_name(name) if ecosystem == PYTHON else name


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
