"""``python -m deploy.console``: the console process."""

from __future__ import annotations

import sys

from deploy.console.serving import ConsoleSettings, serve
from shared.runtime.logs import configure_logs
from shared.runtime.settings import Settings

if __name__ == "__main__":
    configure_logs("console", Settings().log_level)
    try:
        serve(Settings(), ConsoleSettings())
    except ValueError as problem:
        sys.exit(str(problem))
