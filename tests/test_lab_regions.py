"""`mip4d lab --gateways`: nodes that register regionally, gateways that die, and what home agents see of both."""

import collections
import os
import re
import signal
import subprocess
import time

from harness import MIP4D, Process, wait_until

GATEWAYS = ["127.0.3.1", "127.0.3.2"]
REGION = ["--gateways", "2", "--foreign-agents", "4", "--mobility", "1"]


def bound(running):
    """How many bindings there are at each care-of address."""
    return collections.Counter(row["care_of_address"] for row in running.rows("show", "bindings"))


def through(running):
    """How many nodes say that they are registered with each gateway."""
    rows = running.rows("show", "registrations")
    return collections.Counter(row["gateway"] for row in rows if row["gateway"] and row["freshness"] == "live")


def greeting(running):
    """What stands behind the first line."""
    lines = []
    while not (lines and lines[-1].startswith("Ctrl-C")):
        lines.append(running.child.stdout.readline())
        assert lines[-1], (lines, running.errors)
    return "".join(lines)


def summary(running):
    """Stops the lab; returns the figures of its last lines by their words."""
    running.child.send_signal(signal.SIGINT)
    text = running.child.stdout.read()
    assert running.child.wait(timeout=60) == 0, running.errors
    assert text.startswith("summary: "), text
    figures = {"moves": int(re.search(r"moved (\d+) times", text)[1]), "text": text}
    for name in ("home", "regional"):
        accepted, sent = re.search(rf"{name} registrations: (\d+) accepted, (\d+) asked for", text).groups()
        figures[name] = (int(accepted), int(sent))
    figures["at_home"] = int(re.search(r"requests at home agents: (\d+)", text)[1])
    return figures


def calmly(condition, pause):
    """Looks after a pause each time: who asks for all rows of a large lab all the time slows it down."""
    return lambda: time.sleep(pause) or condition()


def a_region_of(running, nodes, moves, seconds=60, pause=0):
    """Waits for so many regional registrations; returns them, and the requests at home agents."""
    accepted = lambda: running.counted("mnRegionalRequestsAccepted", "mobile-node")  # noqa: E731
    wait_until(calmly(lambda: accepted() >= moves, pause), seconds, what=f"{moves} moves")
    regional = running.counted("mnRegionalRequestsAccepted", "mobile-node")
    at_home = running.counted("haRegRequestsReceived", "home-agent")
    assert set(bound(running)) <= set(GATEWAYS) and sum(bound(running).values()) == nodes
    return regional, at_home


def test_the_home_agent_sees_one_registration_of_each_node(lab):
    running = lab(nodes=20, words=REGION)
    assert "4 foreign agents, beneath 2 gateways" in running.ready, running.ready
    greeting(running)
    regional, at_home = a_region_of(running, nodes=20, moves=60)
    # A busy machine may take longer than a second, after which a request is sent again.
    assert 20 <= at_home < 30, (regional, at_home)
    # A node's own row, the row of its gateway and its binding agree.
    rows = {row["home_address"]: row for row in running.rows("show", "registrations")}
    assert len(rows) == 20 and {row["gateway"] for row in rows.values()} == set(GATEWAYS), rows
    assert all(row["care_of_address"] == row["gateway"] and row["regional_accepted"] >= 0 for row in rows.values())
    explained = running.ctl("explain", "10.99.0.1")
    assert "through gateway 127.0.3." in explained, explained
    wait_until(lambda: "entered-region" in running.ctl("show", "trail", "10.99.0.1"), what="the node's own trail")
    figures = summary(running)
    assert figures["home"] == (20, figures["at_home"]) and figures["at_home"] == at_home, figures["text"]
    assert figures["regional"][0] >= regional and figures["moves"] >= 60, figures["text"]


def test_regions_are_left_and_entered(lab):
    running = lab(nodes=8, words=[*REGION, "--regions", "2"])
    greeting(running)
    entered = lambda: running.counted("mnGatewayRegistrations", "mobile-node")  # noqa: E731
    wait_until(lambda: entered() >= 20, what="moves from region to region")
    wait_until(lambda: running.counted("mnRegionalRequestsAccepted", "mobile-node") >= 4, what="moves within one")
    # Of each node there is one binding, wherever it came from.
    assert sum(bound(running).values()) == 8 and set(bound(running)) <= set(GATEWAYS)


def kill_a_gateway(running, nodes, seconds=60, pause=0):
    """Kills the first gateway: nodes go without it, nothing of it is shown as live, and they come back to it."""

    def wait(condition, what):
        return wait_until(calmly(condition, pause), seconds, what=what)

    lines = greeting(running)
    pid, config = re.search(r"lab-gw1 is process (\d+); to start it again: mip4d run --config (\S+)", lines).groups()
    wait(lambda: bound(running)[GATEWAYS[0]] > 0, what="nodes with the first gateway")
    os.kill(int(pid), signal.SIGKILL)
    wait(lambda: bound(running)[GATEWAYS[0]] == 0, what="nodes without the first gateway")
    assert sum(bound(running).values()) == nodes, "nobody loses its binding"
    wait(lambda: running.counted("mnGatewayFailures", "mobile-node") > 0, what="failures that are counted")
    seen = lambda: {row["name"]: row["freshness"] for row in running.rows("show", "status")}["lab-gw1"]  # noqa: E731
    wait(lambda: seen() == "stale", what="a stale gateway")
    left = running.rows("show", "visitors", "--foreign-agent", GATEWAYS[0])
    assert all(row["freshness"] != "live" for row in left), left
    wait(lambda: through(running)[GATEWAYS[0]] == 0, what="the nodes' own rows")
    # A manager sees it as well: no binding at that address, and an instance that is not current.
    walked = running.snmp("snmpwalk", "MIP-MIB::haMobilityBindingCOA", options=("-OQv",))
    assert GATEWAYS[0] not in walked and len(walked) == nodes, walked

    again = Process([MIP4D, "run", "--config", config])
    try:
        wait(lambda: through(running)[GATEWAYS[0]] > 0, what="nodes that come back")
        wait(lambda: running.counted("mnGatewayReturns", "mobile-node") > 0, what="returns that are counted")
        assert seen() == "live"
        assert sum(bound(running).values()) == nodes
    finally:
        assert again.stop() == 0, again.errors


def test_a_gateway_is_killed_and_comes_back(lab):
    running = lab(nodes=12, words=[*REGION, "--regions", "2", "--gateway-processes"])
    kill_a_gateway(running, nodes=12)
    figures = summary(running)
    assert re.search(r"gateways given up: [1-9]\d* times, come back to: [1-9]\d* times", figures["text"]), figures["text"]


def test_what_makes_no_region_is_refused():
    for words, said in (
        (["--gateways", "2", "--foreign-agents", "1"], "as many foreign agents"),
        (["--gateways", "1", "--foreign-agents", "2", "--regions", "2"], "as many gateways"),
        (["--gateway-processes"], "needs `--gateways`"),
    ):
        done = subprocess.run([MIP4D, "lab", *words], capture_output=True, text=True, timeout=30)
        assert done.returncode == 2 and said in done.stderr and done.stdout == "", (words, done.stderr)


def test_soak_500_nodes_that_move_every_second(lab):
    """The figures of docs/performance.md."""
    running = lab(nodes=500, words=REGION)
    greeting(running)
    regional, at_home = a_region_of(running, nodes=500, moves=20_000, seconds=600, pause=10)
    figures = summary(running)
    print(f"in one region:\n{figures['text']}")
    # One registration a lifetime and node; a few may be sent again on a busy machine.
    assert 500 <= at_home <= 510 and figures["at_home"] == at_home == figures["home"][1], figures["text"]
    assert figures["regional"][0] >= regional


def test_soak_500_nodes_and_one_registration_a_lifetime(lab):
    """Lifetimes end meanwhile: each node renews at home between 70 and 80 % of its lifetime, and not more often.

    Who moves before the reply is there asks again: on a busy machine more is asked for than is accepted.
    """
    running = lab(nodes=500, words=[*REGION, "--lifetime", "60"])
    greeting(running)
    a_region_of(running, nodes=500, moves=20_000, seconds=600, pause=10)
    figures = summary(running)
    print(f"in one region, with lifetimes of 60 s:\n{figures['text']}")
    seconds = int(re.search(r"times in (\d+) s", figures["text"])[1])
    # Renewed every 42 to 48 s, and the start of it all.
    accepted, asked = figures["home"]
    assert 500 * int(seconds / 60) <= accepted <= 500 * (seconds / 42 + 1), figures["text"]
    assert figures["at_home"] <= asked, figures["text"]


def test_soak_500_nodes_without_gateways(lab):
    """What the same moves cost where there is no region."""
    running = lab(nodes=500, words=["--foreign-agents", "4", "--mobility", "1"])
    greeting(running)
    accepted = lambda: running.counted("mnRegRequestsAccepted", "mobile-node")  # noqa: E731
    wait_until(calmly(lambda: accepted() >= 20_000, pause=10), 600, what="20,000 moves")
    print(f"without gateways:\n{summary(running)['text']}")


def test_soak_a_gateway_of_500_nodes_is_killed(lab):
    # Half of the moves are into another region, and all of these are seen by the home agent.
    slowly = ["--gateways", "2", "--foreign-agents", "4", "--mobility", "10"]
    running = lab(nodes=500, words=[*slowly, "--regions", "2", "--gateway-processes"])
    kill_a_gateway(running, nodes=500, seconds=300, pause=3)
    print(f"killed:\n{summary(running)['text']}")
