"""Who calls a page: bearer tokens from a file of hashes, each with roles and the plans it may touch.

The file (``NESTWORK_TOKENS_FILE``) is JSON: ``{"tokens": [{"name", "hash", "roles", "plans", "expires"?}]}``. ``hash``
is ``sha256:`` and the hexadecimal digest of the token; a token has 256 random bits, so one round of SHA-256 is enough
and a stolen file gives no access. ``plans`` names plan ids, or ``*`` alone for all. The file is read again when it
changes, so a token is revoked by removing its entry. A file that cannot be read lets nobody in.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from shared.runtime.errors import NestworkError

ALL_PLANS = "*"
TOKEN_PREFIX = "nwt_"  # So that scanners for leaked secrets know one of ours.
TOKEN_CHARACTERS_MAX = 256
FILE_BYTES_MAX = 4 * 1024 * 1024

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
Hash = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
PlanId = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Role(StrEnum):
    """What a token may do; an operator may read as well."""

    READER = "reader"
    PAYROLL = "payroll"
    OPERATOR = "operator"


IMPLIED = {Role.OPERATOR: frozenset({Role.OPERATOR, Role.READER})}


class Refused(NestworkError):
    """A request without the right to be answered; carries what the problem document says."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


class TokenEntry(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    """Who holds it; written into logs and audit rows."""
    hash: Hash
    roles: frozenset[Role] = Field(min_length=1)
    plans: frozenset[PlanId] = Field(min_length=1)
    expires: AwareDatetime | None = None

    @model_validator(mode="after")
    def _all_or_some(self) -> Self:
        if ALL_PLANS in self.plans and len(self.plans) > 1:
            raise ValueError("plans: either * alone or plan ids")
        return self


class TokenFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: tuple[TokenEntry, ...]

    @model_validator(mode="after")
    def _unique(self) -> Self:
        for what, seen in (("name", [e.name for e in self.tokens]), ("hash", [e.hash for e in self.tokens])):
            if len(set(seen)) != len(seen):
                raise ValueError(f"every token needs a {what} of its own")
        return self


class Caller:
    """Who asks, and what he may touch."""

    __slots__ = ("every_plan", "name", "plans", "roles")

    def __init__(self, name: str, roles: Iterable[Role], plans: Iterable[str]) -> None:
        self.name = name
        self.roles = frozenset().union(*(IMPLIED.get(role, {role}) for role in roles))
        self.plans = frozenset(plans)
        self.every_plan = ALL_PLANS in self.plans

    def sees(self, plan_id: str) -> bool:
        """Whether this plan is in the token's scope."""
        return self.every_plan or plan_id in self.plans

    def require(self, role: Role, plan_id: str | None = None) -> None:
        """Raise ``Refused`` (403) unless the caller has the role, for the plan when one is named."""
        if role not in self.roles:
            raise Refused(403, "role_missing", f"This token does not have the role {role.value}.")
        if plan_id is not None and not self.sees(plan_id):
            raise Refused(403, "plan_out_of_scope", "This token is not for that plan.")

    def require_every_plan(self) -> None:
        """Raise ``Refused`` (403) unless the token is for all plans: the answer shows several of them together."""
        if not self.every_plan:
            raise Refused(403, "plan_out_of_scope", "This answer spans plans; the token is for some only.")


ANYBODY = Caller("anybody", Role, (ALL_PLANS,))
"""The caller where no token file is configured: the embedded mode, which listens on loopback only."""


class Tokens:
    """The file's content, as it is now."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._stamp: tuple[int, int, int] | None = None
        self._entries: tuple[TokenEntry, ...] = ()

    def caller(self, authorization: str | None, *, now: datetime | None = None) -> Caller:
        """The holder of the token in an ``Authorization`` header.

        Raises ``Refused``: 401 without a valid token, 503 when the file cannot be read.
        """
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        entries = self._current()
        if scheme.lower() != "bearer" or not token or len(token) > TOKEN_CHARACTERS_MAX:
            raise Refused(401, "token_missing", "Send a token: `Authorization: Bearer TOKEN`.")
        digest = token_hash(token)
        # Every entry is compared, each in constant time, so that the time of an answer tells nothing of the file.
        found = [entry for entry in entries if hmac.compare_digest(entry.hash, digest)]
        if not found:
            raise Refused(401, "token_unknown", "This token is not known.")
        if found[0].expires is not None and found[0].expires <= (now or datetime.now(UTC)):
            raise Refused(401, "token_expired", "This token has expired.")
        return Caller(found[0].name, found[0].roles, found[0].plans)

    def _current(self) -> tuple[TokenEntry, ...]:
        try:
            with self.file.open("rb") as opened:
                found = os.fstat(opened.fileno())
                stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
                if stamp != self._stamp:
                    self._entries = TokenFile.model_validate_json(opened.read(FILE_BYTES_MAX)).tokens
                    self._stamp = stamp
        except (OSError, ValidationError) as failure:
            self._stamp = None
            raise Refused(503, "tokens_unreadable", "The token file cannot be read; nobody is let in.") from failure
        return self._entries


def token_hash(token: str) -> str:
    """What the file keeps of a token."""
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


def new_token() -> str:
    """A fresh token of 256 random bits; shown once, never stored."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def caller_of(tokens: Tokens | None, authorization: str | None) -> Caller:
    """The caller of a request; everybody where no token file is configured."""
    return ANYBODY if tokens is None else tokens.caller(authorization)


PageFunction = TypeVar("PageFunction", bound=Callable[..., Any])
CALLER_KEY = "nestwork.caller"
"""Where a request keeps its caller for the page."""


def leaves_out_other_plans(page: PageFunction) -> PageFunction:
    """Mark a page that shows only plans its caller sees; other pages without a plan in their path need all plans."""
    page.leaves_out_other_plans = True  # type: ignore[attr-defined]
    return page


def caller_in(request: Any) -> Caller:
    """The caller that the frame found for this request."""
    caller: Caller = request[CALLER_KEY]
    return caller
