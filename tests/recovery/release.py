"""A worker that starts in an older release as long as a file of its name says so: a rolling upgrade, one by one."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

from shared.runtime.worker import run, worker_app

FOLDER_VARIABLE = "NESTWORK_TEST_RELEASES"
OLD_RULE_SET = "2025.9"
PACKING = "lines-per-record"
"""A file of this name says how many lines the workers put into a record of an internal log."""
PACKERS = ("services.contribution.closing", "services.allocation.handlers", "services.allocation.reversing")


def start(service: str) -> None:
    """Run a worker of ``service``: from another tree, with another rule set, or as it is."""
    wish = Path(os.environ[FOLDER_VARIABLE], os.environ["NESTWORK_WORKER"])
    if not wish.exists():
        _run(service)
    elif tree := wish.read_text():
        environment = os.environ | {"PYTHONPATH": tree}
        os.chdir(tree)
        os.execve(sys.executable, [sys.executable, "-m", f"services.{service}"], environment)
    else:
        handlers = import_module(f"services.{service}.handlers")
        if hasattr(handlers, "RULE_SET"):
            handlers.RULE_SET = OLD_RULE_SET  # type: ignore[attr-defined]
        _run(service)


def _run(service: str) -> None:
    if (packing := Path(os.environ[FOLDER_VARIABLE], PACKING)).exists():
        for module in PACKERS:
            import_module(module).LINES_PER_RECORD = int(packing.read_text())  # type: ignore[attr-defined]
    definition = import_module(f"services.{service}.app").SERVICE
    run(worker_app(definition, import_module(f"services.{service}.pages").PAGES))
