"""``python -m services.valuation``: a worker."""

from services.valuation.app import app
from shared.runtime.worker import run

run(app)
