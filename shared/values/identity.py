"""Who said what, once: identities of requests, hashes of bodies, ids derived from their cause."""

from __future__ import annotations

import json
import re
from hashlib import blake2b, sha256
from typing import Any

import orjson
import rfc8785

HASH_BYTES = 16
_DIGITS_AND_MARKS = bytes.maketrans(b"123456789.", b"000000000e")
_FLOAT = re.compile(rb"(?:^|[:,\[])-?[0-9]+[.e]")


def identity_of(participant: str, ce_source: str, ce_id: str) -> bytes:
    """Return the 16 bytes that name a request: equal only for the same participant, source and id."""
    return _hash_of_parts((participant, ce_source, ce_id))


def derived_id(*parts: str) -> str:
    """Return an id (a UUID of version 8, RFC 9562) that the same cause always gets again."""
    digest = bytearray(_hash_of_parts(parts))
    digest[6] = 0x80 | digest[6] & 0x0F
    digest[8] = 0x80 | digest[8] & 0x3F
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _hash_of_parts(parts: tuple[str, ...]) -> bytes:
    """Lengths go first: no two lists of parts read the same."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    lengths = " ".join([str(len(part)) for part in encoded])
    return blake2b(b"%b\n%b" % (lengths.encode(), b"".join(encoded)), digest_size=HASH_BYTES).digest()


def body_hash(value: bytes | dict[str, Any]) -> bytes:
    """Return the first 16 bytes of SHA-256 over the canonical JSON of a body (bytes of JSON, or parsed).

    Two spellings of one body (order of keys, blanks, 1 and 1.0) hash alike. Raises ``ValueError`` for bytes that are
    no JSON. Source: RFC 8785; house rule "the body hash".
    """
    return sha256(canonical_json(orjson.loads(value) if isinstance(value, bytes) else value)).digest()[:HASH_BYTES]


def canonical_json(value: Any) -> bytes:
    """Return RFC 8785 bytes of a JSON value.

    Plain ASCII without floats, as nearly all bodies are, needs no more than sorted keys. RFC 8785 leaves integers
    beyond 2**53 undefined; here they keep all their digits, so that different amounts never hash alike.
    """
    try:
        quick = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):
        return _canonical_json_slowly(value)
    if quick.isascii() and not _may_hold_a_float(quick):
        return quick
    return _canonical_json_slowly(value)


def _may_hold_a_float(compact: bytes) -> bool:
    """False when compact JSON surely holds none; a text that looks like a number after a colon counts as one."""
    # Every float has a digit before its point or exponent; one pass over the bytes is cheaper than looking at values.
    return b"0e" in compact.translate(_DIGITS_AND_MARKS) and _FLOAT.search(compact) is not None


def _canonical_json_slowly(value: Any) -> bytes:
    try:
        canonical: bytes = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8", "surrogatepass")
    return canonical
