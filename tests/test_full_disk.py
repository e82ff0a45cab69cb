"""A disk without room, and one that goes read-only: registrations are denied in words, nothing is lost."""

import subprocess

import pytest

from disk import small_disk  # noqa: F401
from harness import CONFIG, MIP4CTL, wait_until
from node import KEY, Node

NODES = 20
INSUFFICIENT_RESOURCES = 130
# mip4ExtStoreState
DEGRADED = "2"


def homes():
    return [f"10.99.0.{number}" for number in range(1, NODES + 1)]


@pytest.fixture
def home_agent(daemon, small_disk, tmp_path):  # noqa: F811
    """A home agent whose store is on a disk of its own; its sockets are elsewhere."""
    disk = small_disk()
    made = daemon(associations=[{"peer": home, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()} for home in homes()])
    text = made.config.read_text().replace(f'path = "{made.directory}/store"', f'path = "{disk.path}/store"')
    assert str(disk.path) in text
    made.config.write_text(text)
    made.disk = disk
    # The daemon has files open there, so it goes first.
    yield made
    made.stop()


class Nodes:
    """Registers one after the other and remembers what was acknowledged."""

    def __init__(self, port):
        self.nodes = [Node(("127.0.0.1", port), home) for home in homes()]
        self.acknowledged = {}

    def register(self):
        """One round; returns the codes."""
        codes = []
        for node in self.nodes:
            reply = node.register(lifetime=900)
            codes.append(reply and reply.code)
            if reply and reply.code == 0:
                self.acknowledged[node.home_address] = reply.identification
        return codes


def bindings(served):
    """The identification of each binding, as the store has it."""
    return {
        row["home_address"]: row["identification_high"] << 32 | row["identification_low"]
        for row in served.rows("show", "bindings")
    }


def logged(served, *words):
    return any(all(word in line for word in words) for line in served.errors)


def assert_serves(served, nodes):
    """Readers see what was acknowledged last, by SNMP and by the shell."""
    assert bindings(served) == nodes.acknowledged
    walked = served.snmp("snmpwalk", "MIP-MIB::haMobilityBindingRegFlags")
    assert len(walked) == NODES


def deny_and_recover(served, trouble, words, cause, mend):
    served.start()
    nodes = Nodes(served.mip_port)
    assert set(nodes.register()) == {0}
    trouble()
    wait_until(lambda: set(nodes.register()) == {INSUFFICIENT_RESOURCES}, what="every registration denied")
    assert logged(served, "registrations are refused", words), served.errors[-5:]
    assert served.alive()
    assert_serves(served, nodes)
    status = served.ctl("-o", "json", "show", "status")
    assert cause in status and '"healthy":false' in status, status
    wait_until(lambda: served.snmp_value("MIP4-EXT-MIB::mip4ExtStoreState.0") == DEGRADED, what="SNMP saying so")
    assert cause in served.snmp_value("MIP4-EXT-MIB::mip4ExtStoreDetail.0")
    mend()
    try:
        wait_until(lambda: set(nodes.register()) == {0}, what="every registration accepted again")
    except AssertionError:
        raise AssertionError(served.errors[-8:]) from None
    wait_until(lambda: logged(served, "the store can write again"), what="a line in the log")
    wait_until(lambda: logged(served, "the store takes registrations again"), what="a line in the log")
    assert_serves(served, nodes)
    served.kill()
    served.start()
    assert bindings(served) == nodes.acknowledged


def test_a_full_disk_denies_registrations_and_loses_none(home_agent):
    disk = home_agent.disk
    deny_and_recover(home_agent, disk.fill, "the disk is full", "No space left on device", disk.make_room)


def test_a_disk_that_goes_read_only_denies_registrations_and_loses_none(home_agent):
    disk = home_agent.disk
    deny_and_recover(home_agent, disk.break_down, "the disk is read-only", "Read-only file system", disk.mend)


def test_a_daemon_on_a_full_disk_says_what_is_missing(home_agent):
    """It cannot start, and says why; with room it starts, and all is there."""
    home_agent.start()
    nodes = Nodes(home_agent.mip_port)
    assert set(nodes.register()) == {0}
    home_agent.disk.fill()
    wait_until(lambda: set(nodes.register()) == {INSUFFICIENT_RESOURCES}, what="every registration denied")
    home_agent.kill()
    home_agent.child = None
    # The journal gave back what it had written ahead and could not use.
    home_agent.disk.fill()
    done = subprocess.run(
        [MIP4CTL.replace("mip4ctl", "mip4d"), "run", "--config", str(home_agent.config)],
        capture_output=True, text=True, timeout=60,
    )
    assert done.returncode != 0 and "No space left on device" in done.stderr or "full" in done.stderr, done
    home_agent.disk.make_room()
    home_agent.start()
    assert bindings(home_agent) == nodes.acknowledged
