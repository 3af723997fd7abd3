"""Which worlds are explored: the small ones always, the large ones when ``MODEL_WORLDS=all`` asks for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without the wish, leave out what takes minutes."""
    if os.environ.get("MODEL_WORLDS") == "all":
        return
    large = [item for item in items if HERE in item.path.parents and item.get_closest_marker("model_large")]
    if large:
        config.hook.pytest_deselected(items=large)
        items[:] = [item for item in items if item not in large]
