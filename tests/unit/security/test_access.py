"""Who may do what, against what the services do."""

from __future__ import annotations

import base64
import importlib

import pytest

from deploy.security import roles
from deploy.security.access import SCALER, SERVICES, WATCHER, denied_topics, grants_of, parties, user_name
from deploy.security.roles import PasswordMissing, scram_verifier
from shared.events.topics import ALL_TOPICS, CUT_TOPICS, DEAD_LETTER_SUFFIX, INTERNAL_TOPICS
from shared.runtime.definition import Service


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> dict[str, Service]:
    """The services' own definitions; importing them needs a key, as starting them does."""
    monkeypatch.setenv("NESTWORK_MARKER_KEY", "tried")
    return {name: importlib.import_module(f"services.{name}.app").SERVICE for name in SERVICES}


def allowed(party: str, operation: str) -> set[str]:
    return {one.name for one in grants_of(party) if one.resource == "topic" and operation in one.operations}


def test_a_service_may_read_exactly_what_it_reads(services: dict[str, Service]) -> None:
    for name, service in services.items():
        reads = {one.topic.name for one in service.inputs} | {one.topic.name for one in service.facts}
        assert allowed(name, "Read") >= reads, name
        # The catalogue may name a reader whose feature is still to come, on a fact topic and nowhere else.
        assert all(not topic.partitioned for topic in ALL_TOPICS if topic.name in allowed(name, "Read") - reads)


def test_a_service_may_write_its_outputs_its_dead_letters_and_nothing_foreign(services: dict[str, Service]) -> None:
    cuts = {topic.name for topic in CUT_TOPICS}
    for name, service in services.items():
        outputs = {topic.name for cycle in service.cycles for topic in cycle.outputs}
        if service.rerouting is not None:
            outputs.add(service.rerouting.topic.name)
        assert allowed(name, "Write") >= outputs
        own = {topic.name for topic in ALL_TOPICS if name in topic.writers}
        assert allowed(name, "Write") == own | (cuts if name == "trading" else set())


def test_a_service_joins_its_own_groups_only(services: dict[str, Service]) -> None:
    for name, service in services.items():
        groups = {(one.name, one.pattern) for one in grants_of(name) if one.resource == "group"}
        assert groups == {(service.group, "literal"), (f"{service.group}-control", "literal")}


def test_nobody_outside_touches_an_internal_log_or_writes_dead_letters() -> None:
    internal = {topic.name for topic in INTERNAL_TOPICS}
    outside = [party for party in parties() if party not in SERVICES]
    assert len(outside) > 5
    for party in outside:
        writes = allowed(party, "Write")
        assert not internal & writes
        assert not [name for name in writes if name.endswith(DEAD_LETTER_SUFFIX)]
        if party not in ("operators", WATCHER):
            assert not internal & allowed(party, "Read")


def test_who_only_looks_on_writes_nothing_and_the_scaler_reads_nothing() -> None:
    for party in (SCALER, WATCHER):
        assert len(denied_topics(party, "Write")) == len(ALL_TOPICS)
        assert not denied_topics(party, "Describe")
    assert len(denied_topics(SCALER, "Read")) == len(ALL_TOPICS)


def test_nobody_may_alter_create_or_delete() -> None:
    operations = {operation for party in parties() for one in grants_of(party) for operation in one.operations}
    assert operations == {"Read", "Write", "Describe"}
    assert {one.resource for party in parties() for one in grants_of(party)} == {"topic", "group"}


def test_users_are_named_apart_and_fit_kubernetes() -> None:
    names = [user_name(party) for party in parties()]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalnum() and name == name.lower() for name in names)


def test_a_verifier_is_what_postgresql_makes_of_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of RFC 7677, section 3: password ``pencil``, this salt, 4096 rounds."""
    monkeypatch.setattr(roles, "PASSWORD_CHARACTERS_MIN", 6)
    assert scram_verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


@pytest.mark.parametrize("password", ["", "short", "pässword that is long"])
def test_a_poor_password_is_refused(password: str) -> None:
    with pytest.raises(PasswordMissing):
        scram_verifier(password)
