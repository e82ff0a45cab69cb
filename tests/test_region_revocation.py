"""Revocation (RFC 3543) from end to end of a region (RFC 4857): home agent, gateway, foreign agents, all of them real."""

import os
import signal
import time

import pytest

import summary
from harness import wait_until
from region import HOME_AGENT, configure, key_of, start_region, visitors
from region_load import Load, LoadNode
from regional_node import RegionalNode

GATEWAY, FIRST, SECOND = "127.0.0.9", "127.0.0.11", "127.0.0.12"
HOMES = [f"10.99.6.{number}" for number in range(1, 5)]
#: Between two messages about one registration (RFC 3543 §3.3).
SPACING = 1.1


@pytest.fixture
def region(daemon):
    served = start_region(daemon, [(GATEWAY, FIRST), (None, SECOND)], HOMES)
    configure(served, {FIRST: GATEWAY, SECOND: GATEWAY}, regional_lifetime=300)
    return served


def nodes(region, agent=FIRST):
    """Nodes that are registered at home through a foreign agent."""
    made = [
        RegionalNode((agent, region.port), home, GATEWAY, key_of("node"), source=f"127.0.6.{number}")
        for number, home in enumerate(HOMES, 1)
    ]
    for one in made:
        reply = one.register_at_home(HOME_AGENT)
        assert reply.code == 0
    wait_until(lambda: len(visitors(region, agent)) == len(HOMES), what="all of them at their foreign agent")
    return made


def at_home_and_beneath(region):
    """How many bindings there are, and visitors of gateway and foreign agents."""
    return [len(region.rows("show", "bindings")), *(len(visitors(region, agent)) for agent in (GATEWAY, FIRST, SECOND))]


def operation_of(region, *words):
    """Revokes, waits for the end, and returns the results of the operation's targets."""
    region.ctl(*words, "--yes", "--wait", "--reason", "from end to end")
    last = max(region.rows("show", "operations"), key=lambda row: row["id"])
    return last


def events(region, home):
    return [row["event"] for row in region.rows("show", "trail", home)]


def test_what_the_home_agent_revokes_ends_at_the_foreign_agents(region):
    mine = nodes(region)
    time.sleep(SPACING)
    # One has moved within the region; what it left behind is revoked there, and nobody at home hears of it.
    moved = mine[0]
    assert moved.register_regionally((SECOND, region.port), care_of=SECOND).code == 0
    wait_until(lambda: at_home_and_beneath(region) == [4, 4, 3, 1], what="nothing left at the first foreign agent")
    assert region.counted("revocationsReceived", "home-agent") == 0

    time.sleep(SPACING)
    done = operation_of(region, "revoke", "binding", "--all")
    assert done["state"] == "done" and done["results"] == {"acknowledged": 4}, done
    wait_until(lambda: at_home_and_beneath(region) == [0, 0, 0, 0], what="the end of all of them")
    wait_until(lambda: region.counted("revocationsReceived", "foreign-agent") == 5, what="five at the foreign agents")
    assert region.counted("revocationsAcknowledged", "gateway") == 5
    assert region.counted("revocationsReceived", "gateway") == 4
    wait_until(lambda: "revoked-by-home-agent" in events(region, HOMES[1]), what="it in the trail of the node")

    # They may come back, regionally only after a home registration.
    assert moved.register_regionally().code == 193
    assert moved.register_at_home(HOME_AGENT).code == 0


def test_what_a_foreign_agent_revokes_ends_at_home(region):
    mine = nodes(region)
    time.sleep(SPACING)
    done = operation_of(region, "revoke", "visitor", "--foreign-agent", FIRST, "--home-address", HOMES[0])
    assert done["results"] == {"acknowledged": 1}, done
    wait_until(lambda: at_home_and_beneath(region) == [3, 3, 3, 0], what="one fewer everywhere")
    wait_until(lambda: "revoked-by-foreign-agent" in events(region, HOMES[0]), what="it in the trail of the node")
    assert mine[0].register_regionally().code == 193
    # What a node was before it moved is not revoked with where it is.
    assert mine[1].register_regionally((SECOND, region.port), care_of=SECOND).code == 0
    wait_until(lambda: at_home_and_beneath(region) == [3, 3, 2, 1], what="the move")


def test_what_a_gateway_revokes_ends_on_both_sides(region):
    nodes(region)
    time.sleep(SPACING)
    done = operation_of(region, "revoke", "visitor", "--foreign-agent", GATEWAY)
    assert done["results"] == {"acknowledged": 4}, done
    wait_until(lambda: at_home_and_beneath(region) == [0, 0, 0, 0], what="the end of all of them")


def test_a_gateway_that_is_killed_goes_on_with_what_it_began(region):
    """The foreign agent does not hear; home agent and gateway, one process with the store, are killed meanwhile."""
    (other,) = region.others
    mine = nodes(region, agent=SECOND)
    assert len(mine) == len(HOMES)
    time.sleep(SPACING)
    os.kill(other.served_pid(), signal.SIGSTOP)
    try:
        done = operation_of(region, "revoke", "binding", "--all")
        assert done["results"] == {"acknowledged": 4}, done
        assert region.rows("show", "bindings") == []
        assert len(visitors(region, GATEWAY)) == 4, "they are there until the foreign agent knows"
        region.kill()
        region.start()
        assert len(visitors(region, GATEWAY)) == 4
    finally:
        os.kill(other.served_pid(), signal.SIGCONT)
    wait_until(lambda: at_home_and_beneath(region) == [0, 0, 0, 0], seconds=90, what="the end of all of them")


def test_soak_hundreds_are_revoked_through_a_gateway(daemon):
    count = 500
    homes = [f"10.98.{number // 200}.{number % 200 + 1}" for number in range(count)]
    served = start_region(daemon, [(GATEWAY, FIRST), (None, SECOND)], homes)
    configure(served, {FIRST: GATEWAY, SECOND: GATEWAY})
    spread = [FIRST, SECOND]
    made = [
        LoadNode(home, f"127.2.{number // 200}.{number % 200 + 1}", spread[number % 2], [GATEWAY])
        for number, home in enumerate(homes)
    ]
    load = Load(made, served.port, period=6.0)
    load.start()
    wait_until(lambda: at_home_and_beneath(served) == [count, count, count // 2, count // 2], seconds=120, what="all of them")
    load.stop()
    time.sleep(SPACING)
    start = time.monotonic()
    done = operation_of(served, "revoke", "binding", "--all")
    at_home = time.monotonic() - start
    assert done["results"] == {"acknowledged": count}, done
    wait_until(lambda: at_home_and_beneath(served) == [0, 0, 0, 0], seconds=60, what="the end of all of them")
    beneath = time.monotonic() - start
    summary.say(f"revoked through a gateway: {count} bindings acknowledged in {at_home:.1f} s, gone at their foreign agents in {beneath:.1f} s")
