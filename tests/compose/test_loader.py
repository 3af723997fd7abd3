"""docker-compose.yml through Docker Compose's own loader: what `docker compose config` says, without Docker."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
SOURCE = Path(__file__).parent / "loader"


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built program; its modules are fetched once and checked against the hashes kept here."""
    if shutil.which("go") is None:
        raise AssertionError("Go 1.23 or newer is needed to build Docker Compose's loader, and none was found")
    program = tmp_path_factory.mktemp("loader") / "loader"
    command = ["go", "build", "-mod=readonly", "-buildvcs=false", "-o", str(program), "."]
    done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def load(loader: Path, file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([loader, file], capture_output=True, text=True, check=False)


def test_compose_reads_it_whole(loader: Path) -> None:
    done = load(loader, FILE)
    assert (done.returncode, done.stderr) == (0, "")
    read = yaml.safe_load(done.stdout)
    written = yaml.safe_load(FILE.read_text())
    assert read["services"].keys() == written["services"].keys()
    assert read["volumes"].keys() == written["volumes"].keys()
    console = read["services"]["console"]
    assert [(one["host_ip"], one["published"], one["target"]) for one in console["ports"]] == [
        ("127.0.0.1", "6080", 6066)
    ]
    assert console["depends_on"]["tables"]["condition"] == "service_completed_successfully"


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("healthcheck: &ready", "helthcheck: &ready", "helthcheck"),
        ("tables: {condition: service_completed_successfully}", "tablets: {condition: service_started}", "tablets"),
        ('volumes: ["secrets:/secrets:ro"]', 'volumes: ["secretz:/secrets:ro"]', "secretz"),
    ],
)
def test_a_slip_would_be_noticed(loader: Path, tmp_path: Path, right: str, wrong: str, complaint: str) -> None:
    text = FILE.read_text()
    assert right in text
    (tmp_path / "docker-compose.yml").write_text(text.replace(right, wrong))
    done = load(loader, tmp_path / "docker-compose.yml")
    assert done.returncode == 1
    assert complaint in done.stderr
