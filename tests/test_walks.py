"""What readers see while things go wrong or change: complete, in order, and every response of one revision."""

import os
import signal
import subprocess
import threading

import pytest

from bulk import Client
from harness import BIN_DIR, Daemon, MIP, MODULES, Process, ROOT, free_port, wait_until
from node import KEY, Node

PRODUCT = (1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 434)
MIP_MIB = tuple(map(int, MIP.split(".")))
SYSTEM = (1, 3, 6, 1, 2, 1, 1)
BINDINGS = MIP_MIB + (1, 6, 3, 1)
GENERATION = BINDINGS + (1, 5)
GEN_ERR = 5

OWNER = """
[store]
path = "{directory}/store"
socket = "{directory}/store.sock"
"""

HOME = """
[daemon]
name = "home"
[store]
connect = "unix:{store}"
[home-agent]
address = "127.0.0.1"
port = {mip_port}
"""

SNMP = """
[daemon]
name = "snmp"
[store]
connect = "unix:{store}"
[snmp]
listen = ["udp:127.0.0.1:{snmp_port}"]
state-file = "{directory}/snmp-engine.json"
[[snmp.community]]
name = "public"
"""

HOMES = [f"10.99.8.{last}" for last in range(1, 31)]


class Three:
    """The store, a home agent and SNMP, a process each."""

    def __init__(self, directory):
        self.directory, self.store = directory, directory / "owner" / "store.sock"
        self.snmp_port, self.mip_port = free_port(), free_port()
        self.daemons = []
        known = [{"peer": home, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()} for home in HOMES]
        self.owner = self.daemon("owner", OWNER.format(directory=directory / "owner"))
        self.home = self.daemon("home", HOME.format(store=self.store, mip_port=self.mip_port), known)
        self.snmp = self.daemon("snmp", SNMP.format(
            directory=directory / "snmp", store=self.store, snmp_port=self.snmp_port))

    def daemon(self, name, config, associations=()):
        daemon = Connected(self.directory / name, associations=associations, config=config, port=self.mip_port)
        daemon.snmp_port, daemon.store = self.snmp_port, self.store
        self.daemons.append(daemon)
        return daemon

    def start(self):
        for daemon in self.daemons:
            daemon.start()
        for home in HOMES:
            assert Node(("127.0.0.1", self.mip_port), home).register(lifetime=1800).code == 0
        wait_until(lambda: self.value("MIP-MIB::haRegMobilityBindingCount.0") == str(len(HOMES)), what="all bindings")

    def stop(self):
        for daemon in reversed(self.daemons):
            if daemon.child is not None and daemon.alive():
                daemon.child.send_signal(signal.SIGCONT)
                daemon.kill()

    def value(self, name):
        return self.snmp.snmp_value(name)

    def walk(self):
        """Both modules, as far as they go; fails if anything is out of order or twice."""
        client = Client(self.snmp_port)
        return [it for root in (MIP_MIB, PRODUCT) for one in client.responses(root) for it in one]

    def bindings(self, variables):
        return sum(name[:len(GENERATION)] == GENERATION for name, _, _ in variables)


class Connected(Daemon):
    """A daemon that says by itself when it serves: the store may be another process's."""

    def serving(self):
        assert self.alive(), self.errors
        return any(" serving" in line for line in self.errors)

    def ctl(self, *words, **options):
        return super().ctl(*words, store=f"unix:{self.store}", **options)


@pytest.fixture
def three(tmp_path):
    three = Three(tmp_path)
    yield three
    three.stop()


class Walker:
    """Walks both modules again and again in a thread, and keeps what went wrong."""

    def __init__(self, three):
        self.three, self.walks, self.counts, self.wrong, self.over = three, 0, set(), [], threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def run(self):
        try:
            while not self.over.is_set():
                self.counts.add(self.three.bindings(self.three.walk()))
                self.walks += 1
        except AssertionError as error:
            self.wrong.append(error)

    def some_more(self, count=2):
        before = self.walks
        wait_until(lambda: self.wrong or self.walks >= before + count, seconds=120, what="walks")
        assert not self.wrong, self.wrong


def test_a_walk_goes_on_while_a_daemon_is_killed_and_its_rows_are_marked(three):
    three.start()
    stale = lambda: three.value("MIP4-EXT-MIB::mip4ExtInstanceStaleCount.0")
    assert stale() == "0"
    with Walker(three) as walker:
        walker.some_more()
        three.home.kill()
        # Its last rows stay, with a mark.
        wait_until(lambda: stale() == "1", what="the mark")
        walker.some_more()
        assert three.value("MIP-MIB::haRegMobilityBindingCount.0") == str(len(HOMES))
        marks = three.snmp.snmp("snmpwalk", "MIP4-EXT-MIB::mip4ExtBindingStale", options=("-OQUev",))
        assert marks == ["1"] * len(HOMES), marks
        three.snmp.ctl("--fresh", "show", "bindings", expect=7)
        three.home.start()
        wait_until(lambda: stale() == "0", what="no mark")
        walker.some_more()
    assert walker.counts == {len(HOMES)}


def test_a_walk_goes_on_while_the_store_is_gone_and_opened_again(three):
    three.start()
    age = lambda: int(three.value("MIP4-EXT-MIB::mip4ExtStoreAge.0"))
    assert age() == 0
    with Walker(three) as walker:
        walker.some_more()
        three.owner.kill()
        # The last revision is served, and says how old it is.
        wait_until(lambda: age() > 0, what="an age")
        walker.some_more()
        assert three.value("MIP-MIB::haRegMobilityBindingCount.0") == str(len(HOMES))
        three.owner.start()
        wait_until(lambda: age() == 0, seconds=60, what="a fresh revision")
        walker.some_more()
    assert walker.counts == {len(HOMES)}
    # It is the same store: what is acknowledged from here on is seen.
    def registers():
        reply = Node(("127.0.0.1", three.mip_port), HOMES[0]).register(lifetime=600)
        return reply is not None and reply.code == 0
    wait_until(registers, seconds=60, what="a registration")


def test_what_is_in_the_store_is_an_error_until_the_mirror_is_loaded(three):
    three.start()
    three.snmp.stop()
    # The store does not answer: the mirror cannot be loaded, and cannot be known to be empty.
    os.kill(three.owner.pid, signal.SIGSTOP)
    Process.__init__(three.snmp, [str(BIN_DIR / "mip4d"), "run", "--config", str(three.snmp.config)])
    client = Client(three.snmp_port, timeout=1)
    up = lambda: status_of(client, SYSTEM + (3, 0)) == 0
    wait_until(up, what="answers of the engine itself")
    for name in (MIP_MIB + (1, 6, 3, 27, 0), MIP_MIB + (1, 1, 1, 0), PRODUCT + (1, 1, 0)):
        assert client.get(name)[0] == GEN_ERR, name
    # A walk is told as well that something is there which it cannot have.
    status, variables = client.bulk([MIP_MIB], 10)
    assert status == GEN_ERR, variables
    status, variables = client.bulk([SYSTEM], 50)
    assert status == 0 and all(name[:len(MIP_MIB)] != MIP_MIB for name, _, _ in variables)
    os.kill(three.owner.pid, signal.SIGCONT)
    loaded = lambda: client.get(MIP_MIB + (1, 6, 3, 27, 0))[0] == 0
    wait_until(loaded, seconds=60, what="the mirror")
    assert three.bindings(three.walk()) == len(HOMES)


def status_of(client, name):
    try:
        return client.get(name)[0]
    except (AssertionError, ConnectionRefusedError):
        return None


class Churn(Process):
    """`store/examples/churn.rs`: blocks of bindings that change together."""

    def __init__(self, store, count, block, per_second, seconds):
        program = BIN_DIR / "examples" / "churn"
        if not program.exists():
            subprocess.run(["cargo", "build", "-q", "-p", "store", "--example", "churn"], cwd=ROOT, check=True)
        super().__init__([str(program), f"unix:{store}", *map(str, (count, block, per_second, seconds))])
        assert self.child.stdout.readline() == "ready\n", self.errors

    def changed(self):
        line = self.child.stdout.readline()
        assert self.child.wait(timeout=60) == 0, self.errors
        return int(line)


def walks_while_bindings_change(daemon, count, per_second, seconds):
    """Walks until the changes end; returns how many bindings changed, and in how many responses they were seen."""
    block = 50
    churn = Churn(daemon.directory / "store.sock", count, block, per_second, seconds)
    by_tool = subprocess.Popen(
        ["snmpbulkwalk", "-v2c", "-c", "public", "-t", "10", "-Cr50", "-OnQ", "-M", str(MODULES), "-m", "",
         f"127.0.0.1:{daemon.snmp_port}", "." + ".".join(map(str, MIP_MIB))],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    client, responses, generations = Client(daemon.snmp_port), 0, set()
    while churn.alive():
        seen = 0
        for response in client.responses(GENERATION):
            responses += 1
            blocks = {}
            for name, _, value in response:
                address = name[len(GENERATION):len(GENERATION) + 4]
                number = int.from_bytes(bytes(address), "big") - (10 << 24)
                blocks.setdefault(number // block, set()).add(value)
            # Neighbours change in one commit: two values in a response are of two revisions.
            assert all(len(values) == 1 for values in blocks.values()), blocks
            generations |= {value for values in blocks.values() for value in values}
            seen += len(response)
        assert seen == count, "a walk that is not complete"
    out, errors = by_tool.communicate(timeout=600)
    assert by_tool.returncode == 0, errors
    column = "." + ".".join(map(str, GENERATION)) + "."
    assert sum(line.startswith(column) for line in out.splitlines()) == count
    ours = "." + ".".join(map(str, PRODUCT))
    done = subprocess.run(
        ["snmpbulkwalk", "-v2c", "-c", "public", "-t", "10", "-Cr50", "-OnQ", "-m", "",
         f"127.0.0.1:{daemon.snmp_port}", f"{ours}.1.2"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    changed = churn.changed()
    assert len(generations) > 1 and changed > 0
    return changed, responses


def test_every_response_is_of_one_revision_while_bindings_change(daemon):
    running = daemon().start()
    changed, responses = walks_while_bindings_change(running, count=2000, per_second=1000, seconds=8)
    assert changed >= 1000 and responses > 40


def test_soak_a_hundred_thousand_bindings_of_which_a_thousand_a_second_change(daemon):
    running = daemon().start()
    changed, responses = walks_while_bindings_change(running, count=100_000, per_second=1000, seconds=60)
    print(f"\n{changed:,} bindings changed during {responses:,} responses of walks over 100,000 rows, each of one revision")
    assert changed >= 30_000
