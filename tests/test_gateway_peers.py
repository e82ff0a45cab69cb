"""A gateway written by hand above our foreign agent, and before our home agent (RFC 4857, RFC 3543)."""

import time

import pytest

from harness import wait_until
from hand_gateway import HandGateway, dynamic_request, one
from node import KEY, Node
from region import HOME_AGENT, key_of, settled, start_region, visitors
from regional_node import GFA_IP_ADDRESS, RegionalNode, packed
from revoking import SUPPORT, seconds

GATEWAY, AGENT = "127.0.0.9", "127.0.0.11"
HOME = "10.99.5.7"
#: How long it is waited for what must not come.
SILENCE = 0.5


@pytest.fixture
def beneath(daemon):
    """Our home agent and our foreign agent; the gateway between them is by hand."""
    served = start_region(daemon, [(None, AGENT)], [HOME], gateways_by_hand=[GATEWAY])
    served.ctl("regional", "set", "gateway", GATEWAY)
    served.ctl("regional", "set", "foreign-agent", AGENT, "--gateway", GATEWAY, "--spi", str(served.spis[AGENT]))
    served.ctl("regional", "commit", "--force", "--reason", "its gateway is of another make")
    served.gateway = HandGateway(GATEWAY, served.port, AGENT, served.spis[AGENT])
    served.gateway.start()
    yield served
    served.gateway.stop()


def node(served):
    return RegionalNode((AGENT, served.port), HOME, GATEWAY, key_of("node"), source="127.0.0.50")


def registered(served):
    mine = node(served)
    reply = mine.register_at_home(HOME_AGENT)
    assert reply and reply.code == 0
    wait_until(lambda: len(visitors(served, AGENT)) == 1, what="the visitor")
    return mine


def test_our_foreign_agent_gives_a_gateway_of_another_make_what_it_needs(beneath):
    mine = node(beneath)
    reply = mine.register_at_home(HOME_AGENT)
    assert reply.code == 0
    kinds = [kind for kind, _ in reply.extensions()]
    assert kinds == [32, 142, 33], "the node gets what is for it, and nothing of what agents say to each other"
    (binding,) = beneath.rows("show", "bindings")
    assert binding["care_of_address"] == GATEWAY
    (visitor,) = visitors(beneath, AGENT)
    assert visitor["care_of_address"] == GATEWAY

    answer = mine.register_regionally()
    assert answer.code == 0 and answer.is_authentic(key_of("node")) and answer.lifetime == 120
    assert [kind for kind, _, _ in answer.extensions] == [36]
    gateway = beneath.gateway
    assert gateway.refused == []
    # §5.2, §6.2: what the node sent, octet for octet, and behind it what the foreign agent adds.
    for kind, of_node in ((1, [32, 33]), (18, [36])):
        ((_, extensions),) = gateway.of_type(kind)
        assert [it["type"] for it in extensions] == [*of_node, SUPPORT, 140, 36]
    settled(beneath, "foreign-agent", "regionalRequestsRelayed", 1)


@pytest.mark.parametrize("spoiled", ["unsigned", "of another key", "nothing"])
def test_what_such_a_gateway_does_not_prove_is_not_believed(beneath, spoiled):
    mine = registered(beneath)
    before = visitors(beneath, AGENT)
    at = 20  # Behind the fixed part of a regional reply its authentication begins.
    spoil = {
        "unsigned": lambda kind, octets: octets[:at],
        "of another key": lambda kind, octets: octets[:-1] + bytes([octets[-1] ^ 1]),
        "nothing": lambda kind, octets: None,
    }[spoiled]
    beneath.gateway.spoil = spoil
    mine.socket.settimeout(15)
    answer = mine.register_regionally()
    if spoiled == "of another key":
        # What agents say to each other is not believed; the node judges what is for it.
        assert answer.code == 0 and answer.is_authentic(key_of("node"))
        beneath.ctl("revoke", "visitor", "--foreign-agent", AGENT, "--yes", "--wait")
        assert visitors(beneath, AGENT) == []
        assert beneath.gateway.of_type(7) == [], "it was not agreed upon, so nobody is told"
        return
    # An acceptance that nobody vouches for is a poorly formed reply; without one it is too late.
    assert answer.code == {"unsigned": 71, "nothing": 78}[spoiled]
    after = visitors(beneath, AGENT)
    assert [row["registered_at"] for row in after] == [row["registered_at"] for row in before]


def test_such_a_gateway_revokes_and_is_revoked(beneath):
    gateway = beneath.gateway
    registered(beneath)
    early = gateway.revocation(HOME, identifier=seconds() - 100)
    forged = [
        gateway.revocation(HOME, key=bytes(16), identifier=seconds() + 5),
        gateway.revocation(HOME, a=0, identifier=seconds() + 5),
        gateway.revocation(HOME, gateway="127.0.0.99", identifier=seconds() + 5),
        gateway.revocation(HOME, agent="127.0.0.99", identifier=seconds() + 5),
        early,
    ]
    for number, octets in enumerate(forged, 1):
        gateway.send(octets)
        wait_until(lambda: beneath.counted("revocationsDiscarded", "foreign-agent") == number, what=f"refusal {number}")
    assert len(visitors(beneath, AGENT)) == 1 and gateway.acknowledged == []
    seen = [row for row in beneath.rows("show", "violations") if row["violator"] == GATEWAY]
    assert seen, "the violations of whoever says that it is the gateway"

    right = gateway.revocation(HOME, identifier=seconds() + 6)
    gateway.send(right)
    gateway.wait(lambda: len(gateway.acknowledged) == 1)
    assert gateway.acknowledged[0]["I"] == 1
    wait_until(lambda: visitors(beneath, AGENT) == [], what="no visitor")
    gateway.send(right)
    wait_until(lambda: beneath.counted("revocationsDiscarded", "foreign-agent") == len(forged) + 1, what="the replay refused")
    time.sleep(SILENCE)
    assert len(gateway.acknowledged) == 1

    # And the other way round: an operator of the foreign agent.
    time.sleep(1.1)  # One message a second about a registration (RFC 3543 §3.3).
    registered(beneath)
    beneath.ctl("revoke", "visitor", "--foreign-agent", AGENT, "--yes", "--wait", "--reason", "out of service")
    ((fields, extensions),) = gateway.of_type(7)
    assert (fields["home_domain_address"], fields["foreign_domain_address"], fields["A"]) == (GATEWAY, AGENT, 0)
    assert one(extensions, 36, 2) and gateway.refused == []
    assert visitors(beneath, AGENT) == []


def test_a_gateway_that_does_not_revoke_is_left_alone(beneath):
    beneath.gateway.revokes = False
    registered(beneath)
    beneath.ctl("revoke", "visitor", "--foreign-agent", AGENT, "--yes", "--wait")
    assert visitors(beneath, AGENT) == [] and beneath.gateway.of_type(7) == []


def test_our_home_agent_and_a_gateway_that_assigns_itself(daemon):
    """§7.4: what the gateway names is bound, if it proves who it is; and the node is told in what it can check."""
    associations = [
        {"peer": HOME, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()},
        {"peer": GATEWAY, "spi": 2000, "algorithm": "hmac-md5", "key": key_of("home").hex()},
    ]
    served = daemon(associations=associations).start()
    mine = Node((HOME_AGENT, served.mip_port), HOME, source=GATEWAY)
    right = key_of("home")
    reply = Node((HOME_AGENT, served.mip_port), HOME, source="127.0.0.77").exchange(dynamic_request(mine))
    assert reply.code == 145, "no gateway says where the node is"
    refused = [
        (dict(names=GATEWAY), 132, "nothing protects its address"),
        (dict(names=GATEWAY, key=bytes(16)), 132, "not by what we share"),
    ]
    for options, code, why in refused:
        reply = mine.exchange(dynamic_request(mine, **options))
        assert reply and reply.code == code, (why, reply and reply.code)
        assert served.rows("show", "bindings") == []
        time.sleep(0.01)
    reply = mine.exchange(dynamic_request(mine, key=right, names=GATEWAY))
    assert reply.code == 0
    kinds = [kind for kind, _ in reply.extensions()]
    assert kinds.index(GFA_IP_ADDRESS) < kinds.index(32), "the node's authentication covers it"
    assert dict(reply.extensions())[GFA_IP_ADDRESS] == bytes(2) + packed(GATEWAY)
    (binding,) = served.rows("show", "bindings")
    assert binding["care_of_address"] == GATEWAY

    # An operator who wants none of it.
    served.stop()
    served.config.write_text(served.config.read_text().replace("[home-agent]\n", "[home-agent]\ndynamic-gateways = false\n"))
    served.start()
    reply = mine.exchange(dynamic_request(mine, key=right, names=GATEWAY))
    assert reply.code == 146
