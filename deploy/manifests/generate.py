"""Write the derived manifests: ``python -m deploy.manifests.generate``.

Topics and users come from the catalogue of topics, alert rules from the files that are tested with promtool.
A test fails when what is kept is not what comes out here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from deploy.security.access import Grant, grants_of, parties, user_name
from shared.events.topics import ALL_TOPICS, Topic

ROOT = Path(__file__).parents[2]
COMPONENTS = ROOT / "k8s" / "components"
RULE_FILES = ("recording.yml", "alerts.yml")
PARTITIONS = 64
"""As NESTWORK_PARTITIONS in k8s/base; an overlay that changes one changes the other."""
LABELS = {"strimzi.io/cluster": "nestwork"}
PARTITIONED = "nestwork.topic/partitioned"


def topic_manifest(topic: Topic) -> dict[str, Any]:
    """A topic as Strimzi keeps it."""
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaTopic",
        "metadata": {"name": topic.name, "labels": LABELS | {PARTITIONED: str(topic.partitioned).lower()}},
        "spec": {
            "partitions": PARTITIONS if topic.partitioned else 1,
            "replicas": 3,
            "config": {key: _plain(value) for key, value in sorted(topic.config.items())} | {"min.insync.replicas": 2},
        },
    }


def _plain(value: str) -> int | str:
    return int(value) if value.lstrip("-").isdigit() else value


def user_manifest(party: str) -> dict[str, Any]:
    """A user as Strimzi keeps it; the operator makes the password and a secret of the user's name."""
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": "KafkaUser",
        "metadata": {"name": user_name(party), "labels": LABELS},
        "spec": {
            "authentication": {"type": "scram-sha-512"},
            "authorization": {"type": "simple", "acls": [_acl(grant) for grant in grants_of(party)]},
        },
    }


def _acl(grant: Grant) -> dict[str, Any]:
    return {
        "resource": {"type": grant.resource, "name": grant.name, "patternType": grant.pattern},
        "operations": list(grant.operations),
        "host": "*",
    }


def rules_manifest() -> dict[str, Any]:
    """The rule files as one object of Prometheus' operator."""
    texts = [(ROOT / "deploy" / "prometheus" / name).read_text() for name in RULE_FILES]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "nestwork"},
        "spec": {"groups": [group for text in texts for group in yaml.safe_load(text)["groups"]]},
    }


def documents() -> dict[Path, str]:
    """Every derived file with its text."""
    return {
        COMPONENTS / "strimzi" / "topics.yaml": _text([topic_manifest(topic) for topic in ALL_TOPICS]),
        COMPONENTS / "strimzi" / "users.yaml": _text([user_manifest(party) for party in parties()]),
        COMPONENTS / "monitoring" / "rules.yaml": _text([rules_manifest()]),
    }


def _text(manifests: list[dict[str, Any]]) -> str:
    head = "# Made by `make manifests`; do not edit.\n"
    text: str = yaml.safe_dump_all(manifests, sort_keys=False, width=1_000, explicit_start=False)
    return head + text


def main() -> None:
    """Write all of them."""
    for file, text in documents().items():
        file.write_text(text)


if __name__ == "__main__":
    main()
