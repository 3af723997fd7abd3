"""``python -m tests.chaos.entry.trading``: a worker of trading that a test can hurt."""

from tests.chaos.worker import start

start("trading")
