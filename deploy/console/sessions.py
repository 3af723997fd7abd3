"""Who sits at the browser: a token is shown once at sign-in, a cookie stands for it afterwards.

Sessions live in memory: when the console starts again everybody signs in again. The token is asked for again at each
request, so that a revoked or expired one ends its sessions at once.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.runtime.tokens import ANYBODY, Caller, Refused, Role, Tokens

IDLE_SECONDS = 30 * 60
LIFE_SECONDS = 12 * 60 * 60
SESSIONS_MAX = 1_000


@dataclass(slots=True)
class Session:
    """One browser. ``csrf`` is what its forms must bring back."""

    authorization: str | None
    began: float
    used: float
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    def brought_back(self, text: str) -> bool:
        """Whether a form came from one of our pages in this browser."""
        return hmac.compare_digest(self.csrf.encode(), text.encode())


class Sessions:
    """All browsers that are signed in. Without ``tokens`` everybody is (the embedded mode, on loopback only)."""

    def __init__(self, tokens: Tokens | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.tokens, self._clock = tokens, clock
        self._by_key: dict[str, Session] = {}

    def sign_in(self, token: str) -> str:
        """The cookie of a new session. Raises ``Refused`` for a token that may not read every plan."""
        authorization = None if self.tokens is None else f"Bearer {token.strip()}"
        self._caller(authorization)
        return self._open(authorization)

    def anonymous(self) -> str:
        """The cookie of a session without a token. Raises ``Refused`` where tokens are asked for."""
        self._caller(None)
        return self._open(None)

    def find(self, key: str | None) -> tuple[Session, Caller] | None:
        """The session of a cookie and who it is now, or ``None``. Raises ``Refused`` when the tokens can't be read."""
        session = self._by_key.get(key or "")
        now = self._clock()
        if key is None or session is None:
            return None
        if now - session.used > IDLE_SECONDS or now - session.began > LIFE_SECONDS:
            self.sign_out(key)
            return None
        try:
            caller = self._caller(session.authorization)
        except Refused as refused:
            if refused.status == 503:
                raise
            self.sign_out(key)
            return None
        session.used = now
        return session, caller

    def sign_out(self, key: str | None) -> None:
        """Forget a browser."""
        self._by_key.pop(key or "", None)

    def _caller(self, authorization: str | None) -> Caller:
        caller = ANYBODY if self.tokens is None else self.tokens.caller(authorization)
        caller.require(Role.READER)
        caller.require_every_plan()  # Each page shows all plans together.
        return caller

    def _open(self, authorization: str | None) -> str:
        if len(self._by_key) >= SESSIONS_MAX:
            self.sign_out(min(self._by_key, key=lambda key: self._by_key[key].used))
        key, now = secrets.token_urlsafe(32), self._clock()
        self._by_key[key] = Session(authorization, now, now)
        return key
