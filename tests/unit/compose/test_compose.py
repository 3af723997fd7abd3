"""docker-compose.yml: its schema, what `up --wait` needs, and that nothing in it is open or known to everybody."""

from __future__ import annotations

import functools
import json
import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.compose.secrets import make
from deploy.payroll.columnmap import read_map
from deploy.security.roles import ROLES, read_passwords, scram_verifier
from shared.runtime.tokens import Role, Tokens
from tests.support.manifests import OneKeyLoader

ROOT = Path(__file__).parents[3]
SCHEMA = ROOT / "tests" / "support" / "schemas" / "compose-spec.json"
ONE_SHOT = {"secrets", "topics", "roles", "tables"}
OWN = {"contribution", "allocation", "trading", "valuation", "custodian", "intake", "console", "watcher"}


@functools.cache
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((ROOT / "docker-compose.yml").read_text(), OneKeyLoader)
    return found


def services() -> dict[str, Any]:
    return dict(compose()["services"])


def complaints(document: dict[str, Any]) -> list[str]:
    schema = json.loads(SCHEMA.read_text())
    return [error.message[:200] for error in jsonschema.Draft7Validator(schema).iter_errors(document)]


def test_it_keeps_the_compose_specification() -> None:
    assert complaints(compose()) == []


def test_a_misspelt_key_would_be_noticed() -> None:
    wrong = json.loads(json.dumps(compose()))
    wrong["services"]["trading"]["helthcheck"] = {}
    assert complaints(wrong)


def test_up_wait_can_tell_that_everything_is_up() -> None:
    """A program that ends is adopted by one that waits for its success, or `--wait` takes its end for a failure."""
    adopted = {
        name
        for service in services().values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    assert adopted == ONE_SHOT
    assert {name for name, service in services().items() if service["restart"] == "no"} == ONE_SHOT
    assert {name for name, service in services().items() if "healthcheck" not in service} == ONE_SHOT


def test_every_dependency_exists_and_is_waited_for_by_what_it_can_be() -> None:
    for name, service in services().items():
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            assert (name, other, how["condition"]) == (name, other, wanted)


def test_ports_are_published_on_loopback_only() -> None:
    ports = [port for service in services().values() for port in service.get("ports", ())]
    assert len(ports) > 5
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_every_image_is_pinned_and_every_container_has_a_memory_limit() -> None:
    for name, service in services().items():
        assert service["mem_limit"], name
        assert name in OWN | ONE_SHOT or ":" in service["image"], name
        assert not service["image"].endswith(":latest"), name


def test_no_password_stands_in_it() -> None:
    for name, service in services().items():
        for key, value in service.get("environment", {}).items():
            secret = any(word in key for word in ("PASSWORD", "KEY", "TOKEN", "SECRET"))
            assert not secret or str(value).startswith("/secrets"), (name, key)
            if "://" in str(value) and "@" in str(value):
                assert ":" not in str(value).split("://")[1].split("@")[0], (name, key)


def test_our_programs_run_with_nothing_they_do_not_need() -> None:
    for name in OWN | ONE_SHOT:
        service = services()[name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_each_service_uses_its_own_role_and_only_the_first_step_is_the_superuser() -> None:
    for name in ("contribution", "allocation", "trading", "valuation", "custodian"):
        found = services()[name]["environment"]
        assert found["DATABASE_URL"] == f"postgresql://nestwork_{name}@postgres:5432/nestwork_{name}"
        assert found["DATABASE_PASSWORD_FILE"] == f"/secrets/roles/nestwork_{name}"
    urls = {name: service.get("environment", {}).get("DATABASE_URL", "") for name, service in services().items()}
    assert [name for name, url in urls.items() if "//postgres@" in url] == ["roles"]


def test_prometheus_finds_whom_it_looks_for() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    jobs = [*config["scrape_configs"], *config["alerting"]["alertmanagers"]]
    names = {name for job in jobs for found in job["dns_sd_configs"] for name in found["names"]}
    # Whoever inherits the workers' check of /readyz serves metrics beside it; the custodian has no pages.
    assert names == (OWN - {"custodian"}) | {"alertmanager"}


def test_every_file_that_is_mounted_is_there() -> None:
    for service in services().values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in compose()["volumes"] or (ROOT / source).exists(), volume


def test_secrets_are_made_once_and_fit_what_reads_them(tmp_path: Path) -> None:
    made = make(tmp_path)
    before = {file: file.read_text() for file in tmp_path.rglob("*") if file.is_file()}
    assert (make(tmp_path), {file: file.read_text() for file in before}) == ([], before)
    assert {"postgres", "grafana", "marker.key", "tokens.json"} <= set(made)
    assert len(set(before.values())) == len(before)
    assert all(scram_verifier(password) for password in read_passwords(tmp_path / "roles").values())
    assert len(read_passwords(tmp_path / "roles")) == len(ROLES)
    for role in (Role.OPERATOR, Role.PAYROLL):
        token = (tmp_path / f"{role}.token").read_text()
        caller = Tokens(tmp_path / "tokens.json").caller(f"Bearer {token}")
        caller.require(role)
        caller.require_every_plan()
    assert all(not stat.S_IMODE(file.stat().st_mode) & 0o222 for file in before)


@pytest.mark.parametrize("missing", ["tokens.json", "roles/nestwork_owner"])
def test_a_secret_that_was_lost_is_made_again_and_fits_its_partner(tmp_path: Path, missing: str) -> None:
    make(tmp_path)
    (tmp_path / missing).unlink()
    assert make(tmp_path) == [missing]
    token = (tmp_path / "operator.token").read_text()
    assert Tokens(tmp_path / "tokens.json").caller(f"Bearer {token}").name == "compose-operator"


def test_the_example_of_a_column_map_can_be_read() -> None:
    read_map(ROOT / "deploy" / "compose" / "maps" / "example.yaml")
