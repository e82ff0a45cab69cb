"""Regions as SNMP shows them: gateways, what is beneath them, who is there, who configured it, and what was taken back."""

import pytest

from harness import Daemon, TrapReceiver, free_port, wait_until
from test_gateway import FIRST, GATEWAY, HOME_AGENT, SECOND, node, region  # noqa: F401

WATCHER = """
[daemon]
name = "watcher"
[store]
connect = "unix:{socket}"
[snmp]
listen = ["udp:127.0.0.1:{port}"]
state-file = "{directory}/snmp-engine.json"
[[snmp.community]]
name = "public"
[[snmp.target]]
name = "noc"
address = "udp:127.0.0.1:{traps}"
version = "2c"
community = "noc"
"""


def shown(running, table, of):
    """The rows of a table by their indexes, with the columns in `of`."""
    found = {}
    for column in of:
        for line in running.snmp("snmpwalk", f"MIP4-EXT-MIB::mip4ExtRegional{table}{column}", options=("-OQ",)):
            name, _, text = line.partition(" = ")
            index = name.partition(".")[2]
            found.setdefault(index, {})[column] = text.strip().strip('"')
    return found


def test_a_region_as_the_shell_shows_it(region):  # noqa: F811
    mine = node(region)
    assert mine.register_at_home(HOME_AGENT).code == 0
    for agent in (SECOND, FIRST):
        assert mine.register_regionally((agent, region.port), care_of=agent).code == 0
    gateways = lambda: shown(region, "Gateway", of=("RegionalLifetime", "Replay", "Dynamic", "Origin", "ForeignAgents", "Visitors", "State"))  # noqa: E731
    expected = {"RegionalLifetime": "300 seconds", "Replay": "any", "Dynamic": "false", "Origin": "cli", "ForeignAgents": "2",
                "Visitors": "1", "State": "serving"}
    wait_until(lambda: gateways() == {GATEWAY: expected}, what="the gateway with its visitor")
    beneath = shown(region, "ForeignAgent", of=("IsPrimary", "Assignment", "Nai", "Spi", "State"))
    assert beneath == {
        f"{GATEWAY}.{agent}": {"IsPrimary": "true", "Assignment": "advertised", "Nai": f"fa{spi}@region.example", "Spi": str(spi),
                               "State": "serving"}
        for agent, spi in ((FIRST, 5001), (SECOND, 5002))}
    visitors = shown(region, "Visitor", of=("Gateway", "LocalCareOfAddress", "TimeGranted", "Accepted", "Replay"))
    mine_there = [row for index, row in visitors.items() if index.startswith(GATEWAY)]
    assert mine_there == [{"Gateway": GATEWAY, "LocalCareOfAddress": FIRST, "TimeGranted": "300 seconds", "Accepted": "2",
                           "Replay": "timestamps"}], visitors
    # Two that moved within the region, as the gateway counted them and as the shell has it.
    accepted = lambda: [row["RequestsAccepted"] for row in shown(region, "Counter", of=("RequestsAccepted",)).values()]  # noqa: E731
    wait_until(lambda: "2" in accepted(), what="the counter")
    codes = region.snmp("snmpwalk", "MIP4-EXT-MIB::mip4ExtReplyCount.gateway", options=("-OQUe",))
    assert any(".0." in line.partition(" = ")[0] for line in codes), codes


def test_who_configured_it_and_since_when(region):  # noqa: F811
    value = lambda name: region.snmp_value(f"MIP4-EXT-MIB::mip4ExtRegional{name}")  # noqa: E731
    assert [value("Revision.0"), value("ConfirmWithin.0"), value("CommitReason.1")] == ["1", "0", "a region"]
    (row,) = region.rows("regional", "history")
    assert value("ChangedBy.0") == row["who"] == value("CommitWho.1")
    region.ctl("regional", "set", "gateway", GATEWAY, "--lifetime", "600")
    region.ctl("regional", "commit", "confirmed", "10m", "--reason", "shorter")
    assert value("Revision.0") == "2" and 590 <= int(value("ConfirmWithin.0")) <= 600
    assert region.snmp("snmpget", "MIP4-EXT-MIB::mip4ExtRegionalCommitState.2", options=("-OQv",)) == ["unconfirmed"]
    region.ctl("regional", "confirm")
    assert value("ConfirmWithin.0") == "0" and value("CommitEndedBy.2") == row["who"]


@pytest.fixture
def traps(tmp_path, region):  # noqa: F811
    receiver = TrapReceiver(tmp_path)
    port = free_port()
    config = WATCHER.format(
        socket=region.directory / "store.sock", port=port, traps=receiver.port, directory=tmp_path / "watcher")
    watcher = Daemon(tmp_path / "watcher", config=config)
    watcher.serving = lambda: any(" serving" in line for line in watcher.errors)
    watcher.start()
    watcher.snmp_port = port
    # It has looked once when it has told of itself.
    wait_until(lambda: receiver.got("coldStart"), what="the first notification")
    receiver.watcher = watcher
    yield receiver
    watcher.stop()
    receiver.kill()


def test_a_commit_that_nobody_confirms_is_told_of_when_it_is_taken_back(region, traps):  # noqa: F811
    region.ctl("regional", "set", "gateway", GATEWAY, "--lifetime", "600")
    region.ctl("regional", "commit", "confirmed", "2s", "--reason", "try it")
    assert not traps.got("mip4ExtRegionalRolledBack")
    wait_until(lambda: traps.got("mip4ExtRegionalRolledBack"), what="the notification")
    text = traps.text()
    for words in ("mip4ExtRegionalCommitCause.3 = INTEGER: notConfirmed(3)", "mip4ExtRegionalCommitOf.3 = Gauge32: 2",
                  "was not confirmed in time", "mip4ExtRegionalCommitChanges.3 = Gauge32: 1"):
        assert words in text, (words, text)
    assert region.rows("regional", "history")[0]["id"] == 3
    # A commit is none, going back by hand is one; and with its gate shut it is counted instead.
    region.ctl("regional", "set", "gateway", GATEWAY, "--lifetime", "700")
    region.ctl("regional", "commit")
    region.ctl("regional", "rollback")
    wait_until(lambda: traps.text().count("mip4ExtRegionalRolledBack") == 2, what="the second notification")
    assert "mip4ExtRegionalCommitCause.5 = INTEGER: rollBack(2)" in traps.text()
    region.ctl("setting", "set", "notification-gate", "regional", "--open", "no")
    gate = lambda name: traps.watcher.snmp_value(f"MIP4-EXT-MIB::mip4ExtGate{name}.regional")  # noqa: E731
    wait_until(lambda: gate("Open") == "2", what="the gate to shut")
    region.ctl("regional", "set", "gateway", GATEWAY, "--lifetime", "800")
    region.ctl("regional", "commit")
    region.ctl("regional", "rollback")
    wait_until(lambda: gate("Suppressed") == "1", what="one that is not sent")
    assert gate("Sent") == "2" and traps.text().count("mip4ExtRegionalRolledBack") == 2
