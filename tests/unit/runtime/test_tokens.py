"""Tokens: who is let in, what he may touch, and that every doubt keeps him out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.runtime.tokens import ANYBODY, Refused, Role, Tokens, caller_of, new_token, token_hash
from shared.runtime.worker import is_loopback

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def entry(token: str, name: str = "acme", **changed: Any) -> dict[str, Any]:
    return {"name": name, "hash": token_hash(token), "roles": ["reader"], "plans": ["ACME"]} | changed


def write(file: Path, *entries: dict[str, Any]) -> Tokens:
    file.write_text(json.dumps({"tokens": entries}))
    return Tokens(file)


def refusal(tokens: Tokens, header: str | None) -> tuple[int, str]:
    with pytest.raises(Refused) as caught:
        tokens.caller(header, now=NOW)
    return caught.value.status, caught.value.code


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def test_a_known_token_names_its_holder_roles_and_plans(file: Path) -> None:
    token = new_token()
    caller = write(file, entry(new_token(), "other"), entry(token)).caller(f"Bearer {token}", now=NOW)
    assert (caller.name, caller.roles, caller.plans) == ("acme", {Role.READER}, {"ACME"})
    caller.require(Role.READER, "ACME")


def test_the_scheme_is_read_in_any_case_and_nothing_else_is_a_token(file: Path) -> None:
    token = new_token()
    tokens = write(file, entry(token))
    assert tokens.caller(f"bearer {token}", now=NOW).name == "acme"
    for header in (None, "", token, "Bearer", "Bearer ", f"Basic {token}", "Bearer " + "x" * 300):
        assert refusal(tokens, header) == (401, "token_missing")


def test_an_unknown_token_and_the_hash_itself_open_nothing(file: Path) -> None:
    token = new_token()
    tokens = write(file, entry(token))
    for wrong in (new_token(), token_hash(token), token[:-1], token + "a", token.upper()):
        assert refusal(tokens, f"Bearer {wrong}") == (401, "token_unknown")


def test_a_token_ends_at_its_instant(file: Path) -> None:
    token = new_token()
    assert refusal(write(file, entry(token, expires="2026-11-20T12:00:00Z")), f"Bearer {token}") == (
        401,
        "token_expired",
    )
    assert write(file, entry(token, expires="2026-11-20T12:00:01Z")).caller(f"Bearer {token}", now=NOW)


def test_roles_and_plans_are_kept_apart(file: Path) -> None:
    token = new_token()
    caller = write(file, entry(token, roles=["payroll"], plans=["ACME", "BOLT"])).caller(f"Bearer {token}", now=NOW)
    caller.require(Role.PAYROLL, "BOLT")
    for role, plan in ((Role.READER, "ACME"), (Role.OPERATOR, "ACME"), (Role.PAYROLL, "CORP"), (Role.PAYROLL, "*")):
        with pytest.raises(Refused) as caught:
            caller.require(role, plan)
        assert caught.value.status == 403
    with pytest.raises(Refused):
        caller.require_every_plan()


def test_an_operator_may_read_and_a_reader_may_not_operate(file: Path) -> None:
    token = new_token()
    operator = write(file, entry(token, roles=["operator"], plans=["*"])).caller(f"Bearer {token}", now=NOW)
    operator.require(Role.READER, "ACME")
    operator.require_every_plan()
    with pytest.raises(Refused):
        operator.require(Role.PAYROLL)


def test_a_removed_entry_is_out_at_once(file: Path) -> None:
    token = new_token()
    tokens = write(file, entry(token), entry(new_token(), "other"))
    assert tokens.caller(f"Bearer {token}", now=NOW)
    write(file, entry(new_token(), "other"))
    assert refusal(tokens, f"Bearer {token}") == (401, "token_unknown")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"tokens": [{"name": "a"}]}',
        '{"tokens": [], "token": []}',
        json.dumps({"tokens": [entry("t", roles=["admin"])]}),
        json.dumps({"tokens": [entry("t", roles=[])]}),
        json.dumps({"tokens": [entry("t", plans=[])]}),
        json.dumps({"tokens": [entry("t", plans=["*", "ACME"])]}),
        json.dumps({"tokens": [entry("t", hash="t")]}),
        json.dumps({"tokens": [entry("t", name="a\nb")]}),
        json.dumps({"tokens": [entry("t"), entry("t", "twin")]}),
        json.dumps({"tokens": [entry("t"), entry("u")]}),
        json.dumps({"tokens": [entry("t", expires="2026-11-20T12:00:00")]}),
    ],
)
def test_a_file_in_doubt_lets_nobody_in_who_was_in_before(file: Path, text: str) -> None:
    token = new_token()
    tokens = write(file, entry(token))
    assert tokens.caller(f"Bearer {token}", now=NOW)
    file.write_text(text)
    assert refusal(tokens, f"Bearer {token}") == (503, "tokens_unreadable")


def test_a_missing_file_lets_nobody_in(file: Path) -> None:
    assert refusal(Tokens(file), f"Bearer {new_token()}") == (503, "tokens_unreadable")


def test_without_a_file_everybody_is_let_in_because_only_loopback_listens() -> None:
    assert caller_of(None, None) is ANYBODY
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "127.9.9.9")] == [True] * 4
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "", "nestwork.example")] == [False] * 5
