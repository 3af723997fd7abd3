"""``python -m tests.chaos.entry.allocation``: a worker of allocation that a test can hurt."""

from tests.chaos.worker import start

start("allocation")
