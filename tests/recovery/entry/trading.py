"""``python -m tests.recovery.entry.trading``: a worker of trading in the release a test wants of it."""

from tests.recovery.release import start

start("trading")
