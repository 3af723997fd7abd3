"""The file of hashed tokens: add one, list them, take one away. The token itself is shown once and stored nowhere."""

from __future__ import annotations

import os
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from shared.runtime.errors import NestworkError
from shared.runtime.tokens import Role, TokenEntry, TokenFile, new_token, token_hash


class TokenRefused(NestworkError):
    """The token cannot be added or taken away; the text says why."""


def read_tokens(file: Path) -> tuple[TokenEntry, ...]:
    """The entries of a file, none when there is no file yet. Raises ``TokenRefused``, ``OSError``."""
    if not file.exists():
        return ()
    try:
        return TokenFile.model_validate_json(file.read_bytes()).tokens
    except ValidationError as invalid:
        raise TokenRefused(_said(invalid)) from None


def add_token(
    file: Path, name: str, roles: Collection[Role], plans: Collection[str], *, days: int | None = None
) -> str:
    """Add a token and return it. ``days``: how long it is good for. Raises ``TokenRefused``, ``OSError``."""
    token = new_token()
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days) if days is not None else None
    try:
        entry = TokenEntry(
            name=name, hash=token_hash(token), roles=frozenset(roles), plans=frozenset(plans), expires=expires
        )
        document = TokenFile(tokens=(*read_tokens(file), entry))
    except ValidationError as invalid:
        raise TokenRefused(_said(invalid)) from None
    _write(file, document)
    return token


def revoke_token(file: Path, name: str) -> None:
    """Take a holder's token away; workers notice at their next request. Raises ``TokenRefused``, ``OSError``."""
    known = read_tokens(file)
    left = tuple(entry for entry in known if entry.name != name)
    if len(left) == len(known):
        raise TokenRefused(f"nobody named {name} has a token here")
    _write(file, TokenFile(tokens=left))


def _said(invalid: ValidationError) -> str:
    first = invalid.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else str(first["msg"])


def _write(file: Path, document: TokenFile) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    arriving = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        opened.write(document.model_dump_json(indent=1, exclude_none=True))
    arriving.replace(file)
