"""The topics are those of the contract, and none of them forgets or forges."""

from __future__ import annotations

import pytest

from shared.events.topics import (
    ALL_TOPICS,
    CUT_TOPICS,
    DEAD_LETTER_TOPICS,
    INTERNAL_TOPICS,
    PUBLIC_TOPICS,
    VALUE_CUT_TOPICS,
    Topic,
)

PARTITIONED = {
    "payroll.contributions.v1",
    "payroll.receipts.v1",
    "participant.census.v1",
    "participant.receipts.v1",
    "participant.requests.v1",
    "custodian.orders.v1",
    "custodian.confirmations.v1",
}
SINGLE = {
    "payroll.runs.v1",
    "plans.v1",
    "funds.v1",
    "limits.v1",
    "market.prices.v1",
    "day.commands.v1",
    "custodian.holdings.v1",
    "valuation.days.v1",
}
NOT_CUT = {
    "payroll.receipts.v1",
    "participant.receipts.v1",
    "custodian.orders.v1",
    "valuation.days.v1",
}


CARRYING = {*DEAD_LETTER_TOPICS, *(topic for topic in INTERNAL_TOPICS if ".rerouted." in topic.name)}
"""A record of the full size is carried on whole in these, with a few headers more."""


def names(topics: tuple[Topic, ...]) -> set[str]:
    return {topic.name for topic in topics}


def test_the_public_topics_and_their_partitions_are_those_of_the_contract() -> None:
    assert {topic.name for topic in PUBLIC_TOPICS if topic.partitioned} == PARTITIONED
    assert {topic.name for topic in PUBLIC_TOPICS if not topic.partitioned} == SINGLE


def test_no_name_is_used_twice() -> None:
    assert len(names(ALL_TOPICS)) == len(ALL_TOPICS)


def test_every_public_topic_has_a_dead_letter_topic_as_wide_as_itself() -> None:
    partitioned_by_name = {topic.name: topic.partitioned for topic in DEAD_LETTER_TOPICS}
    assert partitioned_by_name == {f"{topic.name}.dlq": topic.partitioned for topic in PUBLIC_TOPICS}


def test_internal_topics_are_as_wide_as_the_money_plane() -> None:
    assert all(topic.partitioned for topic in INTERNAL_TOPICS)


def test_every_public_input_and_control_topic_is_cut() -> None:
    assert names(CUT_TOPICS) == names(PUBLIC_TOPICS) - NOT_CUT
    assert names(VALUE_CUT_TOPICS) == {"custodian.confirmations.v1", "market.prices.v1", "custodian.holdings.v1"}
    assert set(VALUE_CUT_TOPICS) <= set(CUT_TOPICS)


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda topic: topic.name)
def test_logs_are_kept_for_ever_and_stamped_on_arrival(topic: Topic) -> None:
    assert topic.config == {
        "retention.ms": "-1",
        "cleanup.policy": "delete",
        "max.message.bytes": str(2 * 1024 * 1024 if topic in CARRYING else 1024 * 1024 + 12),
        "message.timestamp.type": "LogAppendTime",
    }


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda topic: topic.name)
def test_every_topic_says_who_writes_and_who_reads_it(topic: Topic) -> None:
    assert topic.writers
    assert topic.readers
    assert topic.key
    assert topic.summary.endswith(".")
