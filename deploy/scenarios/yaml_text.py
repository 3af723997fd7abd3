"""Read YAML strictly: a key given twice is an error, and only `true` and `false` are booleans.

YAML 1.1 turns `on`, `no` and `y` into booleans, which would silently rename a participant called `N`.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml


class StrictLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML ships no types.
    """PyYAML's safe loader with the two surprises of YAML 1.1 taken out."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the base class declares it as a plain attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping and refuse a key that stands in it twice."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key != "<<" and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return dict(super().construct_mapping(node, deep))


StrictLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def load_yaml(text: str) -> object:
    """Parse one YAML document. Raises ``yaml.YAMLError`` with line and column."""
    return yaml.load(text, Loader=StrictLoader)
