"""Strict validation of Kubernetes manifests without a cluster: real schemas of every kind, unknown keys refused.

Core kinds come from the package kubernetes-validate, the operators' from tests/support/schemas (see there).
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

KUBERNETES = "v1.37.0-local-strict"
SCHEMAS = Path(__file__).with_name("schemas")
DEFINITIONS = "/api/_definitions.json"
"""As the schemas call the file of Kubernetes' own types."""


class UnknownKind(LookupError):
    """There is no schema for this kind, so nothing can be said of the manifest."""


def read_manifests(file: Path) -> list[dict[str, Any]]:
    """Every document of a file; a key that is named twice is an error."""
    return [document for document in yaml.load_all(file.read_text(), OneKeyLoader) if document is not None]


class OneKeyLoader(yaml.SafeLoader):
    """PyYAML takes the last of two equal keys in silence."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """A mapping, each key once."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"named twice: {sorted(twice)}", node.start_mark)
        return super().construct_mapping(node, deep)


@functools.cache
def _kubernetes() -> Path:
    return Path(str(importlib.resources.files("kubernetes_validate"))) / "kubernetes-json-schema" / KUBERNETES


@functools.cache
def _registry() -> Registry[Any]:
    definitions = json.loads((_kubernetes() / Path(DEFINITIONS).name).read_text())
    resource = Resource.from_contents(definitions, default_specification=DRAFT202012)
    return Registry().with_resource(DEFINITIONS, resource)


@functools.cache
def validator(api_version: str, kind: str) -> jsonschema.Draft202012Validator:
    """The validator of one kind. Raises ``UnknownKind``."""
    group, _, version = api_version.rpartition("/")
    own = SCHEMAS / f"{kind.lower()}-{group}-{version}.json"
    # The package leaves out the domain of a group: networking.k8s.io/v1 is networking-v1.
    core = _kubernetes() / f"{kind.lower()}-{group.partition('.')[0]}{'-' if group else ''}{version}.json"
    for file in (own, core):
        if file.exists():
            schema = json.loads(file.read_text())
            schema.pop("$id", None)  # References are to the one file of definitions, by its name.
            return jsonschema.Draft202012Validator(schema, registry=_registry())
    raise UnknownKind(f"{api_version} {kind}")


def problems(manifest: dict[str, Any]) -> list[str]:
    """What is wrong with a manifest, each with its place. Raises ``UnknownKind``."""
    found = validator(manifest["apiVersion"], manifest["kind"]).iter_errors(manifest)
    name = f"{manifest['kind']}/{manifest['metadata'].get('name')}"
    return [f"{name}{error.json_path.removeprefix('$')}: {error.message[:200]}" for error in found]
