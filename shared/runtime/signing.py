"""Cut markers are signed: nobody outside the engine can end a business day."""

from __future__ import annotations

import hashlib
import hmac

SIGNATURE_HEADER = "nestwork_signature"


def sign_marker(secret: bytes, ce_type: str, trade_date: str, topic: str, partition: int) -> bytes:
    """Hex HMAC-SHA-256 over what the marker says and where it stands, so that it can't be copied elsewhere."""
    text = f"{ce_type}\n{trade_date}\n{topic}\n{partition}".encode()
    return hmac.new(secret, text, hashlib.sha256).hexdigest().encode()


def is_signed(secret: bytes, signature: bytes, ce_type: str, trade_date: str, topic: str, partition: int) -> bool:
    """True when ``signature`` is the engine's own for this marker in this place."""
    return hmac.compare_digest(signature, sign_marker(secret, ce_type, trade_date, topic, partition))
