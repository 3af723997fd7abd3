"""The custodian's own switches; addresses and secrets come from the settings all programs share."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.custodian.answers import Action
from deploy.custodian.behaviour import Behaviour, millionths, read_actions


class CustodianSettings(BaseSettings):
    """Read from the environment once."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    database: str = Field("nestwork_custodian", alias="NESTWORK_CUSTODIAN_DATABASE")
    actions: Path | None = Field(None, alias="NESTWORK_CUSTODIAN_ACTIONS")
    seed: int = Field(0, alias="NESTWORK_CUSTODIAN_SEED")
    rate_reject: Decimal = Field(Decimal(0), alias="NESTWORK_CUSTODIAN_RATE_REJECT")
    rate_late: Decimal = Field(Decimal(0), alias="NESTWORK_CUSTODIAN_RATE_LATE")
    rate_duplicate: Decimal = Field(Decimal(0), alias="NESTWORK_CUSTODIAN_RATE_DUPLICATE")
    rate_misprice: Decimal = Field(Decimal(0), alias="NESTWORK_CUSTODIAN_RATE_MISPRICE")
    rate_wrong_shares: Decimal = Field(Decimal(0), alias="NESTWORK_CUSTODIAN_RATE_WRONG_SHARES")

    def behaviour(self) -> Behaviour:
        """What this custodian will do. Raises ``ValueError`` for rates that do not fit together."""
        rates: list[tuple[Action, Decimal]] = [
            ("reject", self.rate_reject),
            ("late", self.rate_late),
            ("duplicate", self.rate_duplicate),
            ("misprice", self.rate_misprice),
            ("wrong_shares", self.rate_wrong_shares),
        ]
        millionths(sum((rate for _, rate in rates), Decimal(0)))
        drawn = tuple((action, millionths(rate)) for action, rate in rates if rate)
        return Behaviour(read_actions(self.actions), self.seed, drawn)
