"""``python -m tests.recovery.entry.valuation``: a worker of valuation in the release a test wants of it."""

from tests.recovery.release import start

start("valuation")
