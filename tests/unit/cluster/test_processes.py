"""Recognising processes and choosing ports."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import replace

from deploy.cluster.processes import PORT_RANGE, ProcessIdentity, free_ports


def test_a_process_is_recognised_and_a_recycled_pid_is_left_alone() -> None:
    me = ProcessIdentity.of(os.getpid())
    assert me is not None
    assert me.alive()
    earlier = replace(me, birth="another")
    assert not earlier.alive()
    assert not earlier.send(signal.SIGKILL)


def test_ports_are_different_and_a_port_in_use_is_not_given_again() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(port in PORT_RANGE for port in ports)
    with socket.create_server(("127.0.0.1", ports[0])):
        assert free_ports(1, [ports[0]]) != [ports[0]]
    assert free_ports(1, [ports[1]]) == [ports[1]]
