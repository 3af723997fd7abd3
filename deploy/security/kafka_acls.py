"""Put the access lists on a broker: ``python -m deploy.security.kafka_acls``, as a super user, after each release.

For clusters without Strimzi, whose operator does the same from ``k8s/components/strimzi/users.yaml``. Users with
passwords are made by whoever runs the broker. Lists that an earlier release needed and this one does not are removed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from aiokafka.protocol.admin import CreateAclsRequest_v1, DeleteAclsRequest_v1, DescribeAclsRequest_v1

from deploy.security.access import Grant, grants_of, parties, user_name
from shared.runtime.clients import kafka_admin
from shared.runtime.errors import NestworkError
from shared.runtime.settings import Settings

RESOURCES = {"topic": 2, "group": 3}
PATTERNS = {"literal": 3, "prefix": 4}
OPERATIONS = {"Read": 3, "Write": 4, "Describe": 8}
ANY, ALLOW, EVERY_HOST = 1, 3, "*"

Entry = tuple[int, str, int, str, str, int, int]
"""Resource type, name, pattern, principal, host, operation, permission: as Kafka's protocol has them."""


class AclsRefused(NestworkError):
    """The broker did not take the lists."""


class _Prepared:
    """A request whose content is ready: the library's own builders take one entry each."""

    def __init__(self, kind: Any, *content: Any) -> None:
        self._request = kind(*content)

    def prepare(self, _versions: Any) -> Any:
        """The request itself; version 1 is understood by every Kafka since 2.0."""
        return self._request


def entries(grants: Iterable[Grant], user: str) -> list[Entry]:
    """The grants of one user in Kafka's numbers."""
    return [
        (RESOURCES[grant.resource], grant.name, PATTERNS[grant.pattern], f"User:{user}", EVERY_HOST, number, ALLOW)
        for grant in grants
        for number in sorted(OPERATIONS[operation] for operation in grant.operations)
    ]


def wanted_entries() -> list[Entry]:
    """The lists of all users."""
    return [entry for party in parties() for entry in entries(grants_of(party), user_name(party))]


async def apply(config: Settings | None = None) -> tuple[int, int]:
    """Make the broker's lists of our users what they should be; returns how many were added and removed."""
    admin = kafka_admin(config)
    await admin.start()
    try:
        present = await _present(admin)
        wanted = set(wanted_entries())
        users = {f"User:{user_name(party)}" for party in parties()}
        missing = sorted(wanted - present)
        stale = sorted(entry for entry in present - wanted if entry[3] in users)
        if missing:
            answer = await admin._send_to_controller(_Prepared(CreateAclsRequest_v1, missing))
            _refuse_failures(answer.creation_responses)
        if stale:
            answer = await admin._send_to_controller(_Prepared(DeleteAclsRequest_v1, stale))
            _refuse_failures(answer.filter_responses)
        return len(missing), len(stale)
    finally:
        await admin.close()


async def _present(admin: Any) -> set[Entry]:
    answer = await admin._send_request(_Prepared(DescribeAclsRequest_v1, ANY, None, ANY, None, None, ANY, ANY))
    _refuse_failures([(answer.error_code, answer.error_message)])
    return {
        (kind, name, pattern, principal, host, operation, permission)
        for kind, name, pattern, lists in answer.resources
        for principal, host, operation, permission in lists
    }


def _refuse_failures(answers: Iterable[tuple[Any, ...]]) -> None:
    for code, message, *_ in answers:
        if code:
            raise AclsRefused(f"Kafka refuses an access list (code {code}): {message}")


async def _main() -> None:
    added, removed = await apply()
    print(f"access lists: {added} added, {removed} removed")  # noqa: T201 - the one line of this program.


if __name__ == "__main__":
    asyncio.run(_main())
