"""Make the strict schemas in tests/support/schemas from what the operators publish.

``python -m tests.support.schema_import CRD.yaml...`` takes custom resource definitions; a folder takes the TypeScript
declarations of CloudNativePG's models (its own definitions are in no package registry). Descriptions are left out, and
every object that lists its properties refuses others: an API server only warns of those, and drops them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).with_name("schemas")
DROPPED = {"description", "x-kubernetes-validations", "default", "format"}
DECLARED = re.compile(r'^ {4}"([\w-]+)"(\??): (\{\n.*?^ {4}\}|.+?);$', re.MULTILINE | re.DOTALL)
ALIAS = re.compile(r"export type I(\w+) = (.+?);", re.DOTALL)
COMMENT = re.compile(r"/\*\*.*?\*/", re.DOTALL)
CLOUD_NATIVE_PG = "IComGithubCloudnativePgCloudnativePgApiV1"
MACHINERY = "IComGithubCloudnativePgMachineryPkgApi"
KINDS = ("Cluster", "Database", "ScheduledBackup")
CORE = "/api/_definitions.json#/$defs/io.k8s."


def strict(schema: Any) -> Any:
    """The schema without prose, with unknown properties refused and int-or-string spelt out."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = {
        key: {name: strict(part) for name, part in value.items()} if key == "properties" else strict(value)
        for key, value in schema.items()
        if key not in DROPPED and (key == "properties" or not key.startswith("x-kubernetes-"))
    }
    if "properties" in made and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


def import_definition(file: Path) -> None:
    """Write one schema per served version of a custom resource definition."""
    definition = yaml.safe_load(file.read_text())["spec"]
    for version in definition["versions"]:
        if version["served"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"$ref": CORE + "apimachinery.pkg.apis.meta.v1.ObjectMeta"}
            write(definition["names"]["kind"], definition["group"], version["name"], schema)


def write(kind: str, group: str, version: str, schema: Any) -> None:
    """Store a schema under the name the validator looks for."""
    text = json.dumps(schema, sort_keys=True, separators=(",", ":"))
    (FOLDER / f"{kind.lower()}-{group}-{version}.json").write_text(text + "\n")


def typed(text: str) -> Any:
    """The schema of a TypeScript type as the declarations use them. Raises ``ValueError`` for any other."""
    text = text.strip()
    if array := re.fullmatch(r"Array<(.+)>", text, re.DOTALL):
        return {"type": "array", "items": typed(array[1])}
    if mapping := re.fullmatch(r"\{\s*\[key: string\]: (.+?);?\s*\}", text, re.DOTALL):
        return {"type": "object", "additionalProperties": typed(mapping[1])}
    if text.startswith('"'):
        return {"enum": [json.loads(part) for part in text.split("|")]}
    if text.startswith(CLOUD_NATIVE_PG):
        return {"$ref": f"#/$defs/{text.removeprefix(CLOUD_NATIVE_PG)}"}
    if text.startswith(("IIoK8s", MACHINERY)):
        return core_reference(text)
    plain = {"string": "string", "number": "number", "boolean": "boolean"}
    return {"type": plain[text]} if text in plain else {}


def core_reference(text: str) -> Any:
    """Kubernetes' own types, by their names in Kubernetes' schemas. Raises ``ValueError`` for an unknown form."""
    if text.startswith(MACHINERY):
        return {"$ref": f"{CORE}api.core.v1.{text.removeprefix(MACHINERY)}"}
    if text.endswith("Quantity"):
        return {"$ref": CORE + "apimachinery.pkg.api.resource.Quantity"}
    if text.endswith("IntOrString"):
        return {"type": ["integer", "string"]}
    found = re.fullmatch(r"IIoK8s(Api|ApimachineryPkgApis)([A-Z][a-z]+)(V\d+(?:beta\d)?)(\w+)", text)
    if found is None:
        raise ValueError(text)
    place = {"Api": "api", "ApimachineryPkgApis": "apimachinery.pkg.apis"}[found[1]]
    return {"$ref": f"{CORE}{place}.{found[2].lower()}.{found[3].lower()}.{found[4]}"}


def declared(text: str) -> Any:
    """The schema of a file that declares one interface or one type."""
    text = COMMENT.sub("", text)
    if alias := ALIAS.search(text):
        return typed(alias[2])
    body = text[text.index("export interface") :].split("\n}", 1)[0]
    members = [member for member in DECLARED.findall(body) if member[0] != "status"]  # Written by the operator.
    found: dict[str, Any] = {
        "type": "object",
        "properties": {name: typed(kind) for name, _, kind in members},
        "additionalProperties": False,
    }
    needed = [name for name, optional, _ in members if not optional]
    return found | ({"required": needed} if needed else {})


def import_declarations(folder: Path) -> None:
    """Write CloudNativePG's kinds, each with the types it uses."""
    files = {file.name.removesuffix(".d.ts"): file for file in folder.glob("*.d.ts")}
    for kind in KINDS:
        schema = declared(files[kind].read_text())
        schema["properties"] = {"apiVersion": {"const": "postgresql.cnpg.io/v1"}, "kind": {"const": kind}} | {
            name: part for name, part in schema["properties"].items() if name not in ("apiVersion", "kind")
        }
        definitions: dict[str, Any] = {}
        waiting = {kind}
        while waiting:
            used = set(re.findall(r'#/\$defs/(\w+)"', json.dumps([schema, definitions])))
            waiting = used - definitions.keys()
            definitions |= {name: declared(files[name].read_text()) for name in waiting}
        write(kind, "postgresql.cnpg.io", "v1", schema | {"$defs": definitions})


if __name__ == "__main__":
    for given in map(Path, sys.argv[1:]):
        import_declarations(given) if given.is_dir() else import_definition(given)
