"""Two home agents, two foreign agents and a mobile node in five processes, each killed and restarted in turn."""

import json
import pathlib
import time

import pytest

from harness import wait_until
from netns import Site
from test_netns import (
    FIRST, FOREIGN, HOME, HOME_AGENT, KEY, MOBILE, NODE, SECOND, bound_at, registered_with,
)

STRANGER = str(pathlib.Path(__file__).parent / "stranger.py")
OTHER_HOME_AGENT, OTHER_NODE = "10.0.0.2", "10.0.0.8"

OTHER_HOME = f"""
[store]
connect = "unix:{{directory}}/store.sock"
[home-agent]
address = "{OTHER_HOME_AGENT}"
max-lifetime = 600
[[association]]
peer = "{OTHER_NODE}"
spi = 1000
key = "hex:{KEY}"
"""

# Counts of what goes on while nobody registers: advertisements, and what asks for them.
MOVING = {"maAdvertisementsSent", "maAdvsSentForSolicitation", "maSolicitationsReceived",
          "mnAdvertisementsReceived", "mnSolicitationsSent"}


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    try:
        site.host("ha1", "home", HOME_AGENT)
        site.host("ha2", "home", OTHER_HOME_AGENT)
        site.host("fa1", "one", FIRST)
        site.host("fa2", "two", SECOND)
        site.host("mn", "one", NODE, gateway=False)
        site.host("other", "two", "10.2.0.8")
        yield site
    finally:
        site.close()


def register(site, *words):
    """The other node asks for a binding at the other home agent, through the other foreign agent."""
    said = site.run("other", "/usr/bin/python3", STRANGER, "register", SECOND, OTHER_HOME_AGENT,
                    OTHER_NODE, SECOND, *map(str, words))
    return [json.loads(line) for line in said.splitlines()]


def state(site):
    """What must outlive a kill: who is bound where, who visits, and what was accepted last."""
    bindings = {
        (row["home_agent"], row["home_address"]): (row["care_of_address"], row["foreign_agent"], row["lifetime_granted"])
        for row in site.rows("show", "bindings")}
    visitors = {
        (row["foreign_agent"], row["home_address"]): (row["home_agent"], row["lifetime_granted"])
        for row in site.rows("show", "visitors") if row["accepted"]}
    return bindings, visitors


def identifications(site):
    return {row["home_address"]: (row["identification_high"], row["identification_low"])
            for row in site.rows("show", "bindings")}


def counters(site):
    """What every role of every instance has counted."""
    return {(row["instance"], row["role"], name): value
            for row in site.rows("show", "statistics")
            for name, value in row["values"].items() if name not in MOVING}


def settled(site):
    """Counters that have followed: two looks a while apart agree."""
    while True:
        before = counters(site)
        time.sleep(0.5)
        if counters(site) == before:
            return before


def test_each_of_five_processes_is_killed_and_restarted_in_turn(site):
    directory = site.directory
    configurations = {
        "ha1": HOME.format(directory=directory),
        "ha2": OTHER_HOME.format(directory=directory),
        "fa1": FOREIGN.format(directory=directory, address=FIRST),
        "fa2": FOREIGN.format(directory=directory, address=SECOND),
        "mn": MOBILE.format(directory=directory, home_agent=f'home-agent = "{HOME_AGENT}"'),
    }
    daemons = {host: site.daemon(host, text).start() for host, text in configurations.items()}
    wait_until(lambda: registered_with(site, FIRST), seconds=60, what="the mobile node")
    saved = directory / "request"
    accepted_now = {"event": "reply", "code": 0, "authentic": True}
    assert register(site, "--save", saved) == [accepted_now]
    expected = {
        (HOME_AGENT, NODE): (FIRST, FIRST, 300),
        (OTHER_HOME_AGENT, OTHER_NODE): (SECOND, SECOND, 300),
    }, {(FIRST, NODE): (HOME_AGENT, 300), (SECOND, OTHER_NODE): (OTHER_HOME_AGENT, 300)}
    assert state(site) == expected

    for victim, daemon in daemons.items():
        counted, replay = settled(site), identifications(site)
        daemon.kill()
        daemon.start()
        if victim == "mn":
            # It knows nothing of its last life, and registers anew; the binding is renewed.
            wait_until(lambda: identifications(site)[NODE] != replay[NODE], seconds=60, what="another request")
            wait_until(lambda: registered_with(site, FIRST), what="the node's own row")
        wait_until(lambda: state(site) == expected, seconds=60, what=f"the state after {victim} was killed")
        if victim != "mn":
            found = identifications(site)
            assert found[OTHER_NODE] == replay[OTHER_NODE], victim
            # The mobile node registers anew when it hears that its foreign agent has started anew, which takes a while.
            assert found[NODE] >= replay[NODE], victim
        for key, value in settled(site).items():
            assert value >= counted.get(key, 0), (victim, key)
        missing = counted.keys() - counters(site).keys()
        assert not missing, (victim, missing)
        # Nobody else noticed: they serve, and the store takes their rows.
        assert all(other.alive() for other in daemons.values())
        status = {row["name"]: row for row in site.rows("show", "status")}
        assert {status[host]["state"] for host in daemons} == {"serving"}, victim
        assert {status[host]["freshness"] for host in daemons} == {"live"}, victim
        # What was accepted once is not accepted again, whoever was killed.
        mismatches = site.counter("haIDMismatch", "ha2")
        accepted = site.counter("haRegistrationAccepted", "ha2")
        relayed = site.counter("faRegRepliesRelayed", "fa2")
        refused = {"event": "replayed", "code": 133}
        assert register(site, "--again", saved, "--save", saved) == [refused, accepted_now], victim
        wait_until(lambda: site.counter("haIDMismatch", "ha2") == mismatches + 1, what="the replay counted")
        wait_until(lambda: site.counter("haRegistrationAccepted", "ha2") == accepted + 1, what="one more")
        wait_until(lambda: site.counter("faRegRepliesRelayed", "fa2") == relayed + 2, what="both relayed")
        assert state(site) == expected, victim
    for daemon in reversed(daemons.values()):
        assert daemon.stop() == 0, daemon.errors
