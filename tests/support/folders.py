"""A folder of its own for each run of pytest as root.

PostgreSQL refuses to run as root and is started as somebody else, who must be able to walk to his data. The next pytest
that starts closes the folder all runs of a user share, and a server that is just being made could not reach its own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

VARIABLE = "PYTEST_DEBUG_TEMPROOT"
OWN_ROOT = pytest.StashKey[Path]()
ALL_PASSED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Choose the folder, unless the caller did."""
    if os.geteuid() == 0 and VARIABLE not in os.environ:
        config.stash[OWN_ROOT] = Path(tempfile.mkdtemp(prefix="nestwork-tests-"))
        os.environ[VARIABLE] = str(config.stash[OWN_ROOT])


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Note how it ended."""
    session.config.stash[ALL_PASSED] = exitstatus == pytest.ExitCode.OK


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder; after a failure it stays, to be looked at."""
    root = config.stash.get(OWN_ROOT, None)
    if root is not None:
        os.environ.pop(VARIABLE, None)
        if config.stash.get(ALL_PASSED, False):
            shutil.rmtree(root, ignore_errors=True)
