"""``python -m services.trading``: a worker."""

from services.trading.app import app
from shared.runtime.worker import run

run(app)
