"""``python -m tests.recovery.entry.contribution``: a worker of contribution in the release a test wants of it."""

from tests.recovery.release import start

start("contribution")
