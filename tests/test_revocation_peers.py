"""Revocation (RFC 3543) with peers that others could have written, and with those who mean harm."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

import pytest
from scapy.layers.mobileip import MobileIP

from harness import ASSOCIATION, FOREIGN_AGENT, MANAGED, MIP4CTL, Daemon, free_port, wait_until
from node import KEY, Node
from revoking import (
    SPI, SUPPORT, Acknowledgment, ForeignAgent, HomeAgent, Revocation, is_authentic, seconds,
)

HOME = "10.99.0.7"
OUR_HOME_AGENT, THEIR_FOREIGN_AGENT = "127.0.0.1", "127.0.0.2"
OUR_FOREIGN_AGENT, THEIR_HOME_AGENT = "127.0.0.3", "127.0.0.4"
OTHER_KEY = bytes(range(16))
# The longest time that is waited for an answer which must not come.
SILENCE = 0.5

def association(peer, spi):
    return {"peer": peer, "spi": spi, "algorithm": "hmac-md5", "key": KEY.hex()}


def counted(running, name):
    return sum(row["values"].get(name, 0) for row in running.rows("show", "statistics"))


class AtHomeAgent:
    """Our home agent, a node, and a foreign agent written by hand, through which the node is bound."""

    table = "bindings"

    def __init__(self, daemon, **options):
        self.ours = daemon(
            associations=[association(HOME, 1000), association(THEIR_FOREIGN_AGENT, SPI)],
            extra='[home-agent.revocation]\nport = "of-registration"\n', **options).start()
        self.to = (OUR_HOME_AGENT, self.ours.mip_port)
        self.peer = ForeignAgent(THEIR_FOREIGN_AGENT, self.to)
        self.node = Node(self.to, HOME, source="127.0.0.1")

    def register(self):
        reply = self.peer.register(self.node, timestamp=seconds() - 10)
        assert (reply.code, reply.homeaddr, reply.haaddr) == (0, HOME, OUR_HOME_AGENT)

    def revoke(self, **fields):
        return self.peer.revoke(HOME, **fields)

    def ask(self):
        return self.ours.rows("revoke", "binding", "--home-address", HOME, "--yes")[0]["id"]

    # What a revocation of ours, and one of theirs, says.
    ours_say = {"a": 1, "hda": OUR_HOME_AGENT, "fda": THEIR_FOREIGN_AGENT}
    theirs_say = {"a": 0, "hda": OUR_HOME_AGENT, "fda": THEIR_FOREIGN_AGENT}
    revoked_by_peer = "revoked-by-foreign-agent"
    trail_of_ours = "revoked"


class AtForeignAgent:
    """Our foreign agent, a node that visits it, and its home agent, written by hand."""

    table = "visitors"

    def __init__(self, daemon):
        home_agent_port = free_port()
        self.ours = daemon(config=None)
        text = (MANAGED + FOREIGN_AGENT).format(
            directory=self.ours.directory, snmp_port=self.ours.snmp_port, port=self.ours.mip_port,
            address=OUR_FOREIGN_AGENT, home_agent_port=home_agent_port)
        self.ours.config.write_text(text + ASSOCIATION.format(**association(THEIR_HOME_AGENT, SPI)))
        self.ours.start()
        self.to = (OUR_FOREIGN_AGENT, self.ours.mip_port)
        self.peer = HomeAgent(THEIR_HOME_AGENT, self.to, port=home_agent_port)
        self.node = Node(self.to, HOME, source="127.0.0.1")

    def register(self):
        self.node.socket.sendto(
            self.node.request(flags=0, lifetime=300, home_agent=THEIR_HOME_AGENT, care_of_address=OUR_FOREIGN_AGENT),
            self.to)
        octets, source = self.peer.request()
        assert source[0] == OUR_FOREIGN_AGENT and is_authentic(octets, 24)
        # Request, Mobile-Home authentication, then what the foreign agent says (§3.2).
        assert octets[24 + 22] == SUPPORT, octets.hex()
        self.peer.grant(octets, source, timestamp=seconds() - 10)
        answer, _ = self.node.socket.recvfrom(4096)
        assert answer[:2] == b"\x03\x00"
        wait_until(lambda: [row["accepted"] for row in self.ours.rows("show", "visitors")] == [True])

    def revoke(self, **fields):
        return self.peer.revoke(HOME, self.to, **fields)

    def ask(self):
        return self.ours.rows("revoke", "visitor", "--home-address", HOME, "--yes")[0]["id"]

    ours_say = {"a": 0, "hda": THEIR_HOME_AGENT, "fda": OUR_FOREIGN_AGENT}
    theirs_say = {"a": 1, "hda": THEIR_HOME_AGENT, "fda": OUR_FOREIGN_AGENT}
    revoked_by_peer = "revoked-by-home-agent"
    trail_of_ours = "revoked"


@pytest.fixture(params=[AtHomeAgent, AtForeignAgent], ids=["home-agent", "foreign-agent"])
def site(request, daemon):
    site = request.param(daemon)
    yield site
    site.peer.close()
    site.node.socket.close()


def rows(site):
    return site.ours.rows("show", site.table)


def key(row):
    return row["home_address"], row["care_of_address"], row["home_agent"]


def trail(site):
    """What happened to the node; its rows are relaxed, and at first there are none."""
    done = subprocess.run(
        [MIP4CTL, "--store", f"unix:{site.ours.directory}/store.sock", "-o", "json", "show", "trail", HOME],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    return [row["event"] for row in json.loads(done.stdout).get("rows", [])]


def says(octets, layer):
    """The fields of a message, as Scapy reads them."""
    assert is_authentic(octets, 20 if layer is Revocation else 12), octets.hex()
    return MobileIP(octets)[layer]


def test_a_peer_revokes_and_we_acknowledge(site):
    site.register()
    assert len(rows(site)) == 1
    octets = site.revoke(i=1)
    answer = says(site.peer.receive(15), Acknowledgment)
    asked = MobileIP(octets)[Revocation]
    assert (answer.homeaddr, answer.id, answer.reserved, answer.reserved2) == (HOME, asked.id, 0, 0)
    # The node is informed, by whose policy ever: both sides have offered the I bit.
    assert answer.i == 1
    assert rows(site) == []
    wait_until(lambda: site.revoked_by_peer in trail(site), what="the trail")
    wait_until(lambda: counted(site.ours, "revocationsReceived") == 1, what="the counter")
    assert counted(site.ours, "revocationAcknowledgmentsSent") == 1
    assert counted(site.ours, "revocationsDiscarded") == 0
    # §3.4: also of what is not there any more.
    site.revoke(i=1, identifier=asked.id + 1)
    assert says(site.peer.receive(15), Acknowledgment).id == asked.id + 1


def test_we_revoke_and_a_peer_acknowledges(site):
    site.register()
    number = site.ask()
    octets = site.peer.receive(7)
    asked = says(octets, Revocation)
    assert {name: getattr(asked, name) for name in site.ours_say} == site.ours_say
    assert (asked.homeaddr, asked.i, asked.reserved, asked.reserved2) == (HOME, 1, 0, 0)
    assert abs(asked.id - seconds()) <= 5
    # It is still there, marked, until the peer has acknowledged.
    assert len(rows(site)) == 1
    site.peer.send(site.peer.acknowledgment(octets))
    site.ours.ctl("wait", "operation", str(number), "--timeout", "30s")
    (target,) = site.ours.rows("show", "operation", str(number))
    assert (target["result"], target["messages"]) == ("acknowledged", 1)
    assert rows(site) == []
    assert site.peer.receive(7, timeout=SILENCE) is None, "it is not repeated"
    wait_until(lambda: counted(site.ours, "revocationsAcknowledged") == 1, what="the counter")
    assert counted(site.ours, "revocationsSent") == 1


def test_a_peer_that_answers_late_is_asked_three_times_with_identifiers_that_rise(site):
    site.register()
    number = site.ask()
    asked = [site.peer.receive(7, timeout=10) for _ in range(3)]
    identifiers = [says(octets, Revocation).id for octets in asked]
    assert identifiers == sorted(set(identifiers))
    # Any of them may be acknowledged (§3.5), and it counts.
    site.peer.send(site.peer.acknowledgment(asked[0]))
    site.ours.ctl("wait", "operation", str(number), "--timeout", "30s")
    (target,) = site.ours.rows("show", "operation", str(number))
    assert (target["result"], target["messages"]) == ("acknowledged", 3)
    wait_until(lambda: counted(site.ours, "revocationsRetried") == 2, what="the counter")


def test_a_peer_that_is_silent_is_given_up(site):
    site.register()
    number = site.ask()
    site.ours.ctl("wait", "operation", str(number), "--timeout", "60s", expect=1)
    (target,) = site.ours.rows("show", "operation", str(number))
    assert (target["result"], target["messages"]) == ("timed-out", 3)
    assert rows(site) == []
    wait_until(lambda: counted(site.ours, "revocationsTimedOut") == 1, what="the counter")


def test_revocations_that_mean_harm_change_nothing_and_are_seen(site):
    site.register()
    recorded = site.revoke(i=1)
    assert site.peer.receive(15)
    site.register()
    before = [key(row) for row in rows(site)]
    registered = rows(site)[0].get("registered_at")
    late = seconds() + 5
    stranger = type(site.peer)("127.0.0.9", site.to, spi=SPI)
    wrong_key = site.peer.revocation(HOME, a=site.theirs_say["a"], home_agent=site.theirs_say["hda"],
                                     foreign=site.theirs_say["fda"], identifier=late, sign=False)
    forged = site.peer.signed(wrong_key)
    evil = {
        "unauthenticated": wrong_key,
        "an authenticator that is wrong": forged[:-1] + bytes([forged[-1] ^ 1]),
        "an octet changed on the way": forged[:11] + bytes([forged[11] ^ 1]) + forged[12:],
        "a replay": recorded,
        "our own, come back": site.peer.revocation(
            HOME, a=1 - site.theirs_say["a"], home_agent=site.theirs_say["hda"],
            foreign=site.theirs_say["fda"], identifier=late),
        "older than the registration": site.peer.revocation(
            HOME, a=site.theirs_say["a"], home_agent=site.theirs_say["hda"],
            foreign=site.theirs_say["fda"], identifier=seconds() - 60),
        "for somebody else": site.peer.revocation(
            HOME, a=site.theirs_say["a"], home_agent="192.0.2.99", foreign="192.0.2.98", identifier=late),
    }
    for number, (what, octets) in enumerate(evil.items(), 1):
        site.peer.send(octets)
        wait_until(lambda: counted(site.ours, "revocationsDiscarded") == number, what=f"{what}: counted")
        assert site.peer.receive(15, timeout=SILENCE if number == len(evil) else 0.05) is None, what
        assert [key(row) for row in rows(site)] == before, what
    stranger.send(forged)
    total = len(evil) + 1
    wait_until(lambda: counted(site.ours, "revocationsDiscarded") == total, what="a stranger: counted")
    assert stranger.receive(15, timeout=SILENCE) is None
    stranger.close()
    assert [key(row) for row in rows(site)] == before and rows(site)[0].get("registered_at") == registered
    violations = {row["violator"]: row for row in wait_until(
        lambda: len(site.ours.rows("show", "violations")) == 2 and site.ours.rows("show", "violations"),
        what="violations")}
    assert violations[site.peer.address]["count"] == len(evil)
    assert violations["127.0.0.9"]["reason"] == "no mobility security association"
    assert counted(site.ours, "mipSecTotalViolations") == total
    # And managers see the same.
    assert site.ours.counter("mipSecTotalViolations") == total
    shown = site.ours.snmp("snmpwalk", "MIP-MIB::mipSecurityViolationCounter", options=("-OQUe",))
    assert sum(int(line.rsplit("=", 1)[1]) for line in shown) == total, shown


def test_acknowledgments_that_mean_harm_count_for_nothing(site):
    site.register()
    number = site.ask()
    octets = site.peer.receive(7)
    good = site.peer.acknowledgment(octets)
    other = site.peer.signed(good[:8] + bytes([good[8] ^ 0x40]) + good[9:12])
    stranger = type(site.peer)("127.0.0.9", site.to)
    site.peer.send(good[:-1] + bytes([good[-1] ^ 1]))  # The authenticator.
    site.peer.send(good[:12])  # None at all.
    site.peer.send(other)  # Of what was never sent.
    stranger.send(good)  # From somebody else.
    # What nobody waits for is unexpected if it is authentic, for it may be late; else it is a violation, too.
    wait_until(lambda: counted(site.ours, "revocationsDiscarded") == 3, what="three violations")
    wait_until(lambda: counted(site.ours, "revocationAcknowledgmentsUnexpected") == 1, what="an unexpected one")
    stranger.close()
    (target,) = site.ours.rows("show", "operation", str(number))
    assert target["result"] in ("pending", "sent"), target
    assert len(rows(site)) == 1
    counts = {row["violator"]: row["count"] for row in site.ours.rows("show", "violations")}
    assert counts == {site.peer.address: 2, "127.0.0.9": 1}
    site.peer.send(good)
    site.ours.ctl("wait", "operation", str(number), "--timeout", "30s")
    # Once more, now that it is over.
    site.peer.send(good)
    wait_until(lambda: counted(site.ours, "revocationAcknowledgmentsUnexpected") == 2, what="a second one")


def test_what_is_cut_short_is_malformed(site):
    site.register()
    whole = site.peer.revocation(HOME, a=site.theirs_say["a"], home_agent=site.theirs_say["hda"],
                                 foreign=site.theirs_say["fda"], identifier=seconds() + 5)
    for length in (1, 4, 19, 21, 25, 41):
        site.peer.send(whole[:length])
    site.peer.send(b"\x0f" + bytes(10))
    names = ("datagramsTruncated", "datagramsMalformed", "datagramsUnknownType", "revocationsDiscarded")
    wait_until(lambda: sum(counted(site.ours, name) for name in names) == 7, what="seven datagrams counted")
    assert len(rows(site)) == 1


# Clients that ask for what they may not, or for what is not there.


@pytest.fixture
def open_site(daemon):
    """A home agent with a binding, whose sockets others can reach: by the group `games`, and to look at by anybody."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mip4-"))
    folder.chmod(0o755)

    def make(**options):
        made = Daemon(folder / "daemon", **options)
        text = made.config.read_text()
        sockets = f'view-socket = "{made.directory}/view.sock"\ngroup = "games"\nview-group = "nogroup"\n'
        made.config.write_text(text.replace("[snmp]\n", sockets + "[snmp]\n", 1))
        made.directory.chmod(0o755)
        return made

    site = AtHomeAgent(make)
    site.register()
    yield site
    site.peer.close()
    site.node.socket.close()
    site.ours.stop()
    shutil.rmtree(folder)


def as_somebody(command, group=None):
    """Runs a command as `nobody`, who may be in the group `games`."""
    import grp

    extra = [grp.getgrnam(group).gr_gid] if group else []
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, user=65534, group=65534,
        extra_groups=extra, env={**os.environ, "ETCDCTL_API": "3", "HOME": "/tmp"})


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@root_only
def test_who_may_not_is_told_so_and_nothing_changes(open_site):
    running = open_site.ours
    view, store = f"unix:{running.directory}/view.sock", f"unix:{running.directory}/store.sock"
    program = shutil.copy(MIP4CTL, running.directory.parent / "mip4ctl")
    revoke = [program, "--store", view, "-o", "json", "revoke", "binding", "--all", "--yes"]
    done = as_somebody(revoke)
    error = json.loads(done.stdout)["error"]
    assert (done.returncode, error["code"]) == (8, 8) and "reading only" in error["message"], done
    done = as_somebody([program, "--store", store, "revoke", "binding", "--all", "--yes"])
    assert done.returncode == 8 and done.stdout == "", done
    # An operator may ask for operations, and may write nothing else about them.
    target = f"binding/{OUR_HOME_AGENT}/{HOME}/{THEIR_FOREIGN_AGENT}/-"
    owner = {"role": "home-agent", "address": OUR_HOME_AGENT, "instance": "ha"}
    rows_of_daemons = {
        f"/mip4/operation_targets/1/{target}":
            {"id": 1, "target": target, "owner": owner, "state": "pending", "since": 0},
        f"/mip4/operation_shares/1/home-agent/{OUR_HOME_AGENT}":
            {"id": 1, "owner": owner, "state": "done", "targets": 1, "claimed_at": 0},
    }
    etcdctl = ["etcdctl", f"--endpoints=unix://{running.directory}/store.sock"]
    for path, row in rows_of_daemons.items():
        done = as_somebody([*etcdctl, "put", path, json.dumps(row)], group="games")
        assert done.returncode != 0 and "only daemons write" in done.stderr, (path, done)
    fields = {"action": {"do": "revoke-bindings"}, "selector": {"all": True}, "maximum": 1}
    for wrong, why in [
        ({"state": "done"}, "pending"),
        ({"selector": {}}, "selects nothing"),
        ({"rate": 0}, "rate of zero"),
        ({"reason": "x" * 201}, "longer than 200"),
        ({"maximum": -1}, "not a row"),
    ]:
        row = {"id": 1, **fields, **wrong}
        done = as_somebody([*etcdctl, "put", "/mip4/operations/1", json.dumps(row)], group="games")
        assert done.returncode != 0 and why in done.stderr, (wrong, done)
    assert running.rows("show", "operations") == []
    assert len(running.rows("show", "bindings")) == 1
    # What they may: and it is them, whatever the row says.
    lie = {"id": 1, **fields, "who": "root", "created_at": 1, "rate": 1, "maximum": 0}
    done = as_somebody([*etcdctl, "put", "/mip4/operations/1", json.dumps(lie)], group="games")
    assert done.returncode == 0, done
    running.ctl("wait", "operation", "1", "--timeout", "30s", expect=1)
    (row,) = running.rows("show", "operations")
    assert row["who"] == "nobody" and row["created_at"] > "2026", row
    # With a maximum of none it was refused as a whole.
    assert row["state"] == "failed" and len(running.rows("show", "bindings")) == 1, row
    for path in ("/mip4/operations/1", "/mip4/operations/"):
        done = as_somebody([*etcdctl, "del", "--prefix", path], group="games")
        assert done.returncode != 0 and "is kept" in done.stderr, done
    assert len(running.rows("show", "operations")) == 1


def test_selectors_that_say_nothing_or_nobody(open_site):
    running = open_site.ours
    for words, status, why in [
        (["--home-agent", "192.0.2.9", "--yes"], 4, "match"),
        (["--foreign-agent", "192.0.2.9", "--yes"], 4, "match"),
        (["--home-address", "10.99.0.8", "--yes"], 4, "match"),
        (["--network", "10.98.0.0/16", "--yes"], 4, "match"),
        (["--nai", "*@nowhere.example", "--yes"], 4, "match"),
        (["--home-address", "not-an-address", "--yes"], 2, "not-an-address"),
        (["--network", "10.99.0.0/33", "--yes"], 2, "10.99.0.0/33"),
        (["--all", "--rate", "0/s", "--yes"], 2, "rate"),
        (["--all", "--limit", "0"], 2, "limit"),
        (["--yes"], 2, "a selector is missing"),
        (["--all"], 2, "nobody can be asked"),
        (["--all", "--yes", "--reason", "x" * 201], 5, "200"),
    ]:
        done = subprocess.run(
            [MIP4CTL, "--store", f"unix:{running.directory}/store.sock", "revoke", "binding", *words],
            capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        assert (done.returncode, done.stdout) == (status, "") and why in done.stderr, (words, done)
    assert running.rows("show", "operations") == []
    assert len(running.rows("show", "bindings")) == 1
