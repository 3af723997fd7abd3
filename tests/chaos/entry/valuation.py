"""``python -m tests.chaos.entry.valuation``: a worker of valuation that a test can hurt."""

from tests.chaos.worker import start

start("valuation")
