"""A worker of the real engine whose named points and guards were exchanged through the frame's own wiring."""

from __future__ import annotations

import os
from importlib import import_module

from shared.runtime import plane
from shared.runtime.worker import run, worker_app
from tests.support.chaos_guards import FOLDER_VARIABLE, POLL_RECORDS_VARIABLE, guards_from

STATIC_VARIABLE = "NESTWORK_TEST_STATIC"


def start(service: str) -> None:
    """Run a worker of ``service`` with the points and guards that the environment asks for."""
    if os.environ.get(STATIC_VARIABLE):
        os.environ["NESTWORK_GROUP_INSTANCE_ID"] = os.environ["NESTWORK_WORKER"]
    definition = import_module(f"services.{service}.app").SERVICE
    pages = import_module(f"services.{service}.pages").PAGES
    # Small polls leave records in the buffers, so that a fault meets a worker in the middle of its work.
    plane.RECORDS_PER_POLL = int(os.environ.get(POLL_RECORDS_VARIABLE, plane.RECORDS_PER_POLL))
    guards = guards_from(service, os.environ) if FOLDER_VARIABLE in os.environ else None
    run(worker_app(definition, pages, guards=guards))
