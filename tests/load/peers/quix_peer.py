"""Quix Streams with exactly-once and no database: books and totals in its RocksDB state with a changelog topic.

Runs in an environment of its own (requirements.lock here), because its pins and the engine's differ.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from quixstreams import Application, message_context
from quixstreams.state import State

from tests.load.peers import job

# A fixed transactional id and static membership: a restart takes its old place at once and settles what it left open.
RUN = os.environ.get("PEER_RUN", "")
app = Application(
    broker_address=os.environ.get("BOOTSTRAP", "127.0.0.1:9092"), consumer_group=f"peer-quix{RUN}",
    auto_offset_reset="earliest", processing_guarantee="exactly-once", state_dir=os.environ["STATE_DIR"],
    auto_create_topics=True, loglevel="WARNING", commit_interval=float(os.environ.get("QUIX_COMMIT_S", "0.5")),
    consumer_extra_config={"session.timeout.ms": 10_000, "heartbeat.interval.ms": 3000, "group.instance.id": "one"},
    producer_extra_config={"transactional.id": f"peer-quix-one{RUN}", "linger.ms": 5, "partitioner": "murmur2_random"},
)  # fmt: skip
contributions = app.topic(job.INPUT, value_deserializer="bytes", key_deserializer="bytes")
instructed = app.topic(job.OUTPUT, value_serializer="json", key_serializer="bytes")
rejects = app.topic(job.REJECTS, value_serializer="json", key_serializer="bytes")
_said: list[bool] = []


def record(value: bytes, state: State) -> dict[str, Any] | None:
    """None for a line that is known, else the instruction or the reject to send."""
    if not _said:
        _said.append(True)
        sys.__stdout__.write(f"FIRST {int(time.time() * 1000)}\n")
        sys.__stdout__.flush()
    try:
        line = job.parse(value)
    except job.Invalid as problem:
        at = message_context()
        return job.reject(problem.args[0], at.partition, at.offset)
    if state.exists(line.contribution_id):
        return None
    account = f"ytd-{line.year}"
    total = state.get(account, 0)
    decision = job.decide(line, total)
    if decision.elective_cents:
        state.set(account, total + decision.elective_cents)
    state.set(line.contribution_id, {
        "plan_id": line.plan_id, "participant_id": line.participant_id, "payroll_id": line.payroll_id,
        "pay_date": line.pay_date, "compensation_cents": line.compensation_cents,
        "accepted_cents": decision.accepted_cents, "excess_cents": decision.excess_cents,
        "postings": [{"source": source, "account": account, "side": side, "cents": cents}
                     for _, _, source, account, side, cents in job.postings(line, decision)],
    })  # fmt: skip
    return job.instruction(line, decision)


def headers(value: dict[str, Any], _key: object, _timestamp: int, _old: object) -> list[tuple[str, bytes]]:
    """CloudEvents headers of what is sent."""
    if "reason" in value:
        return job.headers(f"{value['partition']}-{value['offset']}:rejected", job.REJECTED)
    return job.headers(value["contribution_id"] + ":allocation", job.ALLOCATED)


table = app.dataframe(contributions)
table = table.apply(record, stateful=True).filter(lambda value: value is not None).set_headers(headers)
table.to_topic(lambda value, key, timestamp, headers: rejects if "reason" in value else instructed)

if __name__ == "__main__":
    app.run()
