"""What readers see while things go wrong or change: complete, in order, and every response of one revision."""

import collections
import os
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

import summary
from bulk import Client, END_OF_MIB_VIEW, parse
from harness import BIN_DIR, Daemon, MIP, Process, ROOT, free_port, wait_until
from node import KEY, Node
from test_mib_coverage import TRAFFIC, readable

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


#: Neighbours that change together, and of how many such blocks the last comes and goes (`store/examples/churn.rs`).
BLOCK, GROUP = 20, 8
EXT_BINDINGS = PRODUCT + (1, 2, 2)
EXT_SPI = EXT_BINDINGS + (1, 13)
#: The tables with a row for each binding: their entries, and where the home address begins in their indexes.
PER_BINDING = {"MIP-MIB": (BINDINGS + (1,), 0), "MIP4-EXT-MIB": (EXT_BINDINGS + (1,), 4)}
#: The columns that show the generation of a binding, with what it is shown from on.
SHOWN = {GENERATION: 0, EXT_SPI: 256}


class Churn(Process):
    """`store/examples/churn.rs`: blocks of bindings that change together, until it is stopped."""

    def __init__(self, store, count, per_second):
        program = BIN_DIR / "examples" / "churn"
        if not program.exists():
            subprocess.run(["cargo", "build", "-q", "-p", "store", "--example", "churn"], cwd=ROOT, check=True)
        super().__init__([str(program), f"unix:{store}", *map(str, (count, BLOCK, per_second))], stdin=subprocess.PIPE)
        self.count = count
        assert self.child.stdout.readline() == "ready\n", self.errors

    def end(self):
        """How many bindings were written, in how many milliseconds, and how many come and go."""
        self.child.stdin.close()
        line = self.child.stdout.readline()
        assert self.child.wait(timeout=60) == 0, self.errors
        return map(int, line.split())

    def is_steady(self, number):
        return number // BLOCK % GROUP != GROUP - 1


class Relay(threading.Thread):
    """Stands between a tool and the engine, and keeps each response: so that it is seen where one ends."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.before, self.behind = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for one in (self.before, self.behind):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.before.bind(("127.0.0.1", 0))
        self.behind.connect(("127.0.0.1", port))
        self.port, self.responses, self.over = self.before.getsockname()[1], [], False
        self.start()

    def run(self):
        manager = None
        while not self.over:
            ready, _, _ = select.select([self.before, self.behind], [], [], 0.2)
            if self.before in ready:
                octets, manager = self.before.recvfrom(65536)
                self.behind.send(octets)
            if self.behind in ready:
                octets = self.behind.recv(65536)
                self.responses.append(octets)
                self.before.sendto(octets, manager)

    def end(self):
        self.over = True
        self.join()
        self.before.close()
        self.behind.close()
        return self.responses


class Tool:
    """`snmpbulkwalk` of one module, through a relay; what it prints goes to a file, so that it waits for nobody."""

    def __init__(self, daemon, module, root, repetitions):
        self.module, self.root, self.relay = module, root, Relay(daemon.snmp_port)
        self.file = daemon.directory / f"{module}.walk"
        with self.file.open("w") as out:
            self.child = subprocess.Popen(
                ["snmpbulkwalk", "-v2c", "-c", "public", "-t", "10", "-r", "3", f"-Cr{repetitions}", "-OnQ", "-m", "",
                 f"127.0.0.1:{self.relay.port}", dotted(root)], stdout=out, stderr=subprocess.PIPE, text=True)

    def alive(self):
        return self.child.poll() is None

    def end(self):
        _, errors = self.child.communicate(timeout=60)
        assert self.child.returncode == 0, errors
        return self.relay.end()

    def names(self):
        """The names that it printed, in its order; lines without one go on with a value."""
        with self.file.open(errors="replace") as lines:
            for line in lines:
                if line.startswith(".1."):
                    yield tuple(map(int, line.partition(" = ")[0][1:].split(".")))


def dotted(name):
    return "." + ".".join(map(str, name))


def number_of(index, at):
    """Which binding a row is of, by the home address in its index."""
    return int.from_bytes(bytes(index[at:at + 4]), "big") - (10 << 24)


class Generations:
    """Looks whether all that a response shows of a block is of one generation, and counts."""

    def __init__(self):
        self.responses = self.telling = self.whole_guests = 0
        self.seen = set()

    def look(self, response):
        self.responses += 1
        blocks, rows = {}, {}
        for name, _, value in response:
            for column, least in SHOWN.items():
                if name[:len(column)] == column:
                    at = PER_BINDING["MIP-MIB" if column == GENERATION else "MIP4-EXT-MIB"][1]
                    number = number_of(name[len(column):], at)
                    generation = int.from_bytes(value, "big") - least
                    blocks.setdefault(number // BLOCK, set()).add(generation)
                    rows.setdefault(column, []).append(number)
        # Neighbours change in one commit: two generations in a response are of two revisions.
        assert all(len(generations) == 1 for generations in blocks.values()), blocks
        self.seen |= {generation for generations in blocks.values() for generation in generations}
        self.telling += bool(blocks)
        for numbers in rows.values():
            # What comes and goes does so as a whole; only at the ends a response may have a part of it.
            inside = [n // BLOCK for n in numbers if n // BLOCK not in (numbers[0] // BLOCK, numbers[-1] // BLOCK)]
            counts = collections.Counter(inside)
            assert set(counts.values()) <= {BLOCK}, counts
            self.whole_guests += sum(block % GROUP == GROUP - 1 for block in counts)


def check_order_and_revisions(responses, generations):
    """Each response to the tool is of one revision, and all of them go on where the one before ended."""
    last, answered = (), set()
    for octets in responses:
        request, status, variables = parse(octets, b"public")
        assert status == 0, status
        if request in answered:
            continue  # It had asked again before the answer came.
        answered.add(request)
        for name, tag, _ in variables:
            if tag != END_OF_MIB_VIEW:
                assert name > last, "not increasing"
                last = name
        generations.look(variables)


def check_complete(tool, churn, guests):
    """Every row that was there all the while is there once in each column, and no row twice."""
    root, at = PER_BINDING[tool.module]
    total, columns, others = churn.count + guests, {}, 0
    for name in tool.names():
        if name[:len(root)] == root:
            column, index = name[len(root)], name[len(root) + 1:]
            counts = columns.setdefault(column, bytearray(total))
            counts[number_of(index, at)] += 1
        else:
            others += 1
    expected = [oid for name, oid in readable(tool.module).items() if oid[:len(root)] == root and name not in TRAFFIC[tool.module]]
    assert sorted(columns) == sorted(oid[len(root)] for oid in expected)
    steady = [number for number in range(total) if churn.is_steady(number)]
    assert len(steady) == churn.count
    for column, counts in columns.items():
        assert all(counts[number] == 1 for number in steady), (column, "a row is missing, or is there twice")
        assert max(counts) == 1, (column, "a row is there twice")
    assert others > 20, "the rest of the module"
    return sum(sum(counts) for counts in columns.values()) + others


def walks_while_bindings_change(daemon, count, per_second, repetitions, seconds=0):
    """Walks both modules while bindings change all the time, for so many seconds at least; returns what it saw, and figures in words."""
    churn = Churn(daemon.directory / "store.sock", count, per_second)
    tools = [Tool(daemon, module, root, repetitions) for module, root in (("MIP-MIB", MIP_MIB), ("MIP4-EXT-MIB", PRODUCT))]
    client, pairs, walks = Client(daemon.snmp_port), Generations(), 0
    end = time.monotonic() + seconds
    while any(tool.alive() for tool in tools) or time.monotonic() < end:
        walks += 1
        seen = 0
        # Two columns of two modules in each response.
        last = [GENERATION, EXT_SPI]
        while last[0][:len(GENERATION)] == GENERATION:
            status, variables = client.bulk(last, repetitions // 2)
            assert status == 0 and variables
            rows = [name[len(GENERATION):] for name, _, _ in variables if name[:len(GENERATION)] == GENERATION]
            seen += sum(churn.is_steady(number_of(index, 0)) for index in rows)
            pairs.look(variables)
            last = [variables[-2][0], variables[-1][0]]
        assert seen == count, "a walk that is not complete"
    answers = [tool.end() for tool in tools]
    written, milliseconds, guests = churn.end()
    by_tool = Generations()
    for responses in answers:
        check_order_and_revisions(responses, by_tool)
    variables = sum(check_complete(tool, churn, guests) for tool in tools)
    assert written > 0 and len(by_tool.seen) > 1 and len(pairs.seen) > 1 and by_tool.telling > 0
    assert by_tool.whole_guests + pairs.whole_guests > 0
    return written, milliseconds, by_tool.responses + pairs.telling, (
            f"{written:,} bindings were written in {milliseconds / 1000:.1f} s ({written * 1000 // milliseconds:,} a second), of "
            f"{count:,} that stayed and {guests:,} that came and went; snmpbulkwalk of both modules meanwhile: {variables:,} "
            f"variables in {by_tool.responses:,} responses, complete, in order, each of one revision; {by_tool.telling:,} of them "
            f"show generations, {len(by_tool.seen):,} in all; {walks} walks of a column of each module side by side, "
            f"{pairs.telling:,} responses")


def test_walks_of_both_modules_are_complete_and_each_response_of_one_revision_while_bindings_change(daemon):
    running = daemon().start()
    written, _, responses, figures = walks_while_bindings_change(running, count=2000, per_second=1000, repetitions=60, seconds=8)
    summary.say(figures)
    assert written >= 1000 and responses > 40


def test_soak_a_hundred_thousand_bindings_of_which_a_thousand_a_second_change(daemon):
    running = daemon().start()
    written, milliseconds, _, figures = walks_while_bindings_change(running, count=100_000, per_second=1000, repetitions=300)
    summary.say(figures)
    assert written * 1000 >= 900 * milliseconds, "fewer changed than this is about"
