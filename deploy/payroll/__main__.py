"""``python -m deploy.payroll``: the intake process for payroll files over HTTP."""

from __future__ import annotations

import sys

from aiohttp import web

from deploy.payroll.intake import Intake, IntakeSettings
from deploy.payroll.web import intake_app
from shared.runtime.logs import configure_logs
from shared.runtime.settings import Settings
from shared.runtime.tokens import Tokens


def serve(config: Settings, own: IntakeSettings) -> None:
    """Serve until a signal ends it. Raises ``ValueError`` without a token file: uploads are never anonymous."""
    if config.tokens_file is None:
        raise ValueError("NESTWORK_TOKENS_FILE must name the file of hashed tokens; `nestwork token add` adds one")
    app = intake_app(Intake(config, own), Tokens(config.tokens_file))
    web.run_app(app, host=config.web_host, port=config.web_port, access_log=None, print=None)


if __name__ == "__main__":
    configure_logs("payroll", Settings().log_level)
    try:
        serve(Settings(), IntakeSettings())
    except ValueError as problem:
        sys.exit(str(problem))
