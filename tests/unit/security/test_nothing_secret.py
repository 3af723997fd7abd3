"""No secret is in the repository: no private key, no token, no password that works anywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.runtime.tokens import TOKEN_PREFIX, new_token
from tests.unit.test_tidy import tracked_files

ROOT = Path(__file__).parents[3]
SECRETS = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*\n"),
    "a token of ours": re.compile(rf"\b{TOKEN_PREFIX}[\w-]{{43}}\b"),
    "a password in an address": re.compile(
        r"\b(?:postgresql|postgres|https?|amqp|redis)://[^\s/:@{}<$\"']+:[^\s/@{}<$\"'…]+@"
    ),
    "a password in a setting": re.compile(
        r"^\s*[\"']?\w*(?:PASSWORD|SECRET|TOKEN|MARKER_KEY)[\"']?\s*[:=]\s*[\"']?[A-Za-z0-9+/_-]{12,}[\"']?\s*$",
        re.MULTILINE,
    ),
    "a cloud's access key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
}
LOCKS = {"requirements.lock", "requirements-dev.lock"}


def found_in(text: str) -> list[str]:
    return [what for what, pattern in SECRETS.items() if pattern.search(text)]


def test_no_file_holds_one() -> None:
    files = [file for file in tracked_files("") if file.is_file() and file.name not in LOCKS]
    assert len(files) > 300
    told = {}
    for file in files:
        if file == Path(__file__):
            continue
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue  # Pictures.
        if secrets := found_in(text):
            told[str(file.relative_to(ROOT))] = secrets
    assert told == {}


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ",
        f"token: {new_token()}",
        "DATABASE_URL: postgresql://postgres:nestwork@postgres:5432/postgres",
        "POSTGRES_PASSWORD: correct-horse-battery",
        "  NESTWORK_MARKER_KEY: 6e657374776f726b2d6578616d706c652d6b6579",
        "key = AKIA" + "ABCDEFGHIJKLMNOP",
    ],
)
def test_each_kind_would_be_noticed(text: str) -> None:
    assert found_in(text)
