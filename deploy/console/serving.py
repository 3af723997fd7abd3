"""Starting the console: what is configured, and when it refuses to start."""

from __future__ import annotations

from aiohttp import web
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.console.actions import Actions
from deploy.console.sessions import Sessions
from deploy.console.web import console_app
from shared.runtime.settings import Settings
from shared.runtime.tokens import Tokens
from shared.runtime.worker import is_loopback

TWO_PERSON_CENTS = 100_000_00


class ConsoleSettings(BaseSettings):
    """What only the console reads from the environment."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    alone_cents: int = Field(TWO_PERSON_CENTS, alias="NESTWORK_TWO_PERSON_CENTS", ge=0)
    """The most cents at stake that one operator may move by himself."""
    workers: str = Field("", alias="NESTWORK_CONSOLE_WORKERS")
    """Base addresses of workers whose own pages the overview asks, with commas between."""

    def addresses(self) -> list[str]:
        """The workers as a list."""
        return [one.strip().rstrip("/") for one in self.workers.split(",") if one.strip()]


def build(config: Settings, own: ConsoleSettings) -> web.Application:
    """The application. Raises ``ValueError`` when it would be open to more than this machine."""
    if config.tokens_file is None and not is_loopback(config.web_host):
        raise ValueError("NESTWORK_TOKENS_FILE must be set: this console would listen beyond loopback")
    tokens = Tokens(config.tokens_file) if config.tokens_file is not None else None
    actions = Actions(config, own.alone_cents, knows_people=tokens is not None)
    return console_app(
        config, Sessions(tokens), actions, own.addresses(), secure_cookie=not is_loopback(config.web_host)
    )


def serve(config: Settings, own: ConsoleSettings) -> None:
    """Serve until a signal ends it. Raises ``ValueError`` as ``build`` does."""
    web.run_app(build(config, own), host=config.web_host, port=config.web_port, access_log=None, print=None)
