"""A foreign agent, and home agents that cannot be reached."""

import socket

from harness import FOREIGN_AGENT, free_port, wait_until
from node import Node

REVERSE_TUNNEL = 0x02


def counter(served, name):
    # The first counts are written a moment after they were made.
    rows = [row for row in served.rows("show", "statistics") if row["role"] == "foreign-agent"]
    assert len(rows) <= 1, rows
    return rows[0]["values"].get(name, 0) if rows else 0


def test_unreachable_home_agents_and_distant_nodes_are_told(daemon):
    port = free_port()
    served = daemon(associations=[], port=port, extra=FOREIGN_AGENT.format(address="127.0.0.2", port=port, home_agent_port=free_port())).start()
    node = Node(("127.0.0.2", port), "10.99.8.1", source="127.0.0.8")
    at_agent = {"care_of_address": "127.0.0.2", "home_agent": "127.0.0.77"}
    # Nobody listens there: ICMP says so long before the 7 seconds of a timeout.
    reply = node.register(flags=0, **at_agent)
    assert reply.code == 82 and reply.home_agent == "127.0.0.77"
    # The error of one datagram must not keep the next from leaving.
    other = Node(("127.0.0.2", port), "10.99.8.2", source="127.0.0.9")
    assert [other.register(flags=0, **at_agent).code for _ in range(3)] == [82] * 3

    # Who wants a reverse tunnel is on the link (RFC 3024 §3.4).
    far = Node(("127.0.0.2", port), "10.99.8.3", source="127.0.0.10")
    far.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 254)
    assert far.register(flags=REVERSE_TUNNEL, **at_agent).code == 76
    near = Node(("127.0.0.2", port), "10.99.8.4", source="127.0.0.11")
    near.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
    assert near.register(flags=REVERSE_TUNNEL, **at_agent).code == 82

    wait_until(lambda: counter(served, "faHAUnreachable") == 5, what="all of them to be counted")
    assert counter(served, "faMnTooDistant") == 1
    assert counter(served, "sendErrors") == 0
    (event,) = served.rows("show", "trail", "10.99.8.1")
    assert event["event"] == "port-unreachable" and event["code"] == 82
