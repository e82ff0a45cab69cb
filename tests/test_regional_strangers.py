"""Our mobile node in a region written by hand with Scapy, on real interfaces."""

import json
import pathlib

import pytest

from harness import Process, wait_until
from netns import Site
from regional_stranger import NODE as NODE_KEY
from test_netns import FIRST, HOME, HOME_AGENT, MOBILE, NODE, SECOND, bound_at

STRANGER = str(pathlib.Path(__file__).parent / "regional_stranger.py")
GATEWAY = "10.0.0.9"
ASSOCIATION = f"""
gateway-hold-off = 600
[[association]]
peer = "{GATEWAY}"
spi = {NODE_KEY[0]}
key = "hex:{NODE_KEY[1].hex()}"
"""


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    try:
        site.host("ha1", "home", HOME_AGENT)
        site.host("gw", "home", GATEWAY)
        site.host("fa1", "one", FIRST)
        site.host("fa2", "two", SECOND)
        site.host("mn", "one", NODE, gateway=False)
        yield site
    finally:
        site.close()


def stranger(site, host, *words):
    process = Process([*site.within(host), "/usr/bin/python3", STRANGER, *words])
    site.processes.append(process)
    assert json.loads(process.child.stdout.readline()) == {"event": "ready"}, process.errors
    return process


def said(process):
    return json.loads(process.child.stdout.readline())


def test_our_node_moves_in_a_region_written_by_hand_and_does_without_its_gateway(site):
    site.daemon("ha1", HOME.format(directory=site.directory)).start()
    gateway = stranger(site, "gw", "gateway", GATEWAY)
    for host, address in (("fa1", FIRST), ("fa2", SECOND)):
        stranger(site, host, "foreign-agent", address, GATEWAY)
    node = MOBILE.format(directory=site.directory, home_agent=f'home-agent = "{HOME_AGENT}"')
    before, after = node.split("[[association]]")
    node = site.daemon("mn", f"{before}{ASSOCIATION}[[association]]{after}").start()
    wait_until(lambda: bound_at(site, GATEWAY), seconds=60, what="a binding at the gateway")
    assert said(gateway) == {"event": "home", "code": 0, "at": FIRST}
    entered = lambda: next((row for row in site.rows("show", "registrations") if row["gateway"]), None)  # noqa: E731
    row = wait_until(entered, what="the node's own row")
    assert (row["gateway"], row["local_care_of_address"], row["regional_lifetime"]) == (GATEWAY, FIRST, 6)

    site.plug("mn", "two")
    while (event := said(gateway))["at"] != SECOND:
        assert event["event"] == "regional" and event["authentic"], event  # It renews where it is.
    assert event == {"event": "regional", "authentic": True, "at": SECOND, "care_of": SECOND}
    moved = lambda: [row["local_care_of_address"] for row in site.rows("show", "registrations")] == [SECOND]  # noqa: E731
    wait_until(moved, what="the node's own row")
    wait_until(lambda: site.counter("mnRegionalRequestsAccepted", "mn") >= 1, what="regional registrations counted")
    assert site.counter("haRegRequestsReceived", "ha1") == 1, "the home agent heard nothing of it"
    (binding,) = site.rows("show", "bindings")
    assert binding["care_of_address"] == GATEWAY

    # The next renewal finds nobody: the node registers as if there was no gateway.
    gateway.kill()
    wait_until(lambda: bound_at(site, SECOND), seconds=60, what="a binding without the gateway")
    wait_until(lambda: site.counter("mnGatewayFailures", "mn") == 1, what="the failure counted")
    plainly = lambda: [(row["care_of_address"], row["gateway"]) for row in site.rows("show", "registrations")] == [(SECOND, None)]  # noqa: E731
    wait_until(plainly, what="the node's own row without the gateway")
    assert "gateway-failed" in site.ctl("show", "trail", NODE)
    assert f"gateway {GATEWAY} did not answer" in site.ctl("explain", NODE)
    assert node.stop() == 0, node.errors
    wait_until(lambda: site.rows("show", "bindings") == [], what="the deregistration")
