"""``python -m tests.recovery.entry.allocation``: a worker of allocation in the release a test wants of it."""

from tests.recovery.release import start

start("allocation")
