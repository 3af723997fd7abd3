"""``python -m services.contribution``: a worker."""

from services.contribution.app import app
from shared.runtime.worker import run

run(app)
