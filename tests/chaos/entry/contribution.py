"""``python -m tests.chaos.entry.contribution``: a worker of contribution that a test can hurt."""

from tests.chaos.worker import start

start("contribution")
