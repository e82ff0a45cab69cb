"""A home agent and a foreign agent of one process on one address and port: each message finds its role."""

import socket

import pytest

from harness import FOREIGN_AGENT, MANAGED, free_port, wait_until
from node import KEY, Node

BOTH = MANAGED + """
[home-agent]
address = "{address}"
port = {port}
""" + FOREIGN_AGENT + """
[home-agent.revocation]
enabled = true
port = "of-registration"
[foreign-agent.revocation]
enabled = true
port = "of-registration"
"""


OF_AGENT = """
[[association]]
agent = "{agent}"
peer = "{peer}"
spi = {spi}
key = "hex:{key}"
"""


HOME = {"spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()}


@pytest.fixture
def two(daemon):
    """Two such processes, each the home of one node; both agents of one know both of the other."""
    port, started = free_port(), []
    # One association for each home agent with the foreign agent of the other process.
    for address, other, home, spis in (
        ("127.0.0.1", "127.0.0.2", "10.99.1.1", (2001, 2002)), ("127.0.0.2", "127.0.0.1", "10.99.1.2", (2002, 2001)),
    ):
        one = daemon(associations=[{"peer": home, **HOME}], config="unset", port=port)
        one.config.write_text(
            BOTH.format(
                directory=one.directory, snmp_port=one.snmp_port, address=address, port=port, home_agent_port=port)
            + one.config.read_text().removeprefix("unset")
            + "".join(
                OF_AGENT.format(agent=agent, peer=other, spi=spi, key=KEY.hex())
                for agent, spi in zip(("home-agent", "foreign-agent"), spis)))
        started.append(one.start())
    return port, *started


def counts(served):
    """What each role has counted, by role."""
    return {row["role"]: row["values"] for row in served.rows("show", "statistics")}


def abroad(port, at, home_agent, home, source):
    """A node of `home_agent` that is on the link of the agent at `at`."""
    node = Node((at, port), home, source=source)
    return lambda **more: node.register(flags=0, care_of_address=at, home_agent=home_agent, **more)


def test_each_node_registers_through_the_agent_that_is_not_its_home(two):
    port, first, second = two
    one = abroad(port, "127.0.0.2", "127.0.0.1", "10.99.1.1", "127.0.1.1")
    other = abroad(port, "127.0.0.1", "127.0.0.2", "10.99.1.2", "127.0.1.2")
    # Requests and replies of both directions pass through each port at once.
    for _ in range(3):
        assert one().code == 0 and other().code == 0
    for served, home, address in ((first, "10.99.1.1", "127.0.0.2"), (second, "10.99.1.2", "127.0.0.1")):
        (binding,) = served.rows("show", "bindings")
        assert (binding["home_address"], binding["foreign_agent"]) == (home, address)
        (visitor,) = served.rows("show", "visitors")
        assert visitor["accepted"] and visitor["home_agent"] == address
        told = wait_until(lambda: (now := counts(served)) and now["foreign-agent"].get("faRegRepliesRelayed") == 3 and now)
        assert told["home-agent"]["haRegRequestsReceived"] == 3 and told["home-agent"]["datagramsReceived"] == 3
        assert told["foreign-agent"]["faRegRequestsReceived"] == 3 and told["foreign-agent"]["datagramsReceived"] == 6
        assert not any(told[role].get("datagramsUnexpected") for role in told)

    # Whoever asks for a home agent, or for this one, is not relayed.
    direct = Node(("127.0.0.1", port), "10.99.1.1", source="127.0.1.9")
    assert direct.register(lifetime=0, care_of_address="127.0.0.2").code == 0
    assert Node(("127.0.0.1", port), "10.99.1.1", source="127.0.1.9").register(home_agent="255.255.255.255").code == 136


def test_revocations_and_their_acknowledgments_find_who_is_meant(two):
    port, first, second = two
    one = abroad(port, "127.0.0.2", "127.0.0.1", "10.99.1.1", "127.0.1.1")
    other = abroad(port, "127.0.0.1", "127.0.0.2", "10.99.1.2", "127.0.1.2")
    assert one().code == 0 and other().code == 0
    # The first process as home agent, and then as foreign agent; the second one answers as the other.
    for words in (["revoke", "binding"], ["revoke", "visitor"]):
        (operation,) = first.rows(*words, "--all", "--yes", "--wait")
        assert operation["state"] == "done" and operation["results"] == {"acknowledged": 1}, (words, operation)
    for served in (first, second):
        assert served.rows("show", "bindings") == [] and served.rows("show", "visitors") == []
    told = wait_until(lambda: (now := counts(first)) and now["foreign-agent"].get("revocationsAcknowledged") and now)
    for role in ("home-agent", "foreign-agent"):
        assert told[role]["revocationsAcknowledged"] == 1, told
        assert not told[role].get("revocationAcknowledgmentsUnexpected"), told


def test_what_is_for_nobody_is_counted_once(two):
    port, first, _ = two
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.1.3", 0))
        for octets in (b"", b"\x01", b"\x63" * 40, b"\x03" + bytes(19), b"\x0f" + bytes(11), b"\x07\0\0\0" + bytes(16)):
            stranger.sendto(octets, ("127.0.0.1", port))
    told = wait_until(
        lambda: (now := counts(first))
        and sum(now[role].get("datagramsReceived", 0) for role in now) == 6 and now)
    assert told["foreign-agent"]["datagramsReceived"] == 1, "the reply"
    # Neither is authentic: the acknowledgment that nobody waits for, and the revocation.
    assert told["home-agent"]["revocationsDiscarded"] == 2
