"""Browser sessions: who gets one, how long it lasts, and that a lost right ends it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.console.sessions import IDLE_SECONDS, LIFE_SECONDS, SESSIONS_MAX, Sessions
from shared.runtime.tokens import Refused, Role, Tokens, token_hash

TOKEN = "nwt_reader"


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def write(file: Path, *, roles: tuple[str, ...] = ("reader",), plans: tuple[str, ...] = ("*",)) -> Tokens:
    entry = {"name": "rita", "hash": token_hash(TOKEN), "roles": list(roles), "plans": list(plans)}
    file.write_text(json.dumps({"tokens": [entry]}))
    return Tokens(file)


def test_a_token_is_shown_once_and_the_cookie_stands_for_it(file: Path, clock: Clock) -> None:
    sessions = Sessions(write(file), clock)
    found = sessions.find(sessions.sign_in(f" {TOKEN}\n"))
    assert found is not None
    assert found[1].name == "rita"
    assert Role.OPERATOR not in found[1].roles
    assert sessions.find("another cookie") is None
    assert sessions.find(None) is None


@pytest.mark.parametrize(
    ("roles", "plans", "token", "status"),
    [(("reader",), ("*",), "nwt_other", 401), (("payroll",), ("*",), TOKEN, 403),
     (("operator",), ("ACME",), TOKEN, 403)],
    ids=["unknown", "may not read", "for one plan only"],
)  # fmt: skip
def test_who_may_not_read_every_plan_does_not_come_in(
    file: Path, roles: tuple[str, ...], plans: tuple[str, ...], token: str, status: int
) -> None:
    with pytest.raises(Refused) as caught:
        Sessions(write(file, roles=roles, plans=plans)).sign_in(token)
    assert caught.value.status == status


def test_a_session_ends_when_nobody_uses_it_or_when_it_is_old(file: Path, clock: Clock) -> None:
    sessions = Sessions(write(file), clock)
    idle = sessions.sign_in(TOKEN)
    clock.now += IDLE_SECONDS + 1
    assert sessions.find(idle) is None
    used = sessions.sign_in(TOKEN)
    began = clock.now
    while clock.now - began <= LIFE_SECONDS - IDLE_SECONDS:
        clock.now += IDLE_SECONDS - 1
        assert sessions.find(used) is not None
    clock.now = began + LIFE_SECONDS + 1
    assert sessions.find(used) is None


def test_a_revoked_token_ends_its_sessions_and_an_unreadable_file_lets_nobody_in(file: Path) -> None:
    sessions = Sessions(write(file))
    key = sessions.sign_in(TOKEN)
    file.write_text("{")
    with pytest.raises(Refused) as caught:
        sessions.find(key)
    assert caught.value.status == 503
    write(file)
    assert sessions.find(key) is not None
    file.write_text('{"tokens": []}')
    assert sessions.find(key) is None
    write(file)
    assert sessions.find(key) is None


def test_a_role_that_is_taken_away_is_gone_at_the_next_click(file: Path) -> None:
    sessions = Sessions(write(file, roles=("operator",)))
    key = sessions.sign_in(TOKEN)
    write(file, roles=("reader",))
    found = sessions.find(key)
    assert found is not None
    assert Role.OPERATOR not in found[1].roles


def test_a_form_is_believed_only_with_its_own_session_s_word(file: Path) -> None:
    sessions = Sessions(write(file))
    (one, _), (other, _) = (sessions.find(sessions.sign_in(TOKEN)) or pytest.fail("no session") for _ in range(2))
    assert one.brought_back(one.csrf)
    assert not one.brought_back(other.csrf)
    assert not one.brought_back("")
    assert not one.brought_back("ü")


def test_the_longest_unused_session_makes_room(file: Path, clock: Clock) -> None:
    sessions = Sessions(write(file), clock)
    first = sessions.sign_in(TOKEN)
    for _ in range(SESSIONS_MAX):
        clock.now += 0.001
        last = sessions.sign_in(TOKEN)
    assert sessions.find(first) is None
    assert sessions.find(last) is not None


def test_without_tokens_everybody_is_an_operator_and_with_them_nobody_is_anonymous(file: Path) -> None:
    sessions = Sessions(None)
    found = sessions.find(sessions.anonymous())
    assert found is not None
    assert Role.OPERATOR in found[1].roles
    with pytest.raises(Refused):
        Sessions(write(file)).anonymous()
