"""Add a token to the file of hashed tokens."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from shared.runtime.errors import NestworkError
from shared.runtime.tokens import Role, TokenEntry, TokenFile, new_token, token_hash


class TokenRefused(NestworkError):
    """The token cannot be added; the text says why."""


def add_payroll_token(file: Path, name: str, plans: Sequence[str]) -> str:
    """Add a token that may send payroll files for these plans, and return it: it is stored nowhere.

    Raises ``TokenRefused``, ``OSError``.
    """
    token = new_token()
    try:
        known = TokenFile.model_validate_json(file.read_bytes()).tokens if file.exists() else ()
        entry = TokenEntry(name=name, hash=token_hash(token), roles=frozenset({Role.PAYROLL}), plans=frozenset(plans))
        document = TokenFile(tokens=(*known, entry))
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise TokenRefused(f"{place}: {first['msg']}" if place else first["msg"]) from None
    file.parent.mkdir(parents=True, exist_ok=True)
    arriving = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(document.model_dump_json(indent=1, exclude_none=True))
    arriving.replace(file)
    return token
