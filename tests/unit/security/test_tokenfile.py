"""The file of hashed tokens and the command that keeps it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.main import app
from deploy.security.tokenfile import TokenRefused, add_token, read_tokens, revoke_token
from shared.runtime.tokens import Refused, Role, Tokens

runner = CliRunner()


def test_a_token_that_was_added_opens_what_it_was_added_for_and_is_in_no_file(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    token = add_token(file, "auditor", [Role.READER], ["ACME"], days=30)
    caller = Tokens(file).caller(f"Bearer {token}")
    caller.require(Role.READER, "ACME")
    assert (caller.name, caller.every_plan) == ("auditor", False)
    assert token not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_name_is_taken_once_and_freed_by_revoking(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    first = add_token(file, "auditor", [Role.READER], ["*"])
    with pytest.raises(TokenRefused, match="name"):
        add_token(file, "auditor", [Role.READER], ["*"])
    tokens = Tokens(file)
    assert tokens.caller(f"Bearer {first}").every_plan
    revoke_token(file, "auditor")
    with pytest.raises(Refused):
        tokens.caller(f"Bearer {first}")
    with pytest.raises(TokenRefused, match="nobody"):
        revoke_token(file, "auditor")
    assert add_token(file, "auditor", [Role.READER], ["*"]) != first


def test_a_broken_file_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text("{}")
    with pytest.raises(TokenRefused, match="tokens"):
        add_token(file, "auditor", [Role.READER], ["*"])
    assert file.read_text() == "{}"


def test_the_command_shows_a_token_once_and_lists_without_it(tmp_path: Path) -> None:
    where = ["--file", str(tmp_path / "tokens.json"), "--json"]
    added = runner.invoke(app, ["token", "add", "acme", "--role", "reader", "--plan", "ACME", *where])
    assert added.exit_code == 0, added.output
    token = json.loads(added.stdout)["token"]
    listed = runner.invoke(app, ["token", "ls", *where])
    assert json.loads(listed.stdout)["tokens"] == [
        {"name": "acme", "roles": ["reader"], "plans": ["ACME"], "expires": None}
    ]
    assert token not in listed.stdout
    assert runner.invoke(app, ["token", "revoke", "acme", *where]).exit_code == 0
    assert runner.invoke(app, ["token", "revoke", "acme", *where]).exit_code == 1
    assert read_tokens(tmp_path / "tokens.json") == ()
