"""Add a token that may send payroll files to the file of hashed tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deploy.security.tokenfile import TokenRefused, add_token
from shared.runtime.tokens import Role


def add_payroll_token(file: Path, name: str, plans: Sequence[str]) -> str:
    """Add it for these plans, and return it: it is stored nowhere. Raises ``TokenRefused``, ``OSError``."""
    return add_token(file, name, [Role.PAYROLL], plans)


__all__ = ["TokenRefused", "add_payroll_token"]
