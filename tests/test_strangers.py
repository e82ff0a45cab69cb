"""A mobile node and a foreign agent written by hand with Scapy, against ours on real interfaces."""

import json
import pathlib

from harness import Process, wait_until
from netns import Site
from test_netns import FOREIGN, FIRST, HOME, HOME_AGENT, MOBILE, NODE, bound_at, registered_with

import pytest

STRANGER = str(pathlib.Path(__file__).parent / "stranger.py")


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    try:
        site.host("ha1", "home", HOME_AGENT)
        site.host("fa1", "one", FIRST)
        site.host("mn", "one", NODE, gateway=False)
        yield site
    finally:
        site.close()


def events(text):
    return {event.pop("event"): event for event in map(json.loads, text.splitlines())}


def test_a_node_written_by_hand_registers_through_our_foreign_agent(site):
    site.daemon("ha1", HOME.format(directory=site.directory)).start()
    site.daemon("fa1", FOREIGN.format(directory=site.directory, address=FIRST)).start()
    said = events(site.run("mn", "/usr/bin/python3", STRANGER, "mobile-node", NODE, HOME_AGENT))
    heard, reply = said["heard"], said["reply"]
    assert (heard["agent"], heard["ttl"], heard["care_of_addresses"]) == (FIRST, 1, [FIRST])
    # F, M, G, T, and X as RFC 3543 §4.2 demands; what the rows of the agent say.
    assert (heard["flags"], heard["registration_lifetime"], heard["prefix_lengths"]) == (0x1D40, 500, [24])
    assert heard["lifetime"] == 5
    assert reply == {"code": 0, "lifetime": 200, "authentic": True, "to": NODE}
    binding = bound_at(site, FIRST)
    assert (binding["home_address"], binding["foreign_agent"]) == (NODE, FIRST)
    (visitor,) = site.rows("show", "visitors")
    assert (visitor["foreign_agent"], visitor["home_agent"], visitor["accepted"]) == (FIRST, HOME_AGENT, True)
    wait_until(lambda: site.counter("maSolicitationsReceived", "fa1") == 1, what="the solicitation counted")
    wait_until(lambda: site.counter("faRegRepliesRelayed", "fa1") == 1, what="the reply counted")


def test_our_node_registers_through_a_foreign_agent_written_by_hand(site):
    site.daemon("ha1", HOME.format(directory=site.directory)).start()
    stranger = Process([*site.within("fa1"), "/usr/bin/python3", STRANGER, "foreign-agent", FIRST])
    site.processes.append(stranger)
    assert json.loads(stranger.child.stdout.readline()) == {"event": "ready"}
    node = MOBILE.format(directory=site.directory, home_agent=f'home-agent = "{HOME_AGENT}"')
    node = site.daemon("mn", node).start()
    binding = wait_until(lambda: bound_at(site, FIRST), seconds=60, what="a binding")
    assert (binding["foreign_agent"], binding["lifetime_granted"]) == (FIRST, 300)
    wait_until(lambda: registered_with(site, FIRST), what="the node's own row")
    assert site.rows("show", "visitors") == []
    relayed, answered = (json.loads(stranger.child.stdout.readline()) for _ in range(2))
    # From the home address, with the TTL that shows who is on the link (RFC 3024 §3.4).
    assert relayed == {"event": "relayed", "home_agent": HOME_AGENT, "source": NODE, "ttl": 255}
    assert answered == {"event": "answered", "code": 0}
    assert node.stop() == 0, node.errors
    wait_until(lambda: site.rows("show", "bindings") == [], what="the deregistration")
