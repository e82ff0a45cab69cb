"""Associations and `mipEnable` written over SNMPv3: the home agent acts on them, the shell shows them, a restart keeps them."""

import os
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import MODULES, ROOT, WRITING_USER, TrapReceiver, snmp, v3, wait_until
from node import Node

SCRIPT = ROOT / "contrib" / "examples" / "snmp-association.sh"
KEY = "00112233445566778899aabbccddeeff"
HOME_ADDRESS = "10.99.7.1"

TARGET = """
[[snmp.target]]
name = "noc"
address = "udp:127.0.0.1:{port}"
version = "2c"
community = "noc"
"""


@pytest.fixture
def traps(tmp_path):
    receiver = TrapReceiver(tmp_path)
    yield receiver
    receiver.kill()


@pytest.fixture
def daemon(daemon, traps):
    return daemon(extra=WRITING_USER + TARGET.format(port=traps.port)).start()


def script(daemon, *words, expect=0):
    environment = {
        **os.environ, "MIP4_SNMP_USER": "writer", "MIP4_SNMP_AUTH": "authentication",
        "MIP4_SNMP_PRIV": "privacy-privacy", "MIP4_MIBS": str(MODULES),
    }
    verb, *rest = words
    done = subprocess.run(
        [str(SCRIPT), verb, f"127.0.0.1:{daemon.snmp_port}", *rest],
        capture_output=True, text=True, timeout=60, env=environment,
    )
    assert (done.returncode == 0) == (expect == 0), (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


def snmpset(daemon, *words, level="authPriv"):
    options = v3("writer", level, auth="SHA-256", priv="AES" if level == "authPriv" else None)
    return subprocess.run(
        ["snmpset", *options, "-t", "5", "-r", "1", "-Ir", "-M", str(MODULES), "-m", "MIP-MIB:MIP4-EXT-MIB", f"127.0.0.1:{daemon.snmp_port}",
         *words],
        capture_output=True, text=True, timeout=60,
    )


def associations(daemon):
    return [(row["peer"], row["spi"]) for row in daemon.rows("show", "associations")]


def test_the_example_creates_an_association_a_node_registers_and_is_denied_when_it_is_gone(daemon, traps):
    node = Node(("127.0.0.1", daemon.mip_port), HOME_ADDRESS, spi=4000, key=bytes.fromhex(KEY))
    refused = node.register()
    assert refused is None or refused.code != 0
    script(daemon, "add", HOME_ADDRESS, "4000", KEY)
    # The answer came when the home agent had taken it over: the next request is granted.
    assert node.register().code == 0
    assert (HOME_ADDRESS, 4000) in associations(daemon)
    shown = script(daemon, "show", HOME_ADDRESS, "4000")
    for text in ("active(1)", "md5(2)", "hmac(3)", "timestamps(2)", "7 seconds", "nonVolatile(3)"):
        assert text in shown, shown
    # Only once, and never read.
    assert "inconsistentValue" in script(daemon, "add", HOME_ADDRESS, "4000", KEY, expect=1)
    index = f"2.4.{HOME_ADDRESS}.4000"
    key = daemon.snmp("snmpget", f"MIP-MIB::mipSecurityKey.{index}", options=("-OQUevn",))
    assert key == ['""'], key
    assert KEY not in daemon.ctl("-o", "json", "show", "associations")
    script(daemon, "delete", HOME_ADDRESS, "4000")
    assert (HOME_ADDRESS, 4000) not in associations(daemon)
    denied = node.register()
    assert denied is None or denied.code == 131
    wait_until(lambda: traps.got("mipAuthFailure2"), what="the notification")
    wait_until(lambda: traps.got("mipSecurityRecentViolationReason"), what="its objects")


def test_an_association_that_is_non_volatile_survives_a_restart(daemon):
    script(daemon, "add", HOME_ADDRESS, "4000", KEY)
    volatile = f"2.4.{HOME_ADDRESS}.4001"
    done = snmpset(
        daemon, f"mipSecurityKey.{volatile}", "x", KEY, f"mipSecurityStorageType.{volatile}", "i", "volatile",
        f"mipSecurityStatus.{volatile}", "i", "createAndGo",
    )
    assert done.returncode == 0, done.stderr
    daemon.stop()
    daemon.start()
    assert associations(daemon) == [(HOME_ADDRESS, 4000)]
    node = Node(("127.0.0.1", daemon.mip_port), HOME_ADDRESS, spi=4000, key=bytes.fromhex(KEY))
    assert node.register().code == 0


def test_a_row_waits_for_its_key_and_keys_are_taken_from_encrypted_requests_alone(daemon):
    row = f"2.4.{HOME_ADDRESS}.4000"
    status = lambda: {"1": "active", "2": "notInService", "3": "notReady"}[daemon.snmp_value(f"MIP-MIB::mipSecurityStatus.{row}")]
    assert snmpset(daemon, f"mipSecurityStatus.{row}", "i", "createAndWait").returncode == 0
    assert status() == "notReady"
    assert "inconsistentValue" in snmpset(daemon, f"mipSecurityStatus.{row}", "i", "active").stderr
    assert "wrongLength" in snmpset(daemon, f"mipSecurityKey.{row}", "x", "0011").stderr
    open_request = snmpset(daemon, f"mipSecurityKey.{row}", "x", KEY, level="authNoPriv")
    assert open_request.returncode != 0
    assert snmpset(daemon, f"mipSecurityKey.{row}", "x", KEY).returncode == 0
    assert status() == "notInService"
    assert snmpset(daemon, f"mipSecurityStatus.{row}", "i", "active").returncode == 0
    node = Node(("127.0.0.1", daemon.mip_port), HOME_ADDRESS, spi=4000, key=bytes.fromhex(KEY))
    assert node.register().code == 0


def test_the_shell_and_snmp_refuse_the_same_values(daemon):
    # A reserved SPI: wrongValue here, status 5 there.
    row = f"2.4.{HOME_ADDRESS}.255"
    done = snmpset(daemon, f"mipSecurityKey.{row}", "x", KEY, f"mipSecurityStatus.{row}", "i", "createAndGo")
    assert done.returncode != 0 and "wrongValue" in done.stderr, done.stderr
    assert (HOME_ADDRESS, 255) not in associations(daemon)
    # A tolerance below what the module has.
    row = f"2.4.{HOME_ADDRESS}.4000"
    done = snmpset(
        daemon, f"mipSecurityReplayTime.{row}", "u", "2", f"mipSecurityKey.{row}", "x", KEY,
        f"mipSecurityStatus.{row}", "i", "createAndGo",
    )
    assert done.returncode != 0


class Repeater:
    """Stands between a manager and `daemon`: what the manager sends once arrives `copies` times."""

    def __init__(self, daemon, copies):
        self.daemon, self.copies = daemon, copies
        self.to_manager, self.to_daemon = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.to_manager.bind(("127.0.0.1", 0))
        self.to_daemon.connect(("127.0.0.1", daemon.snmp_port))
        self.port = self.to_manager.getsockname()[1]
        self.manager, self.answers = None, []
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    def carry(self):
        while True:
            ready, _, _ = select.select([self.to_manager, self.to_daemon], [], [])
            if self.to_manager in ready:
                octets, self.manager = self.to_manager.recvfrom(65536)
                # All copies are there when the first one is looked at.
                os.kill(self.daemon.pid, signal.SIGSTOP)
                for _ in range(self.copies):
                    self.to_daemon.send(octets)
                os.kill(self.daemon.pid, signal.SIGCONT)
            if self.to_daemon in ready:
                octets = self.to_daemon.recv(65536)
                self.answers.append(octets)
                self.to_manager.sendto(octets, self.manager)


SERIAL = ".1.3.6.1.6.3.1.1.6.1.0"
ENABLE = ".1.3.6.1.2.1.44.1.1.2.0"


def test_a_set_that_is_retransmitted_while_it_waits_is_done_and_answered_once(daemon):
    """Its serial number would be wrong the second time, and that would be an answer of its own."""
    options = v3("writer", auth="SHA-256", priv="AES")
    serial = lambda: int(snmp(daemon, "snmpget", [*options, "-Oqv"], SERIAL))
    before = serial()
    repeater = Repeater(daemon, copies=5)
    words = ["-r", "0", "-t", "30", "-m", "", *options, f"udp:127.0.0.1:{repeater.port}"]
    words += [SERIAL, "i", str(before), ENABLE, "i", "2"]
    done = subprocess.run(["snmpset", "-On", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert serial() == before + 1
    assert daemon.snmp_value("MIP-MIB::mipEnable.0") == "2"
    # Reads were answered as often as they came: five times the discovery, which is two of them.
    # The last request is the SET, whose answers are those with its message ID, which is in the clear.
    message_ids = [octets[octets.index(b"\x02\x01\x03"):][5:11] for octets in repeater.answers]
    assert message_ids.count(message_ids[-1]) == 1, message_ids
    assert len(repeater.answers) >= 6


def test_mip_enable_switches_the_agents_off_and_on(daemon):
    script(daemon, "add", HOME_ADDRESS, "4000", KEY)
    node = Node(("127.0.0.1", daemon.mip_port), HOME_ADDRESS, spi=4000, key=bytes.fromhex(KEY))
    assert node.register().code == 0
    assert snmpset(daemon, "mipEnable.0", "i", "disabled").returncode == 0
    assert daemon.snmp_value("MIP-MIB::mipEnable.0") == "2"
    refused = node.register()
    assert refused is None or refused.code != 0
    daemon.stop()
    daemon.start()
    assert daemon.snmp_value("MIP-MIB::mipEnable.0") == "2"
    assert snmpset(daemon, "mipEnable.0", "i", "enabled").returncode == 0
    assert node.register().code == 0


# mipAuthFailure2 and mipAuthFailure.
GATES = (1, 2)


def forger(daemon, home_address):
    """A request that nobody signed with the right key; the home agent logs who it claims to be from."""
    node = Node(("127.0.0.1", daemon.mip_port), home_address, spi=4000, key=bytes(16))
    refused = node.register()
    assert refused is None or refused.code != 0


def test_an_offender_that_is_volatile_is_forgotten_at_the_next_start(daemon):
    offenders = lambda: {row["violator"] for row in daemon.rows("show", "violations")}
    forger(daemon, "10.99.7.2")
    forger(daemon, "10.99.7.3")
    wait_until(lambda: offenders() == {"10.99.7.2", "10.99.7.3"}, what="both in the log")
    column = lambda home_address: f"mipSecurityviolationStorageType.2.4.{home_address}"
    assert daemon.snmp_value(f"MIP-MIB::{column('10.99.7.2')}") == "3"
    done = snmpset(daemon, column("10.99.7.2"), "i", "volatile")
    assert done.returncode == 0, done.stderr
    assert daemon.snmp_value(f"MIP-MIB::{column('10.99.7.2')}") == "2"
    assert "inconsistentValue" in snmpset(daemon, column("10.99.7.3"), "i", "permanent").stderr
    assert "noCreation" in snmpset(daemon, column("10.99.7.9"), "i", "volatile").stderr
    wait_until(lambda: '"storage":"volatile"' in daemon.ctl("export", "--table", "violations"), what="the row says so")
    daemon.stop()
    daemon.start()
    wait_until(lambda: offenders() == {"10.99.7.3"}, what="one forgotten, the other not")
    assert daemon.rows("show", "settings") == []


def test_gates_of_notifications_are_shut_and_opened(daemon, traps):
    gate = lambda kind: f"MIP4-EXT-MIB::mip4ExtGateOpen.{kind}"
    for kind in GATES:
        assert daemon.snmp_value(gate(kind)) == "1"
        done = snmpset(daemon, gate(kind), "i", "false")
        assert done.returncode == 0, done.stderr
    suppressed = lambda: int(daemon.snmp_value(f"MIP4-EXT-MIB::mip4ExtGateSuppressed.{GATES[0]}"))
    forger(daemon, "10.99.7.4")
    wait_until(lambda: suppressed() >= 1, what="a notification held back")
    assert not traps.got("mipAuthFailure")
    daemon.stop()
    daemon.start()
    assert daemon.snmp_value(gate(1)) == "2", "it lasts"
    for kind in GATES:
        assert snmpset(daemon, gate(kind), "i", "true").returncode == 0
    forger(daemon, "10.99.7.5")
    wait_until(lambda: traps.got("mipAuthFailure2"), what="the notification")


def test_counters_of_denials_are_of_the_home_agents_own_codes(daemon):
    """Readings 6 and 7 of mibs/README.md: 139 is the home agent's, and every denial of a node counts."""
    daemon.stop()
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace("[home-agent]\n", "[home-agent]\nminimal-encapsulation = false\ngre = false\n", 1))
    daemon.start()
    script(daemon, "add", HOME_ADDRESS, "4000", KEY)
    node = Node(("127.0.0.1", daemon.mip_port), HOME_ADDRESS, spi=4000, key=bytes.fromhex(KEY))
    assert node.register().code == 0
    minimal, gre = 0x10, 0x08
    assert node.register(flags=0x20 | gre).code == 139
    assert node.register(flags=0x20 | minimal).code == 139
    # A clock that is an hour behind: 133.
    assert node.register(at=time.time() - 3600).code == 133
    wait_until(lambda: daemon.counter("haEncapsulationUnavailable") == 2, what="two of 139")
    assert daemon.counter("haIDMismatch") == 1
    denied = f"MIP-MIB::haRegServiceRequestsDenied.2.4.{HOME_ADDRESS}"
    wait_until(lambda: daemon.snmp_value(denied) == "3", what="all denials of the node")
