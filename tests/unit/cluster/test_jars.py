"""Kafka's jars: only what was locked is ever run."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.cluster.errors import JarsDiffer, JarsUnavailable
from deploy.cluster.jars import KAFKA_VERSION, class_path, locked_jars


def test_every_jar_is_locked_by_a_full_hash_and_the_broker_is_among_them() -> None:
    jars = locked_jars()
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert len({jar.file_name for jar in jars}) == len(jars)
    assert {jar.version for jar in jars if jar.group == "org.apache.kafka"} == {KAFKA_VERSION}


def test_without_network_and_cache_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(JarsUnavailable, match="--jars"):
        class_path(offline=True)


def test_a_jar_with_another_content_is_refused_and_does_not_enter_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = tmp_path / "jars"
    source.mkdir()
    for jar in locked_jars():
        (source / jar.file_name).write_bytes(b"something else")
    with pytest.raises(JarsDiffer, match="locked is"):
        class_path(source=source)
    assert not list((tmp_path / "cache").rglob("*.jar"))
