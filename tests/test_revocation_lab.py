"""Two home agents, three foreign agents, nodes that move: revoked from both sides, and looked at from all of them."""

import collections
import json
import subprocess

import pytest

from harness import Lab, MIP4CTL, Process, wait_until
from netns import flat

HOME_AGENTS = ["127.0.0.1", "127.0.0.2"]
FOREIGN_AGENTS = ["127.0.2.1", "127.0.2.2", "127.0.2.3"]
# Of the associations between agents of a lab.
SPI = 2000


class Capture(Process):
    """`tshark` on the loopback interface, for the port of one lab."""

    def __init__(self, file, port):
        self.file, self.port = file, port
        super().__init__(["tshark", "-q", "-i", "lo", "-B", "64", "-w", str(file), "-f", f"udp port {port}"])
        wait_until(lambda: any("Capture started" in line for line in self.errors), what="a capture")

    def packets(self, display_filter):
        done = subprocess.run(
            ["tshark", "-r", str(self.file), "-d", f"udp.port=={self.port},mip", "-Y", display_filter, "-T", "json",
             "--no-duplicate-keys"], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return [flat(packet["_source"]["layers"]) for packet in json.loads(done.stdout or "[]")]


def export(running, *tables):
    """Rows of tables as they are stored, all at one revision, by their keys."""
    words = [word for table in tables for word in ("--table", table)]
    found = {table: {} for table in tables}
    for line in running.ctl("export", *words).splitlines()[1:]:
        line = json.loads(line)
        _, _, table, key = line["key"].split("/", 3)
        found[table][key] = line["row"]
    return found


def result(target):
    """The result of a target as it is stored: `acknowledged`, or `timed-out` with how many."""
    ended = target["state"]["ended"]
    return ended if isinstance(ended, str) else next(iter(ended))


def ended(running, number):
    """The targets of an operation, judged against everything else at the same revision."""
    found = export(running, "operations", "operation_shares", "operation_targets", "bindings", "visitors")
    operation = found["operations"][str(number)]
    assert operation["state"] == "done", operation
    targets = [row for row in found["operation_targets"].values() if row["id"] == number]
    shares = [row for row in found["operation_shares"].values() if row["id"] == number]
    results = collections.Counter(map(result, targets))
    for share in shares:
        assert share["state"] == "done" and share["targets"] == sum(share["results"].values()), share
    assert sum((collections.Counter(share["results"]) for share in shares), collections.Counter()) == results
    assert set(results) <= {"acknowledged", "gone"}, results
    for target in targets:
        kind, key = target["target"].split("/", 1)
        rows = found["bindings" if kind == "binding" else "visitors"]
        # A node may be back under the same key: then it has registered since.
        assert key not in rows or rows[key]["created_at"] > target["since"], (target, rows[key])
    return targets


def at_rest(running, count):
    """Store, shell and SNMP, if they agree on `count` nodes and nothing has changed meanwhile."""
    before = export(running, "bindings", "visitors")
    shell = running.rows("show", "bindings")
    snmp = running.snmp("snmpbulkwalk", "MIP4-EXT-MIB::mip4ExtBindingForeignAgent", options=("-OQnU",))
    standard = running.snmp("snmpbulkwalk", "MIP-MIB::haMobilityBindingTimeRemaining", options=("-OQnU",))
    visitors = running.snmp("snmpbulkwalk", "MIP4-EXT-MIB::mip4ExtVisitorCareOfAddress", options=("-OQnU",))
    after = export(running, "bindings", "visitors")
    if list(before["bindings"]) != list(after["bindings"]) or list(before["visitors"]) != list(after["visitors"]):
        return None
    bound = {(row["home_agent"], row["home_address"], row["care_of_address"]) for row in before["bindings"].values()}
    accepted = {(row["home_agent"], row["home_address"], row["care_of_address"])
                for row in before["visitors"].values() if row["accepted"]}
    if len(bound) != count or not bound <= accepted:
        return None
    assert {(row["home_agent"], row["home_address"], row["care_of_address"]) for row in shell} == bound
    # The index starts with home agent, home address and care-of address.
    indexes = (line.split(" = ")[0].split(".434.1.2.2.1.")[1].split(".")[1:13] for line in snmp)
    assert {tuple(".".join(index[at:at + 4]) for at in (0, 4, 8)) for index in indexes} == bound
    assert len(standard) == count
    assert len(visitors) == len(before["visitors"])
    return bound


def revoked_and_seen(tmp_path, nodes, mobility):
    words = ["--home-agents", "2", "--foreign-agents", "3", "--mobility", str(mobility)]
    running = Lab(tmp_path / "lab", nodes=nodes, words=words)
    capture = Capture(tmp_path / "capture.pcapng", running.mip_port)
    try:
        operations = []
        for noun, *selector in [
            ("binding", "--nai", "*@lab.example"),
            ("binding", "--foreign-agent", FOREIGN_AGENTS[0]),
            ("binding", "--network", f"10.99.0.0/{32 - (nodes // 2).bit_length()}"),
            ("visitor", "--foreign-agent", FOREIGN_AGENTS[1]),
            ("visitor", "--home-agent", HOME_AGENTS[1]),
        ]:
            wait_until(lambda: len(running.rows("show", "bindings")) >= nodes * 2 // 3, seconds=120, what="most are bound")
            preview = wait_until(lambda: previewed(running, noun, selector), seconds=120, what=f"somebody at {selector}")
            assert all(row["targets"] for row in preview)
            (operation,) = running.rows("revoke", noun, *selector, "--yes", "--wait", "--timeout", "120s")
            targets = ended(running, operation["id"])
            assert len(targets) == operation["targets"] > 0
            fits(noun, selector, targets)
            operations.append((noun, targets))
        everybody = wait_until(lambda: at_rest(running, nodes), seconds=180, what="everybody back, everywhere the same")
        assert {home_agent for home_agent, _, _ in everybody} == set(HOME_AGENTS)
        done = subprocess.run(
            [MIP4CTL, "--store", f"unix:{running.directory}/store.sock", "show", "operations"],
            capture_output=True, text=True, timeout=60, check=True)
        assert len(done.stdout.splitlines()) == 1 + len(operations), done.stdout
        assert capture.kill(2) == 0
        judge(capture, operations)
    finally:
        capture.kill()
        running.stop()


def previewed(running, noun, selector):
    """What would be revoked; nothing while, by chance, no node is where the selector says."""
    store = f"unix:{running.directory}/store.sock"
    done = subprocess.run(
        [MIP4CTL, "--store", store, "-o", "json", "revoke", noun, *selector, "--dry-run"],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode in (0, 4), done.stderr
    return json.loads(done.stdout)["rows"] if done.returncode == 0 else None


def fits(noun, selector, targets):
    """Every target is one that the selector names."""
    option, value = selector
    for target in targets:
        _, agent, *parts = target["target"].split("/")
        if option == "--nai":
            assert target["target"].endswith("@lab.example"), target
        elif option == "--foreign-agent":
            assert (agent if noun == "visitor" else parts[1]) == value, target
        elif option == "--network":
            assert parts[0].startswith("10.99.0."), target


def judge(capture, operations):
    """What was on the wire is what the RFC's figures and our rows say, in the words of `tshark`."""
    assert capture.packets("_ws.malformed") == []
    revocations = capture.packets("mip.type == 7")
    acknowledgments = capture.packets("mip.type == 15")
    asked = {}
    for packet in revocations:
        source, to = packet["ip.src"][0], packet["ip.dst"][0]
        home_agent, foreign_agent = packet["mip.rev.hda"][0], packet["mip.rev.fda"][0]
        # §3.3: A says which side sends.
        sides = {"1": (home_agent, foreign_agent), "0": (foreign_agent, home_agent)}
        assert (source, to) == sides[packet["mip.rev.a"][0]], packet
        assert home_agent in HOME_AGENTS and foreign_agent in FOREIGN_AGENTS
        assert packet["mip.homeaddr"][0].startswith("10.99.")
        assert [int(spi, 16) for spi in packet["mip.auth.spi"]] == [SPI] and packet["mip.ext.type"] == ["34"], packet
        # What is reserved is zero.
        assert packet["mip.rev.reserved"] == ["0x00"] and packet["mip.rev.reserved2"] == ["0x0000"], packet
        name = source, to, packet["mip.homeaddr"][0], packet["mip.revid"][0]
        assert name not in asked, "an identifier was used twice"
        asked[name] = packet
    answered = set()
    for packet in acknowledgments:
        name = packet["ip.dst"][0], packet["ip.src"][0], packet["mip.homeaddr"][0], packet["mip.revid"][0]
        assert name in asked, packet
        assert [int(spi, 16) for spi in packet["mip.auth.spi"]] == [SPI] and packet["mip.ext.type"] == ["34"], packet
        # §3.4: I is set only where it was asked with.
        assert packet["mip.ack.i"][0] <= asked[name]["mip.rev.i"][0], packet
        answered.add(name)
    pairs = {(source, to, home) for source, to, home, _ in answered}
    for noun, targets in operations:
        for target in targets:
            if result(target) != "acknowledged":
                continue
            _, agent, first, second, *_ = target["target"].split("/")
            if noun == "binding":
                assert (agent, second, first) in pairs, target
            else:
                assert any((agent, home_agent, second) in pairs for home_agent in HOME_AGENTS), target
    directions = {packet["mip.rev.a"][0] for packet in revocations}
    assert directions == {"0", "1"}, "both sides revoked"


def test_revoked_from_both_sides_while_nodes_move(tmp_path):
    revoked_and_seen(tmp_path, nodes=12, mobility=6)


@pytest.mark.parametrize("mobility", [20, 60])
def test_soak_revoked_from_both_sides_while_200_nodes_move(tmp_path, mobility):
    revoked_and_seen(tmp_path, nodes=200, mobility=mobility)
