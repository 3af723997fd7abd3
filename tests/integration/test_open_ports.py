"""The embedded cluster is for one machine: nothing of it listens beyond loopback."""

from __future__ import annotations

import ipaddress

import psutil
import pytest

from tests.support.payday import Payday

pytestmark = pytest.mark.slow


def listening_sockets(pid: int) -> set[tuple[str, int]]:
    """Addresses on which a process or one it started waits for connections."""
    process = psutil.Process(pid)
    return {
        (connection.laddr.ip, connection.laddr.port)
        for one in (process, *process.children(recursive=True))
        for connection in one.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }


def test_every_process_of_the_cluster_listens_on_loopback_only(payday: Payday) -> None:
    processes = payday.cluster.state.processes.values()
    listening = {(record.name, *place) for record in processes for place in listening_sockets(record.pid)}
    names = {name for name, _, _ in listening}
    assert {"kafka-1", "postgres", "contribution-0", "allocation-0", "trading-0", "valuation-0"} <= names
    # Java listens on dual-stack sockets: loopback in IPv4 shows as mapped into IPv6.
    beyond = [one for one in listening if not is_loopback(one[1])]
    assert beyond == []


def is_loopback(text: str) -> bool:
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
