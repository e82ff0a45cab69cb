"""`mip4d lab` with several agents, with nodes that move, and with loss."""

import collections
import subprocess

from harness import MIP4D, wait_until

FOREIGN_AGENTS = ["127.0.2.1", "127.0.2.2", "127.0.2.3"]


def identity(row):
    return row["nai"] or row["home_address"]


def test_nodes_are_spread_over_the_agents_and_the_rows_agree(lab):
    running = lab(nodes=12, words=["--home-agents", "2", "--foreign-agents", "3"])
    assert "12 mobile nodes" in running.ready and "3 foreign agents" in running.ready
    bindings = running.rows("show", "bindings")
    visitors = running.rows("show", "visitors")
    assert collections.Counter(row["home_agent"] for row in bindings) == {"127.0.0.1": 6, "127.0.0.2": 6}
    assert collections.Counter(row["foreign_agent"] for row in visitors) == {agent: 4 for agent in FOREIGN_AGENTS}
    seen = {(identity(row), row["home_agent"], row["care_of_address"]) for row in visitors if row["accepted"]}
    assert seen == {(identity(row), row["home_agent"], row["care_of_address"]) for row in bindings}
    assert all(row["foreign_agent"] == row["care_of_address"] for row in bindings)
    # Relaxed rows follow by a moment.
    wait_until(lambda: running.counted("faRegRepliesRelayed", "foreign-agent") == 12, what="counters")
    wait_until(lambda: running.counted("mnRegRequestsAccepted", "mobile-node") == 12, what="counters of nodes")
    assert running.counter("haRegistrationAccepted") == 12
    roles = {role for row in running.rows("show", "status") for role in row["roles"]}
    assert {"home-agent", "foreign-agent", "mobile-node"} <= roles
    assert all(row["state"] == "serving" for row in running.rows("show", "status"))


def test_foreign_agents_advertise_and_managers_see_it(lab):
    running = lab(nodes=6, words=["--foreign-agents", "3"])
    walked = running.snmp("snmpwalk", "MIP-MIB::faCOATable", options=("-OQUes",))
    assert {line.split(" ")[0].split(".", 1)[1] for line in walked} == set(FOREIGN_AGENTS)
    assert len(running.snmp("snmpwalk", "MIP-MIB::maAdvMaxInterval", options=("-OQv",))) == 3
    wait_until(lambda: running.counter("maAdvsSentForSolicitation") >= 3)
    assert running.counter("mnAdvertisementsReceived") >= 6


def test_nodes_move_between_foreign_agents_in_spite_of_loss(lab):
    running = lab(nodes=8, words=["--foreign-agents", "3", "--mobility", "1", "--loss", "10"])
    moves = lambda: running.counted("mnMoveFromFAToFA", "mobile-node")
    wait_until(lambda: moves() >= 20, seconds=60, what="twenty moves")
    # Of each node there is one binding at any time, and a visitor where it is bound.
    bindings = running.rows("show", "bindings")
    assert collections.Counter(map(identity, bindings)) == {identity(row): 1 for row in bindings}
    assert len(bindings) == 8 and {row["care_of_address"] for row in bindings} <= set(FOREIGN_AGENTS)
    assert all(row["freshness"] == "live" for row in bindings)


def test_nodes_with_addresses_of_their_own_move_too(lab):
    running = lab(nodes=4, words=["--mobility", "1"])
    before = {identity(row): row["care_of_address"] for row in running.rows("show", "bindings")}

    def all_moved():
        rows = running.rows("show", "bindings")
        return len(rows) == 4 and all(before[identity(row)] != row["care_of_address"] for row in rows)

    wait_until(all_moved, what="every node elsewhere")
    assert running.rows("show", "visitors") == []


def test_one_foreign_agent_is_no_place_to_move_to():
    done = subprocess.run(
        [MIP4D, "lab", "--foreign-agents", "1", "--mobility", "5"], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2 and "two foreign agents" in done.stderr and done.stdout == ""
