"""What managers SET is what daemons do: advertisements, care-of addresses and home agents, on real interfaces."""

import json
import pathlib
import subprocess

import pytest

from harness import MODULES, WRITING_USER, wait_until
from netns import Site, ip

NMS, HOME_AGENT, OTHER_HOME_AGENT, FIRST, NODE = "10.0.0.9", "10.0.0.1", "10.0.0.2", "10.1.0.1", "10.0.0.7"
# A care-of address that the foreign agent's host has, and one that it has not.
SECOND, NOWHERE = "10.1.0.2", "10.1.0.99"
AWAY = "10.2.0.7"
KEY = "00112233445566778899aabbccddeeff"
STRANGER = str(pathlib.Path(__file__).parent / "stranger.py")

MANAGEMENT = f"""
[store]
path = "{{directory}}/store"
socket = "{{directory}}/store.sock"
[snmp]
listen = ["udp:{NMS}:1161"]
[[snmp.community]]
name = "public"
""" + WRITING_USER

HOME = f"""
[store]
connect = "unix:{{directory}}/store.sock"
[home-agent]
address = "{{address}}"
max-lifetime = 600
[[association]]
peer = "{NODE}"
spi = {{spi}}
key = "hex:{KEY}"
"""

FOREIGN = f"""
[store]
connect = "unix:{{directory}}/store.sock"
[foreign-agent]
address = "{FIRST}"
max-lifetime = 500
[[advertise]]
interface = "eth0"
max-interval = 4
min-interval = 3
lifetime = 5
"""

MOBILE = f"""
[store]
connect = "unix:{{directory}}/store.sock"
[mobile-node]
co-located = "{AWAY}"
home-address = "{NODE}"
home-agent = "{HOME_AGENT}"
lifetime = 300
[[association]]
peer = "{HOME_AGENT}"
spi = 1000
key = "hex:{KEY}"
"""


class Managed(Site):
    """A site with a host that has the store and SNMP."""

    def manage(self):
        self.host("nms", "home", NMS)
        return self.daemon("nms", MANAGEMENT.format(directory=self.directory)).start()

    def snmpset(self, *words):
        return subprocess.run(
            [*self.within("nms"), "snmpset", "-v3", "-l", "authPriv", "-u", "writer", "-a", "SHA-256", "-A",
             "authentication", "-x", "AES", "-X", "privacy-privacy", "-t", "8", "-r", "1", "-M", str(MODULES),
             "-m", "MIP-MIB", f"udp:{NMS}:1161", *words],
            capture_output=True, text=True, timeout=60)

    def assign(self, *words):
        done = self.snmpset(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)

    def refuses(self, error, *words):
        done = self.snmpset(*words)
        assert done.returncode != 0 and error in done.stderr, (words, done.stdout, done.stderr)

    def get(self, name):
        return self.run("nms", "snmpget", "-v2c", "-c", "public", "-M", str(MODULES), "-m", "MIP-MIB", "-OQUev",
                        f"udp:{NMS}:1161", name).strip().strip('"')

    def advertised(self):
        rows = [row for row in self.rows("show", "advertisements") if row["direction"] == "sent"]
        return rows[0] if rows else None

    def settings(self):
        return {(row["scope"], row["kind"], row["index"]): row for row in self.rows("show", "settings")}

    def heard(self, more):
        """Returns once so many more advertisements were sent."""
        before = self.counter("maAdvertisementsSent", "fa1")
        wait_until(lambda: self.counter("maAdvertisementsSent", "fa1") >= before + more, seconds=60, what="advertisements")


@pytest.fixture
def site(tmp_path):
    site = Managed(tmp_path)
    try:
        yield site
    finally:
        site.close()


def test_advertisements_are_what_was_set_after_a_restart_too_and_the_files_again(site):
    site.manage()
    site.host("fa1", "one", FIRST)
    foreign_agent = site.daemon("fa1", FOREIGN.format(directory=site.directory)).start()
    capture = site.capture(["fa1"])
    site.heard(1)
    row = site.advertised()["interface"]
    assert site.get(f"maAdvertStorageType.{row}") == "4"
    # Nothing is changed while the row is active, and nothing that RFC 1256 forbids.
    site.refuses("inconsistentValue", f"maAdvertMaxAdvLifetime.{row}", "i", "40")
    out = (f"maAdvertStatus.{row}", "i", "notInService")
    site.refuses("inconsistentValue", *out, f"maAdvertMaxAdvLifetime.{row}", "i", "3600", f"maAdvertMinInterval.{row}", "i", "5")
    site.assign(*out, f"maAdvertMaxAdvLifetime.{row}", "i", "40", f"maAdvertMaxRegLifetime.{row}", "i", "321",
             f"maAdvertPrefixLengthInclusion.{row}", "i", "false", f"maAdvertAddress.{row}", "a", "255.255.255.255",
             f"maAdvertNetworkNAI.{row}", "s", "net@example.net")
    site.assign(f"faAdvertRegRequired.{row}", "i", "true")
    assert site.get(f"maAdvertStatus.{row}") == "2"
    site.assign(f"maAdvertStatus.{row}", "i", "active")
    changed = {"lifetime": 40, "registration_lifetime": 321, "destination": "255.255.255.255", "prefix_lengths": []}

    def shows(expected):
        row = site.advertised()
        return all(row[name] == value for name, value in expected.items())

    wait_until(lambda: shows(changed), what="the row of what is advertised")
    site.heard(2)
    assert "R" in site.advertised()["flags"]
    setting = site.settings()["instance fa1", "advertisement", f"interface {row}"]
    assert (setting["origin"], setting["storage"], setting["changed_by"]) == ("snmp", "non-volatile", "snmp:writer")
    assert setting["values"]["lifetime"] == 40
    foreign_agent.stop()
    foreign_agent.start()
    wait_until(lambda: shows(changed), what="the same after a restart")
    site.heard(1)
    site.assign(f"maAdvertStatus.{row}", "i", "destroy")
    site.assign(f"faAdvertRegRequired.{row}", "i", "false")
    wait_until(lambda: shows({"lifetime": 5, "registration_lifetime": 500}), what="what the file says")
    site.heard(2)
    assert foreign_agent.stop() == 0, foreign_agent.errors
    assert capture.stop() == 0
    judge(capture)


def judge(capture):
    """The advertisements in the order in which they left: as the file has it, as it was set, as before."""
    assert capture.packets("_ws.malformed") == []
    seen = []
    for packet in capture.packets("icmp.type == 9"):
        lifetime = packet["icmp.lifetime"][0] if "icmp.lifetime" in packet else packet["icmp.mip.lifetime"][0]
        now = (packet["icmp.mip.life"][0], packet["icmp.mip.r"][0], packet["ip.dst"][0], "icmp.mip.prefixlength" in packet)
        if lifetime != "0" and (not seen or seen[-1] != now):
            seen.append(now)
    everybody = "224.0.0.1"
    assert seen == [("500", "0", everybody, True), ("321", "1", "255.255.255.255", False), ("500", "0", everybody, True)] or \
        seen == [("500", "0", everybody, True), ("321", "1", "255.255.255.255", False), ("500", "1", everybody, True),
                 ("500", "0", everybody, True)], seen


def test_what_the_shell_refuses_snmp_refuses_too(site):
    site.manage()
    site.host("fa1", "one", FIRST)
    site.daemon("fa1", FOREIGN.format(directory=site.directory)).start()
    site.heard(1)
    row = site.advertised()["interface"]
    out = (f"maAdvertStatus.{row}", "i", "notInService")
    values = {"registration_lifetime": 500, "prefix_lengths": True, "destination": "224.0.0.1", "interval_max": 4,
              "interval_min": 3, "lifetime": 5, "solicited_only": False, "home_agent": False, "foreign_agent": True}
    wrong = [
        ("maAdvertMaxInterval", "i", "1801", "wrongValue", {"interval_max": 1801, "lifetime": 9000}),
        ("maAdvertMinInterval", "i", "5", "inconsistentValue", {"interval_min": 5}),
        ("maAdvertMaxAdvLifetime", "i", "9001", "wrongValue", {"lifetime": 9001}),
        ("maAdvertAddress", "a", "10.1.0.255", "wrongValue", {"destination": "10.1.0.255"}),
    ]
    header = site.ctl("export", "--table", "config").splitlines()[0]
    for name, kind, value, error, change in wrong:
        done = site.snmpset(*out, f"{name}.{row}", kind, value)
        # A value that the syntax excludes does not leave Net-SNMP's tool.
        assert done.returncode != 0 and (error in done.stderr or "range" in done.stderr or "Bad" in done.stderr), done.stderr
        setting = {"scope": {"instance": "fa1"}, "kind": "advertisement", "index": {"interface": int(row)},
                   "origin": "cli", "storage": "non-volatile", "active": True, **values, **change}
        line = {"key": f"/mip4/config/instance=fa1/advertisement/interface={row}", "row": setting}
        exported = site.directory / "import.jsonl"
        exported.write_text(header + "\n" + json.dumps(line) + "\n")
        site.ctl("import", str(exported), expect=5)
    assert site.settings() == {}


def test_the_shell_sets_and_unsets_what_managers_write(site):
    site.manage()
    site.host("fa1", "one", FIRST)
    ip("-n", f"{site.prefix}-fa1", "addr", "add", f"{SECOND}/24", "dev", "eth0")
    site.daemon("fa1", FOREIGN.format(directory=site.directory)).start()
    site.heard(1)
    interface = str(site.advertised()["interface"])
    setting = lambda verb, *words, expect=0: site.ctl("setting", verb, *words, expect=expect)  # noqa: E731
    values = lambda *columns: [site.get(f"{column}.{interface}") for column in columns]  # noqa: E731
    columns = ("maAdvertMaxAdvLifetime", "maAdvertMaxRegLifetime", "maAdvertPrefixLengthInclusion", "maAdvertAddress",
               "maAdvertNetworkNAI", "maAdvertStorageType", "faAdvertRegRequired")
    before = values(*columns)
    setting("set", "advertisement", interface, "--lifetime", "40", "--registration-lifetime", "321", "--prefix-lengths", "no",
            "--destination", "255.255.255.255", "--network-nai", "net@example.net")
    setting("set", "registration-required", interface, "yes", "--until-restart")
    assert values(*columns) == ["40", "321", "2", "255.255.255.255", "net@example.net", "3", "1"]
    assert site.advertised()["lifetime"] == 40, "the command ends when it is in force"
    # What managers are refused is refused, and nothing changes.
    for words in (["--interval-max", "1801", "--lifetime", "9000"], ["--interval-min", "5"], ["--lifetime", "9001"],
                  ["--destination", "10.1.0.255"], ["--home-agent", "yes"]):
        setting("set", "advertisement", interface, *words, expect=5)
    setting("set", "advertisement", "4711", "--lifetime", "40", expect=4)
    assert values(*columns) == ["40", "321", "2", "255.255.255.255", "net@example.net", "3", "1"]
    assert {(row["kind"], row["storage"], row["origin"]) for row in site.rows("setting", "list")} == {
        ("advertisement", "non-volatile", "cli"), ("registration-required", "volatile", "cli")}
    # A row that the shell made is the same row to a manager, and the other way round.
    site.assign(f"maAdvertStatus.{interface}", "i", "destroy")
    setting("unset", "registration-required", interface)
    setting("unset", "advertisement", interface, expect=4)
    assert values(*columns) == before and site.settings() == {}
    # Care-of addresses: one that the host has, one that it has not, and the file's.
    setting("set", "care-of-address", SECOND)
    assert site.get(f"faCOAStatus.{SECOND}") == "1"
    wait_until(lambda: site.advertised()["care_of_addresses"] == [FIRST, SECOND], what="both advertised")
    setting("set", "care-of-address", NOWHERE, expect=1)
    setting("unset", "care-of-address", NOWHERE)
    setting("unset", "care-of-address", FIRST, expect=5)
    setting("set", "care-of-address", SECOND, "--active", "no")
    assert site.get(f"faCOAStatus.{SECOND}") == "2"
    setting("unset", "care-of-address", SECOND)
    assert [row["address"] for row in site.rows("show", "care-of-addresses")] == [FIRST]
    # All agents, and one; the switch that managers have is the same.
    setting("set", "enabled", "no")
    assert site.get("mipEnable.0") == "2"
    setting("unset", "enabled")
    assert site.get("mipEnable.0") == "1"


def test_care_of_addresses_are_offered_and_withdrawn(site):
    site.manage()
    site.host("ha1", "home", HOME_AGENT)
    site.host("fa1", "one", FIRST)
    site.host("other", "one", "10.1.0.8")
    ip("-n", f"{site.prefix}-fa1", "addr", "add", f"{SECOND}/24", "dev", "eth0")
    site.daemon("ha1", HOME.format(directory=site.directory, address=HOME_AGENT, spi=1000)).start()
    foreign_agent = site.daemon("fa1", FOREIGN.format(directory=site.directory)).start()

    def register(care_of_address):
        said = site.run("other", "/usr/bin/python3", STRANGER, "register", FIRST, HOME_AGENT, NODE, care_of_address)
        return json.loads(said)["code"]

    assert register(SECOND) == 77
    # Port 434 is bound long after privileges were given up.
    site.assign(f"faCOAStatus.{SECOND}", "i", "createAndGo")
    assert register(SECOND) == 0
    (binding,) = site.rows("show", "bindings")
    assert binding["care_of_address"] == SECOND
    wait_until(lambda: site.advertised()["care_of_addresses"] == [FIRST, SECOND], what="both advertised")
    offered = {row["address"]: row for row in site.rows("show", "care-of-addresses")}
    assert offered[SECOND]["origin"] == "snmp" and offered[SECOND]["visitors"] == 1
    # What the agent cannot do is said, and what the file has stays.
    site.refuses("commitFailed", f"faCOAStatus.{NOWHERE}", "i", "createAndGo")
    (why,) = [row["apply_error"] for row in site.rows("show", "status") if row["name"] == "fa1"]
    assert NOWHERE in why, why
    site.assign(f"faCOAStatus.{NOWHERE}", "i", "destroy")
    site.refuses("notWritable", f"faCOAStatus.{FIRST}", "i", "destroy")
    site.assign(f"faCOAStatus.{SECOND}", "i", "notInService")
    assert register(SECOND) == 77
    wait_until(lambda: site.advertised()["care_of_addresses"] == [FIRST], what="one withdrawn")
    # It ends with the daemon, as it is volatile from here on.
    site.assign(f"faCOAStatus.{SECOND}", "i", "active", f"faCOAStorageType.{SECOND}", "i", "volatile")
    assert register(SECOND) == 0
    foreign_agent.stop()
    foreign_agent.start()
    assert {row["address"] for row in site.rows("show", "care-of-addresses")} == {FIRST}


def test_a_mobile_node_turns_to_a_home_agent_that_was_set_and_leaves_it_again(site):
    site.manage()
    site.host("ha1", "home", HOME_AGENT)
    site.host("ha2", "home", OTHER_HOME_AGENT)
    site.host("mn", "two", AWAY)
    site.daemon("ha2", HOME.format(directory=site.directory, address=OTHER_HOME_AGENT, spi=1000)).start()
    # The home agent of its file is not there.
    site.daemon("mn", MOBILE.format(directory=site.directory)).start()
    assert site.get(f"mnHAStatus.{HOME_AGENT}") == "1"
    site.assign(f"mnHAStatus.{OTHER_HOME_AGENT}", "i", "createAndGo")
    binding = wait_until(lambda: site.rows("show", "bindings"), seconds=90, what="a binding")[0]
    assert (binding["home_agent"], binding["care_of_address"]) == (OTHER_HOME_AGENT, AWAY)
    wait_until(lambda: site.get(f"mnCurrentHA.{OTHER_HOME_AGENT}") == "1", what="the node's own row")
    assert ("every mobile-node", "home-agent", OTHER_HOME_AGENT) in site.settings()
    site.refuses("notWritable", f"mnHAStatus.{HOME_AGENT}", "i", "destroy")
    site.daemon("ha1", HOME.format(directory=site.directory, address=HOME_AGENT, spi=1000)).start()
    site.assign(f"mnHAStatus.{OTHER_HOME_AGENT}", "i", "destroy")
    moved = lambda: [row["home_agent"] for row in site.rows("show", "bindings")] == [HOME_AGENT]
    wait_until(moved, seconds=60, what="the binding at the other home agent gone, one at the configured")
