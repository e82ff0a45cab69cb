"""Associations and `mipEnable` written over SNMPv3: the home agent acts on them, the shell shows them, a restart keeps them."""

import os
import subprocess

import pytest

from harness import Daemon, MODULES, Process, ROOT, free_port, wait_until
from node import Node

SCRIPT = ROOT / "contrib" / "examples" / "snmp-association.sh"
KEY = "00112233445566778899aabbccddeeff"
HOME_ADDRESS = "10.99.7.1"

WRITER = """
[[snmp.user]]
name = "writer"
auth = "SHA-256"
auth-password = "authentication"
priv = "AES"
priv-password = "privacy-privacy"
access = "write"
[[snmp.target]]
name = "noc"
address = "udp:127.0.0.1:{trap_port}"
version = "2c"
community = "noc"
"""

CONFIG = """
[store]
path = "{directory}/store"
socket = "{directory}/store.sock"
[home-agent]
address = "127.0.0.1"
port = {mip_port}
[snmp]
listen = ["udp:127.0.0.1:{snmp_port}"]
[[snmp.community]]
name = "public"
"""

TRAPD = """
disableAuthorization yes
"""


class TrapReceiver(Process):
    """`snmptrapd`, with what it got in a file."""

    def __init__(self, directory):
        self.port, self.log = free_port(), directory / "traps"
        config = directory / "snmptrapd.conf"
        config.write_text(TRAPD)
        super().__init__(
            ["snmptrapd", "-f", "-C", "-c", str(config), "-n", "-M", str(MODULES), "-m", "ALL", "-Lf", str(self.log),
             f"udp:127.0.0.1:{self.port}"],
            env={**os.environ, "SNMP_PERSISTENT_DIR": str(directory / "snmptrapd")},
        )
        wait_until(lambda: self.log.exists() and "NET-SNMP version" in self.log.read_text(), what="snmptrapd")

    def got(self, text):
        return text in self.log.read_text()


@pytest.fixture
def traps(tmp_path):
    receiver = TrapReceiver(tmp_path)
    yield receiver
    receiver.kill()


@pytest.fixture
def daemon(tmp_path, traps):
    directory = tmp_path / "daemon"
    snmp_port, mip_port = free_port(), free_port()
    config = CONFIG.format(directory=directory, snmp_port=snmp_port, mip_port=mip_port)
    daemon = Daemon(directory, config=config + WRITER.format(trap_port=traps.port), port=mip_port)
    daemon.snmp_port = snmp_port
    daemon.start()
    yield daemon
    daemon.stop()


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
    options = ["-v3", "-l", level, "-u", "writer", "-a", "SHA-256", "-A", "authentication"]
    if level == "authPriv":
        options += ["-x", "AES", "-X", "privacy-privacy"]
    return subprocess.run(
        ["snmpset", *options, "-t", "5", "-r", "1", "-Ir", "-M", str(MODULES), "-m", "MIP-MIB", f"127.0.0.1:{daemon.snmp_port}",
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
