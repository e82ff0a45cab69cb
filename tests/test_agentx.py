"""Our objects through a real `snmpd`, the master agent (RFC 2741)."""

import os
import re
import signal
import subprocess
import threading
import time

import pytest

from harness import MIP, MODULES, Process, free_port, wait_until
from node import KEY, Node

SNMPD = "/usr/sbin/snmpd"
# Below the longest wait between two attempts to connect, and above it what tests on a slow machine need.
BACK_SECONDS = 25

pytestmark = pytest.mark.skipif(not os.path.exists(SNMPD), reason="there is no snmpd")

NODES = 12
NAMES = [f"10.99.0.{number}" for number in range(1, NODES + 1)]


class Master:
    """`snmpd` with an AgentX socket, which can be killed and started again."""

    def __init__(self, directory, socket, extra=""):
        self.directory, self.socket = directory, socket
        self.port = free_port()
        self.config = directory / "snmpd.conf"
        address = socket if socket.startswith("tcp:") else socket.removeprefix("unix:")
        self.config.write_text(
            f"rocommunity public 127.0.0.1\nrwcommunity private 127.0.0.1\nmaster agentx\nagentXSocket {address}\n"
            f"agentaddress udp:127.0.0.1:{self.port}\n{extra}"
        )
        self.process = None

    def start(self):
        environment = {**os.environ, "SNMP_PERSISTENT_DIR": str(self.directory / "persistent"), "SNMPCONFPATH": "/nonexistent"}
        self.process = Process(
            [SNMPD, "-f", "-Le", "-C", "-c", str(self.config), "-p", str(self.directory / "snmpd.pid"),
             "-I", "-smux"],
            env=environment,
        )
        return self

    def kill(self, with_signal=signal.SIGKILL):
        if self.process:
            self.process.kill(with_signal)

    def tool(self, tool, *arguments, community="public", version="2c", timeout=60):
        return subprocess.run(
            [tool, "-v", version, "-c", community, "-M", str(MODULES), "-m", "", "-On", "-t", "2", "-r", "2",
             f"udp:127.0.0.1:{self.port}", *arguments],
            capture_output=True, text=True, timeout=timeout,
        )

    def walk(self, tool="snmpwalk", root=MIP):
        done = self.tool(tool, root)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def serves_ours(self):
        done = self.tool("snmpget", f"{MIP}.1.1.1.0")
        return done.returncode == 0 and "No Such" not in done.stdout and done.stdout

    def wait_until_ours(self):
        wait_until(self.serves_ours, seconds=BACK_SECONDS, what="our subtree at the master")


def steady(lines):
    """Lines without the values that go on with time."""
    # `haMobilityBindingTimeRemaining`, and what is so many seconds ago in the tables of counters.
    moving = r"= (Timeticks|Counter32)|\.1\.44\.1\.6\.3\.(1\.1\.8\.|(2|28)\.1\..*= Gauge32)"
    return [line for line in lines if not re.search(moving, line)]


def names(lines):
    return [line.split(" = ")[0] for line in lines if line.startswith(".")]


@pytest.fixture(params=["unix", "tcp"])
def served(daemon, tmp_path, request):
    yield from serve(daemon, tmp_path, request.param)


@pytest.fixture
def served_by_unix(daemon, tmp_path):
    yield from serve(daemon, tmp_path, "unix")


def serve(daemon, tmp_path, transport):
    """A home agent with bindings, and a master in front of it."""
    socket = f"unix:{tmp_path}/master"
    if transport == "tcp":
        import socket as sockets

        socket = f"tcp:127.0.0.1:{free_port(sockets.SOCK_STREAM)}"
    associations = [{"peer": name, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()} for name in NAMES]
    home_agent = daemon(associations=associations)
    text = home_agent.config.read_text()
    home_agent.config.write_text(text.replace("[snmp]\n", f'[snmp]\nagentx = "{socket}"\n'))
    home_agent.start()
    for name in NAMES:
        assert Node(("127.0.0.1", home_agent.mip_port), name).register(lifetime=1800).code == 0
    master = Master(tmp_path, socket).start()
    try:
        master.wait_until_ours()
        wait_until(lambda: is_settled(home_agent), what="the counters in the store")
        yield home_agent, master
    finally:
        master.kill()


def is_settled(home_agent):
    """Whether all rows are there: those of counters are written a little later."""
    before = names(direct(home_agent))
    time.sleep(1.2)
    return names(direct(home_agent)) == before


def direct(home_agent, root=MIP):
    return home_agent.snmp("snmpwalk", root, options=("-On", "-m", ""))


def test_a_walk_through_the_master_is_the_direct_walk(served):
    home_agent, master = served
    through = master.walk()
    assert names(through) == names(direct(home_agent))
    assert steady(through) == steady(direct(home_agent))
    assert steady(master.walk("snmpbulkwalk")) == steady(through)
    bindings = [line for line in through if line.startswith(f".{MIP}.1.4.1.")]
    assert len(through) > 100, bindings
    # The system group is the master's.
    (system,) = master.walk(root="1.3.6.1.2.1.1.1.0")
    assert "mip4d" not in system


def test_a_master_that_is_restarted_has_our_subtree_again(served):
    home_agent, master = served
    before = names(master.walk())
    for round_ in range(2):
        master.kill(signal.SIGKILL if round_ % 2 else signal.SIGTERM)
        master.start()
        started = time.monotonic()
        master.wait_until_ours()
        assert time.monotonic() - started < BACK_SECONDS
        assert names(master.walk()) == before
    assert home_agent.alive()


def test_a_master_that_may_be_restarted_ten_times(served_by_unix):
    home_agent, master = served_by_unix
    before = names(master.walk())
    for _ in range(10):
        master.kill(signal.SIGTERM)
        master.start()
        master.wait_until_ours()
    assert names(master.walk()) == before
    assert home_agent.alive()


def test_a_master_may_stay_away_for_a_while(served_by_unix):
    home_agent, master = served_by_unix
    master.kill()
    time.sleep(6)
    assert home_agent.counter("haRegistrationAccepted") == NODES
    master.start()
    master.wait_until_ours()


def test_a_master_that_is_killed_in_the_middle_of_a_walk(served_by_unix):
    home_agent, master = served_by_unix
    for delay in (0.0, 0.01, 0.03):
        walk = threading.Thread(target=master.tool, args=("snmpwalk", MIP))
        walk.start()
        time.sleep(delay)
        master.kill()
        walk.join(timeout=60)
        master.start()
        master.wait_until_ours()
    assert home_agent.alive()
    assert names(master.walk()) == names(direct(home_agent))


def test_a_master_that_stops_for_a_while_goes_on(served_by_unix):
    _, master = served_by_unix
    os.kill(master.process.pid, signal.SIGSTOP)
    time.sleep(3)
    os.kill(master.process.pid, signal.SIGCONT)
    master.wait_until_ours()


def test_what_is_read_only_is_refused_through_the_master(served_by_unix):
    _, master = served_by_unix
    done = master.tool("snmpset", f"{MIP}.1.1.1.0", "x", "20", community="private")
    assert done.returncode != 0
    assert "notWritable" in done.stderr, done.stderr
    master.wait_until_ours()


def test_a_write_through_the_master_is_done(served_by_unix):
    """`mipEnable`: whom the master lets write, it is for the master to say (docs/agentx.md)."""
    _, master = served_by_unix
    for value in ("2", "1"):
        done = master.tool("snmpset", f"{MIP}.1.1.2.0", "i", value, community="private")
        assert done.returncode == 0, done.stderr
        assert master.tool("snmpget", f"{MIP}.1.1.2.0").stdout.strip().endswith(f": {value}")
    master.wait_until_ours()


def test_a_write_through_the_master_is_checked_and_whole_or_not_at_all(served_by_unix):
    home_agent, master = served_by_unix
    enable, entities = f"{MIP}.1.1.2.0", f"{MIP}.1.1.1.0"
    for words, status in (
        ((enable, "i", "3"), "wrongValue"),
        ((enable, "s", "on"), "wrongType"),
        # The second variable is read-only, so the first one stays as it is.
        ((enable, "i", "2", entities, "x", "20"), "notWritable"),
        ((entities, "x", "20", enable, "i", "2"), "notWritable"),
    ):
        done = master.tool("snmpset", *words, community="private")
        assert done.returncode != 0 and status in done.stderr, (words, done.stderr)
        assert master.tool("snmpget", "-Oqv", enable).stdout.strip() == "1"
    # Two of ours at once, and the master's own beside.
    done = master.tool("snmpset", enable, "i", "2", enable, "i", "2", community="private")
    assert done.returncode == 0, done.stderr
    assert home_agent.snmp_value("MIP-MIB::mipEnable.0") == "2", "who asks us directly sees it too"
    assert Node(("127.0.0.1", home_agent.mip_port), NAMES[0]).register(lifetime=1800) is None, "and the agent acts on it"
    assert master.tool("snmpset", enable, "i", "1", community="private").returncode == 0
    assert Node(("127.0.0.1", home_agent.mip_port), NAMES[0]).register(lifetime=1800).code == 0


def test_an_association_is_not_made_with_a_key_in_the_clear(served_by_unix):
    """The master says nothing of encryption, so no key is taken from it."""
    home_agent, master = served_by_unix
    entry, index = f"{MIP}.1.2.5.1", "2.4.10.99.7.1.4000"
    before = len(home_agent.rows("show", "associations"))
    key = (f"{entry}.6.{index}", "x", KEY.hex())
    done = master.tool("snmpset", f"{entry}.11.{index}", "i", "4", *key, community="private")
    assert done.returncode != 0, done.stdout
    assert len(home_agent.rows("show", "associations")) == before
    # Without one it can be made, waits, and is ended.
    assert master.tool("snmpset", f"{entry}.11.{index}", "i", "5", community="private").returncode == 0
    assert master.tool("snmpget", "-Oqv", f"{entry}.11.{index}").stdout.strip() == "3", "notReady"
    assert len(home_agent.rows("show", "associations")) == before + 1
    assert master.tool("snmpset", f"{entry}.11.{index}", "i", "6", community="private").returncode == 0
    assert len(home_agent.rows("show", "associations")) == before


def test_the_subtree_is_gone_when_the_daemon_stops_and_back_when_it_starts(served_by_unix):
    home_agent, master = served_by_unix
    assert home_agent.stop() == 0
    assert "No Such" in master.tool("snmpget", f"{MIP}.1.1.1.0").stdout
    home_agent.start()
    master.wait_until_ours()


TRAPD = "disableAuthorization yes\nformat2 v2 %V,%v\\n\n"


def test_notifications_pass_through_the_master(daemon, tmp_path):
    """A node whose authenticator is wrong: `snmpd` tells its own targets."""
    home_agent = daemon(associations=[{"peer": NAMES[0], "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()}])
    text = home_agent.config.read_text()
    home_agent.config.write_text(text.replace("[snmp]\n", f'[snmp]\nagentx = "unix:{tmp_path}/master"\n'))
    port, log = free_port(), tmp_path / "trapd.log"
    (tmp_path / "snmptrapd.conf").write_text(TRAPD)
    command = ["snmptrapd", "-f", "-C", "-c", str(tmp_path / "snmptrapd.conf"), "-n", "-On", "-m", "", "-Lf", str(log)]
    environment = {**os.environ, "SNMP_PERSISTENT_FILE": str(tmp_path / "persistent.conf")}
    receiver = Process([*command, f"udp:127.0.0.1:{port}"], env=environment)
    master = Master(tmp_path, f"unix:{tmp_path}/master", extra=f"trap2sink 127.0.0.1:{port} public\n")
    try:
        wait_until(lambda: log.exists() and "NET-SNMP version" in log.read_text(), what="snmptrapd")
        home_agent.start()
        master.start().wait_until_ours()
        wrong = bytes(len(KEY))
        Node(("127.0.0.1", home_agent.mip_port), NAMES[0], key=wrong).register(lifetime=1800)
        wait_until(lambda: f"OID: .{MIP}." in log.read_text() or "OID: .1.3.6.1.4.1.8072" in log.read_text(),
                   what="a notification from the master")
    finally:
        master.kill()
        receiver.kill()
