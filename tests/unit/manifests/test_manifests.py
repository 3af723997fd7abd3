"""Kubernetes' manifests: every kind against its real schema, unknown keys refused, and what schemas cannot say."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from deploy.manifests import generate, render
from deploy.security import roles
from shared.events.topics import ALL_TOPICS
from tests.support.manifests import OneKeyLoader, problems, read_manifests, validator

ROOT = Path(__file__).parents[3]
SERVICES = ("contribution", "allocation", "trading", "valuation")
ROLE_SECRETS = {f"nestwork-role-{role.removeprefix('nestwork_')}" for role in roles.ROLES}
ADDED_BY_HAND = {"nestwork-marker-key", "nestwork-tokens"} | ROLE_SECRETS
"""Secrets that docs/kubernetes.md tells the reader to make."""
MADE_BY_OPERATORS = {"nestwork-cluster-ca-cert", "nestwork-db-ca"}
RENDERED = {overlay: read_manifests(render.kept(overlay)) for overlay in render.OVERLAYS}
EVERYTHING = [(overlay, one) for overlay, manifests in RENDERED.items() for one in manifests]


def named(found: Any) -> str:
    return f"{found['kind']}-{found['metadata']['name']}" if isinstance(found, dict) else str(found)


def of_kind(overlay: str, *kinds: str) -> list[dict[str, Any]]:
    return [one for one in RENDERED[overlay] if one["kind"] in kinds]


def pods(overlay: str) -> list[dict[str, Any]]:
    """Pod templates, each with the name of its workload in front."""
    found = {one["metadata"]["name"]: one["spec"] for one in of_kind(overlay, "Deployment", "Job")}
    found |= {one["metadata"]["name"]: one["spec"]["jobTemplate"]["spec"] for one in of_kind(overlay, "CronJob")}
    return [spec["template"] | {"name": name} for name, spec in found.items()]


def environment(overlay: str) -> dict[str, str]:
    (found,) = of_kind(overlay, "ConfigMap")
    return dict(found["data"])


@pytest.mark.parametrize("overlay", render.OVERLAYS)
def test_every_manifest_keeps_its_schema(overlay: str) -> None:
    assert [problem for one in RENDERED[overlay] for problem in problems(one)] == []


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        yield path
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(part, (*path, key))


FREE = {
    "labels", "annotations", "matchLabels", "data", "config", "parameters", "requests", "limits", "metadata",
    "jvmOptions", "options", "nodeSelector", "stringData",
}  # fmt: skip
"""Maps whose keys are the writer's own."""


@pytest.mark.parametrize(
    "manifest", {one["kind"]: one for _, one in EVERYTHING}.values(), ids=lambda one: str(one["kind"])
)
def test_an_unknown_key_is_noticed_wherever_it_stands(manifest: dict[str, Any]) -> None:
    tried = [
        path for path in places(manifest) if not FREE & {*map(str, path)} - {"metadata"} and "metadata" not in path[:1]
    ]
    missed = []
    for path in tried:
        wrong = copy.deepcopy(manifest)
        at = wrong
        for step in path:
            at = at[step]
        at["replicsa"] = 1
        if not problems(wrong):
            missed.append(path)
    assert missed == []


def test_a_key_that_is_named_twice_is_an_error() -> None:
    with pytest.raises(yaml.constructor.ConstructorError, match="named twice"):
        yaml.load("a: 1\na: 2\n", OneKeyLoader)


def test_a_kind_without_a_schema_is_an_error() -> None:
    with pytest.raises(LookupError):
        validator("example.com/v1", "Deployment")


@pytest.mark.parametrize("file", sorted(generate.documents()), ids=lambda file: file.name)
def test_what_is_derived_is_fresh(file: Path) -> None:
    assert file.read_text() == generate.documents()[file], "run `make manifests`"


@pytest.mark.parametrize("overlay", render.OVERLAYS)
def test_what_is_kept_was_made_from_what_is_there(overlay: str) -> None:
    text = render.kept(overlay).read_text()
    assert f"{render.MARK}{render.inputs_hash()}\n" in text, "run `make manifests`"
    if shutil.which("kustomize") or shutil.which("kubectl"):
        assert text.split("\n", 2)[2] == render.rendered(overlay), "run `make manifests`"


# -- what schemas cannot say ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("overlay", render.OVERLAYS)
def test_every_topic_is_there_with_the_partitions_the_workers_expect(overlay: str) -> None:
    partitions = int(environment(overlay)["NESTWORK_PARTITIONS"])
    found = {one["metadata"]["name"]: one["spec"]["partitions"] for one in of_kind(overlay, "KafkaTopic")}
    assert found == {topic.name: partitions if topic.partitioned else 1 for topic in ALL_TOPICS}


@pytest.mark.parametrize("overlay", render.OVERLAYS)
def test_every_secret_that_is_mounted_comes_from_somewhere(overlay: str) -> None:
    users = {one["metadata"]["name"] for one in of_kind(overlay, "KafkaUser")}
    mounted = {
        source["secret"]["name"]
        for pod in pods(overlay)
        for volume in pod["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", ())
    }
    assert mounted <= users | ADDED_BY_HAND | MADE_BY_OPERATORS
    document = (ROOT / "docs" / "kubernetes.md").read_text()
    assert [name for name in sorted(ADDED_BY_HAND & mounted) if name not in document] == []


@pytest.mark.parametrize("overlay", render.OVERLAYS)
def test_a_pod_has_no_more_than_the_restricted_standard_allows(overlay: str) -> None:
    for pod in pods(overlay):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            assert not [one for one in container["env"] if "PASSWORD" in one["name"] or "valueFrom" in one]


@pytest.mark.parametrize("overlay", render.OVERLAYS)
def test_every_pod_is_under_the_policies_and_every_selector_meets_a_pod(overlay: str) -> None:
    labels = [pod["metadata"]["labels"] for pod in pods(overlay)]
    assert all(one["app.kubernetes.io/part-of"] == "nestwork" for one in labels)
    chosen = [one["spec"]["selector"] for one in of_kind(overlay, "Service")]
    chosen += [one["spec"]["selector"]["matchLabels"] for one in of_kind(overlay, "PodDisruptionBudget", "Deployment")]
    assert len(chosen) >= 12
    assert [one for one in chosen if not any(one.items() <= pod.items() for pod in labels)] == []


@pytest.mark.parametrize("overlay", render.OVERLAYS)
def test_each_service_logs_in_as_itself(overlay: str) -> None:
    users = {one["metadata"]["name"] for one in of_kind(overlay, "KafkaUser")}
    for pod in pods(overlay):
        found = {one["name"]: one["value"] for one in pod["spec"]["containers"][0]["env"]}
        assert found.get("KAFKA_SASL_USERNAME", "nestwork-contribution") in users
        if pod["name"].removeprefix("nestwork-") in SERVICES:
            role = pod["name"].replace("-", "_")
            assert found["KAFKA_SASL_USERNAME"] == pod["name"]
            assert found["DATABASE_URL"] == f"postgresql://{role}@nestwork-db-rw:5432/{role}"


@pytest.mark.parametrize("overlay", render.OVERLAYS)
def test_whoever_is_not_a_service_comes_in_as_the_party_and_the_role_it_plays(overlay: str) -> None:
    played = {
        "nestwork-intake": ("nestwork-payroll-integrations", None),
        "nestwork-console": ("nestwork-operators", "nestwork_operator"),
        "nestwork-watcher": ("nestwork-watcher", "nestwork_reader"),
        "nestwork-custodian": ("nestwork-custodian", "nestwork_custodian"),
        "nestwork-migrate": (None, "nestwork_owner"),
        "nestwork-true-up": ("nestwork-payroll-integrations", "nestwork_reader"),
    }
    for pod in pods(overlay):
        if pod["name"].removeprefix("nestwork-") not in SERVICES:
            found = {one["name"]: one["value"] for one in pod["spec"]["containers"][0]["env"]}
            role = urlsplit(found.get("DATABASE_URL", "")).username
            assert (pod["name"], found.get("KAFKA_SASL_USERNAME"), role) == (pod["name"], *played[pod["name"]])


def listening(overlay: str) -> list[dict[str, Any]]:
    return [pod for pod in pods(overlay) if "ports" in pod["spec"]["containers"][0]]


@pytest.mark.parametrize("overlay", render.OVERLAYS)
def test_whoever_listens_is_probed_and_prometheus_may_come_in(overlay: str) -> None:
    policies = [one["spec"] for one in of_kind(overlay, "NetworkPolicy")]
    metrics = {"namespaceSelector": {"matchLabels": {"nestwork.access/metrics": "true"}}}
    assert {pod["name"] for pod in listening(overlay)} > {"nestwork-intake", "nestwork-console"}
    for pod in listening(overlay):
        (container,) = pod["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"]["path"] in ("/readyz", "/metrics"), pod["name"]
        theirs = [
            rule
            for policy in policies
            if policy["podSelector"].get("matchLabels", {}).items() <= pod["metadata"]["labels"].items()
            for rule in policy.get("ingress", ())
        ]
        assert any(metrics in rule["from"] and rule["ports"][0]["port"] == "web" for rule in theirs), pod["name"]


def test_whoever_listens_is_scraped() -> None:
    (monitor,) = of_kind("production", "PodMonitor")
    (wanted,) = monitor["spec"]["selector"]["matchExpressions"]
    listed = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in listening("production")}
    assert (wanted["key"], set(wanted["values"])) == ("app.kubernetes.io/component", listed)


@pytest.mark.parametrize("overlay", render.OVERLAYS)
def test_the_console_asks_every_service_and_the_workers_let_it(overlay: str) -> None:
    (pod,) = [pod for pod in pods(overlay) if pod["name"] == "nestwork-console"]
    found = {one["name"]: one["value"] for one in pod["spec"]["containers"][0]["env"]}
    asked = {urlsplit(one).hostname for one in found["NESTWORK_CONSOLE_WORKERS"].split(",")}
    assert asked == {f"nestwork-{name}" for name in SERVICES}
    assert asked <= {one["metadata"]["name"] for one in of_kind(overlay, "Service")}
    policies = {one["metadata"]["name"]: one["spec"] for one in of_kind(overlay, "NetworkPolicy")}
    (out,), (into,) = policies["nestwork-console-out"]["egress"], policies["nestwork-console-asks-workers"]["ingress"]
    assert out["to"][0]["podSelector"] == policies["nestwork-console-asks-workers"]["podSelector"]
    assert into["from"][0]["podSelector"] == policies["nestwork-console-out"]["podSelector"]


def test_the_four_workers_differ_by_name_only() -> None:
    texts = {(ROOT / "k8s" / "base" / f"{name}.yaml").read_text().replace(name, "SERVICE") for name in SERVICES}
    assert len(texts) == 1


def test_the_scaler_watches_the_group_of_the_service_it_scales_and_never_beyond_the_partitions() -> None:
    partitions = int(environment("production")["NESTWORK_PARTITIONS"])
    readers = {topic.name: topic.readers for topic in ALL_TOPICS}
    scaled = of_kind("production", "ScaledObject")
    assert {one["spec"]["scaleTargetRef"]["name"] for one in scaled} == {f"nestwork-{name}" for name in SERVICES}
    for one in scaled:
        service = one["metadata"]["name"].removeprefix("nestwork-")
        lag, clock = one["spec"]["triggers"]
        assert lag["metadata"]["consumerGroup"] == f"nestwork-{service}"
        assert service in readers[lag["metadata"]["topic"]]
        assert 1 <= one["spec"]["minReplicaCount"] <= int(clock["metadata"]["desiredReplicas"])
        assert one["spec"]["maxReplicaCount"] == partitions
    for one in of_kind("production", "Deployment"):
        assert ("replicas" in one["spec"]) == (one["metadata"]["name"].removeprefix("nestwork-") not in SERVICES)


def test_roles_that_are_managed_are_the_roles_there_are() -> None:
    (cluster,) = of_kind("dev", "Cluster")
    managed = {one["name"] for one in cluster["spec"]["managed"]["roles"]}
    assert managed | {cluster["spec"]["bootstrap"]["initdb"]["owner"]} == set(roles.ROLES)
    databases = {one["spec"]["name"] for one in of_kind("dev", "Database")}
    databases.add(cluster["spec"]["bootstrap"]["initdb"]["database"])
    assert databases == {*(f"nestwork_{name}" for name in SERVICES), "nestwork_custodian"}
