"""``python -m services.allocation``: a worker."""

from services.allocation.app import app
from shared.runtime.worker import run

run(app)
