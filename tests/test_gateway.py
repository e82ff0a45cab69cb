"""A region of real daemons: a home agent, a gateway, two foreign agents; and a node and a foreign agent by hand."""

import socket
import time

import pytest

from harness import wait_until
from node import authenticated
from region import HOME_AGENT, configure, key_of, settled, start_region
from regional_node import (
    FOREIGN_FOREIGN, GFA_IP_ADDRESS, MOBILE_GATEWAY, REGIONAL_REGISTRATION_LIFETIME, REPLAY_PROTECTION_STYLE,
    RegionalNode, RegionalReply, generalized, hierarchical,
)

GATEWAY, FIRST, SECOND, BY_HAND = "127.0.0.9", "127.0.0.11", "127.0.0.12", "127.0.0.13"
HOME = "10.99.4.7"


@pytest.fixture
def region(daemon):
    """The daemon with home agent, gateway and first foreign agent; a second one beside it."""
    served = start_region(daemon, [(GATEWAY, FIRST), (None, SECOND)], [HOME], by_hand=[BY_HAND])
    configure(served, {FIRST: GATEWAY, SECOND: GATEWAY}, regional_lifetime=300, replay="any")
    return served


def node(region, agent=FIRST):
    return RegionalNode((agent, region.port), HOME, GATEWAY, key_of("node"), source="127.0.0.50")


def test_moves_within_the_region_are_not_seen_at_home(region):
    mine = node(region)
    reply = mine.register_at_home(HOME_AGENT)
    assert reply.code == 0, reply.code
    found = dict(reply.extensions())
    assert int.from_bytes(found[REGIONAL_REGISTRATION_LIFETIME][2:], "big") == 300
    (binding,) = region.rows("show", "bindings")
    assert binding["care_of_address"] == GATEWAY

    for agent in (SECOND, FIRST, SECOND):
        answer = mine.register_regionally((agent, region.port), care_of=agent)
        assert answer.code == 0 and answer.is_authentic(key_of("node")), agent
        assert 0 < answer.lifetime <= 300 and answer.gateway == GATEWAY
    settled(region, "home-agent", "haRegRequestsReceived", 1)
    assert len(region.rows("show", "bindings")) == 1


def everything(region):
    """What a request could change: bindings and visitors, as they are stored."""
    exported = region.ctl("export", "--table", "bindings", "--table", "visitors").splitlines()[1:]
    return sorted(exported)


def violations(region, violator):
    return [row for row in region.rows("show", "violations") if row["violator"] == violator]


def test_replayed_regional_requests_are_counted_and_change_nothing(region):
    """With timestamps, the default: what was accepted once is not accepted again, and neither is what is older."""
    mine = node(region)
    assert mine.register_at_home(HOME_AGENT).code == 0
    old, first = mine.regional(at=time.time() - 2), mine.regional()
    assert mine.ask(first).code == 0
    before = everything(region)
    for number, octets in enumerate((first, old, mine.regional(at=time.time() - 3600)), 1):
        answer = mine.ask(octets)
        assert answer.code == 133 and answer.is_authentic(key_of("node"))
        settled(region, "gateway", "regionalRequestsDenied", number)
        time.sleep(1)  # One denial a second to the same node (RFC 5944 §3.7.2).
    replayed = wait_until(lambda: violations(region, HOME), what="the violation")
    assert replayed[0]["reason"] == "bad identifier", replayed
    assert everything(region) == before, "nothing changed"
    assert mine.register_regionally().code == 0


def test_nonces_and_replays(region):
    mine = node(region)
    reply = mine.register_at_home(HOME_AGENT, style=1)
    assert reply.code == 0
    style = dict(reply.extensions())[REPLAY_PROTECTION_STYLE]
    assert len(style) == 10 and style[:2] == b"\0\1"
    nonce = int.from_bytes(style[2:6], "big")
    first = mine.regional(nonce=nonce)
    answer = mine.ask(first)
    assert answer.code == 0
    replayed = mine.ask(first)
    assert replayed.code == 133 and replayed.is_authentic(key_of("node"))
    assert replayed.identification >> 32 == answer.identification >> 32, "the refusal repeats the next nonce"
    assert mine.register_regionally(nonce=answer.identification >> 32).code == 0


def test_forged_requests_and_strangers_change_nothing(region):
    mine = node(region)
    assert mine.register_regionally().code == 193, "there is no home registration yet"
    assert mine.register_at_home(HOME_AGENT).code == 0
    before = everything(region)
    assert mine.ask(mine.regional(key=key_of("home"))).code == 67
    assert mine.ask(mine.regional(gateway="127.0.0.99")).code == 112
    settled(region, "gateway", "regionalRequestsDenied", 2)
    settled(region, "gateway", "faMNAuthenticationFailure", 1)
    forger = wait_until(lambda: violations(region, HOME), what="the violation of who has another key")
    assert forger[0]["reason"] == "bad authenticator", forger

    # A foreign agent that is not of this region, although it shares a key.
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.bind((BY_HAND, region.port))
    stranger.settimeout(5)
    message = hierarchical(mine.regional(care_of=BY_HAND), BY_HAND)
    stranger.sendto(generalized(message, FOREIGN_FOREIGN, 5003, key_of(BY_HAND)), (GATEWAY, region.port))
    answer = RegionalReply(stranger.recvfrom(4096)[0])
    assert answer.code == 65
    settled(region, "gateway", "regionalStrangersRefused", 1)
    wait_until(lambda: violations(region, BY_HAND), what="the violation of the stranger")
    assert everything(region) == before, "nothing changed"
    why = region.ctl("explain", HOME)
    assert "is not beneath that gateway; see `regional show`" in why, why

    # Live: it becomes one of them, and is believed from then on.
    region.ctl("regional", "set", "foreign-agent", BY_HAND, "--gateway", GATEWAY, "--spi", "5003")
    region.ctl("regional", "commit", "--force")
    message = hierarchical(mine.regional(care_of=BY_HAND), BY_HAND)
    stranger.sendto(generalized(message, FOREIGN_FOREIGN, 5003, key_of(BY_HAND)), (GATEWAY, region.port))
    answer = RegionalReply(stranger.recvfrom(4096)[0])
    assert answer.code == 0 and answer.is_authentic(key_of("node"))


def test_dynamic_assignment_is_switched_on_and_off(region):
    mine = node(region)
    assert mine.register_at_home(HOME_AGENT, care_of="0.0.0.0").code == 77
    region.ctl("regional", "set", "gateway", GATEWAY, "--dynamic", "yes")
    region.ctl("regional", "set", "foreign-agent", FIRST, "--assignment", "dynamic")
    region.ctl("regional", "commit")
    reply = mine.register_at_home(HOME_AGENT, care_of="0.0.0.0")
    assert reply.code == 0
    assert dict(reply.extensions())[GFA_IP_ADDRESS][2:] == socket.inet_aton(GATEWAY)
    (binding,) = region.rows("show", "bindings")
    assert binding["care_of_address"] == GATEWAY
    region.ctl("regional", "rollback")
    # No more than one denial a second (RFC 5944 §3.7.2): it is asked again until one comes.
    denied = wait_until(lambda: mine.register_at_home(HOME_AGENT, care_of="0.0.0.0"), what="the denial")
    assert denied.code == 77
    assert mine.register_regionally().code == 0, "who is registered stays"


def test_a_foreign_agent_by_hand_gets_what_it_needs(region):
    """Beneath the gateway a foreign agent of another make: it sees octets, and both layers of authentication."""
    region.ctl("regional", "set", "foreign-agent", BY_HAND, "--gateway", GATEWAY, "--spi", "5003")
    region.ctl("regional", "commit", "--force")
    mine = node(region)
    agent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    agent.bind((BY_HAND, region.port))
    agent.settimeout(5)
    request = mine.request(flags=0, care_of_address=GATEWAY, home_agent=HOME_AGENT)
    request = hierarchical(authenticated(request, 33, 3000, key_of("node")), BY_HAND)
    agent.sendto(generalized(request, FOREIGN_FOREIGN, 5003, key_of(BY_HAND)), (GATEWAY, region.port))
    octets, source = agent.recvfrom(4096)
    assert octets[0] == 3 and octets[1] == 0 and source == (GATEWAY, region.port)
    (visitor,) = region.rows("show", "visitors", "--foreign-agent", GATEWAY)
    assert visitor["home_address"] == HOME
    message = hierarchical(mine.regional(care_of=BY_HAND), BY_HAND)
    agent.sendto(generalized(message, FOREIGN_FOREIGN, 5003, key_of(BY_HAND)), (GATEWAY, region.port))
    answer = RegionalReply(agent.recvfrom(4096)[0])
    assert answer.code == 0 and [(kind, subtype) for kind, subtype, _ in answer.extensions] == [(36, MOBILE_GATEWAY)]
