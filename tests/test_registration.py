"""Registrations by a node that this code did not make (RFC 5944 §3, §5.7)."""

import time

import pytest

from harness import wait_until
from node import KEY, Node, hmac_md5, identification, keyed_md5

HOME = "10.99.0.7"
ONE = {"peer": HOME, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()}


@pytest.fixture
def served(daemon):
    """A home agent that knows one node, and that node."""
    home_agent = daemon(associations=[ONE]).start()
    return home_agent, Node(("127.0.0.1", home_agent.mip_port), HOME)


def node_counters(home_agent):
    (row,) = [row for row in home_agent.rows("show", "nodes") if row["identity"] == HOME]
    return row


def test_a_hand_made_request_is_accepted(served):
    home_agent, node = served
    reply = node.register(lifetime=600)
    assert (reply.code, reply.lifetime, reply.home_address) == (0, 600, HOME)
    assert reply.is_authentic()
    (row,) = home_agent.rows("show", "bindings")
    assert (row["home_address"], row["care_of_address"]) == (HOME, "127.0.0.1")
    assert 595 <= row["time_remaining_seconds"] <= 600
    wait_until(lambda: home_agent.counter("haRegistrationAccepted") == 1)


def test_a_lifetime_is_granted_up_to_the_maximum(served):
    _, node = served
    assert node.register(lifetime=65000).lifetime == 1800


@pytest.mark.parametrize("position", [3, 7, 20, 25, 30, 45])
def test_a_flipped_octet_is_denied_and_counted(served, position):
    home_agent, node = served
    octets = bytearray(node.request())
    octets[position] ^= 0x10
    if position == 7:  # The home address: then the node is another, which has no association.
        octets[position] ^= 0x10 ^ 0x01
    reply = node.exchange(bytes(octets))
    if 24 < position < 30:
        # A type or a length that is not one: nothing that could be answered, or another SPI.
        assert reply is None or reply.code in (131, 134)
        return
    if position == 7:  # A node without an association is silently discarded (RFC 5944 §3.8.2.1 a).
        assert reply is None
        statistics = lambda: home_agent.rows("show", "statistics")
        wait_until(lambda: any(row["values"].get("mipSecTotalViolations") == 1 for row in statistics()))
        return
    assert reply.code == 131
    wait_until(lambda: home_agent.counter("haMNAuthenticationFailure") == 1)
    assert home_agent.rows("show", "bindings", expect=0) == []
    row = wait_until(lambda: [r for r in home_agent.rows("show", "nodes") if r["identity"] == HOME])[0]
    assert (row["denied"], row["last_denied_code"]) == (1, 131)


def test_a_replay_is_denied_also_after_deregistration_and_restart(served):
    home_agent, node = served
    recorded = node.request()
    assert node.exchange(recorded).code == 0
    assert node.exchange(recorded).code == 133
    time.sleep(0.01)
    assert node.register(lifetime=0).code == 0
    assert home_agent.rows("show", "bindings") == []
    assert node.exchange(recorded).code == 133
    home_agent.kill()
    home_agent.start()
    assert node.exchange(recorded).code == 133
    wait_until(lambda: home_agent.counter("haIDMismatch") >= 1)
    assert home_agent.rows("show", "bindings") == []


def test_the_reply_to_a_mismatch_resynchronises(served):
    _, node = served
    early = time.time() - 3600
    octets = node.request(at=early)
    reply = node.exchange(octets)
    assert reply.code == 133 and reply.is_authentic()
    # §5.7.1: our time above, the request's own lower half below.
    assert reply.identification & 0xFFFFFFFF == identification(early) & 0xFFFFFFFF
    offset = (reply.identification >> 32) - (identification(early) >> 32)
    assert abs(offset - 3600) <= 2
    assert node.register(at=early + offset + 1).code == 0


def test_renewal_keeps_one_binding_and_expiry_removes_it(served):
    home_agent, node = served
    for _ in range(3):
        assert node.register(lifetime=2).code == 0
        time.sleep(0.05)
    assert len(home_agent.rows("show", "bindings")) == 1
    wait_until(lambda: home_agent.rows("show", "bindings") == [], seconds=10, what="expiry")


def test_simultaneous_bindings_and_deregistration_of_one_and_of_all(served):
    home_agent, node = served
    others = [Node(node.home_agent, HOME, source=f"127.0.0.{last}") for last in (2, 3)]
    for one in [node, *others]:
        assert one.register(flags=0x20 | 0x80).code == 0
        time.sleep(0.01)
    assert len(home_agent.rows("show", "bindings")) == 3
    assert others[0].register(lifetime=0).code == 0
    assert {row["care_of_address"] for row in home_agent.rows("show", "bindings")} == {"127.0.0.1", "127.0.0.3"}
    time.sleep(0.01)
    assert node.register(lifetime=0, care_of_address=HOME).code == 0
    assert home_agent.rows("show", "bindings") == []


def test_unknown_home_agent_is_denied_136_with_ours(served):
    home_agent, node = served
    reply = node.register(home_agent="255.255.255.255")
    assert (reply.code, reply.home_agent) == (136, "127.0.0.1")
    wait_until(lambda: home_agent.counter("haUnknownHA") == 1)


def test_reserved_bits_are_denied_134(served):
    home_agent, node = served
    assert node.register(flags=0x20 | 0x01).code == 134
    wait_until(lambda: home_agent.counter("haPoorlyFormedRequest") == 1)


def test_nodes_named_by_nai_and_keyed_md5(daemon):
    nai = "router-1@fleet.example"
    key = b"VzWNeMo".ljust(16, b"\0")
    home_agent = daemon(
        associations=[{"peer": nai, "spi": 256, "algorithm": "keyed-md5", "key": key.hex()}]
    ).start()
    node = Node(("127.0.0.1", home_agent.mip_port), "10.1.1.1", spi=256, key=key, mac=keyed_md5, nai=nai)
    reply = node.register(lifetime=300)
    assert reply.code == 0 and reply.is_authentic(key, keyed_md5)
    assert (131, nai.encode()) in reply.extensions()
    (row,) = home_agent.rows("show", "bindings")
    assert row["nai"] == nai
    walk = lambda: home_agent.snmp("snmpwalk", "MIP-MIB::haRegServiceRequestsAccepted")  # noqa: E731
    wait_until(lambda: any(nai in line and line.endswith("1") for line in walk()), what="the node's row")


def test_an_unknown_node_is_not_answered_and_leaves_no_row(served):
    """RFC 5944 §3.8.2.1 a: without an association, silently discard."""
    home_agent, node = served
    stranger = Node(node.home_agent, "10.99.0.200")
    assert stranger.register() is None
    assert [row["identity"] for row in home_agent.rows("show", "nodes")] in ([], [HOME])


def test_a_wrong_key_is_no_key(served):
    home_agent, node = served
    forger = Node(node.home_agent, HOME, key=b"\xff" * 16, mac=hmac_md5)
    assert forger.register().code == 131
    assert node.register().code == 0
    assert len(home_agent.rows("show", "bindings")) == 1
