"""The programs under test, as processes, and the tools that judge them."""

import itertools
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN_DIR = pathlib.Path(os.environ.get("MIP4_BIN_DIR", ROOT / "target" / "debug"))
MIP4D = str(BIN_DIR / "mip4d")
MIP4CTL = str(BIN_DIR / "mip4ctl")
MODULES = ROOT / "mibs" / "modules"
MIP = "1.3.6.1.2.1.44"

#: A store, and an SNMP engine that answers the community `public`.
MANAGED = """
[store]
path = "{directory}/store"
socket = "{directory}/store.sock"
[snmp]
listen = ["udp:127.0.0.1:{snmp_port}"]
[[snmp.community]]
name = "public"
"""

CONFIG = MANAGED + """
[home-agent]
address = "127.0.0.1"
port = {mip_port}
max-lifetime = 1800
"""

#: A foreign agent beside home agents that are not at port 434.
FOREIGN_AGENT = """
[foreign-agent]
address = "{address}"
port = {port}
home-agent-port = {home_agent_port}
"""


def snmp_user(name, write=False, view=None):
    """A user of SNMPv3 whose passwords are those of [`v3`]; without a view it sees and writes what anybody may."""
    access = 'access = "write"\n' if write else ""
    views = f"view = {json.dumps(view)}\n" if view else ""
    return f"""
[[snmp.user]]
name = "{name}"
auth = "SHA-256"
auth-password = "authentication"
priv = "AES"
priv-password = "privacy-privacy"
{access}{views}"""


#: A user of SNMPv3 who may write all but who may do what; [`WRITER`] has the words for the tools.
WRITING_USER = snmp_user("writer", write=True)

ASSOCIATION = """
[[association]]
peer = "{peer}"
spi = {spi}
algorithm = "{algorithm}"
key = "hex:{key}"
replay = "timestamps"
tolerance = 7
"""


# Below the ports that the kernel gives away by itself, so that no client's socket takes one that a daemon is to have;
# each process of a test run goes through them from a place of its own.
_PORTS = itertools.cycle(range(10_000, 32_000))
for _ in range(random.randrange(22_000)):
    next(_PORTS)


def free_port(kind=socket.SOCK_DGRAM):
    """A port of the loopback address that nobody has at the moment."""
    while True:
        port = next(_PORTS)
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until(condition, seconds=30, what="the condition"):
    """Polls `condition` until it gives something true, and returns that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true within {seconds} s")


def v3(user, level="authPriv", auth=None, priv=None, auth_password="authentication", priv_password="privacy-privacy"):
    """The words by which Net-SNMP's tools are told who asks."""
    options = ["-v3", "-l", level, "-u", user]
    if auth:
        options += ["-a", auth, "-A", auth_password]
    if priv:
        options += ["-x", priv, "-X", priv_password]
    return options


WRITER = v3("writer", auth="SHA-256", priv="AES")


def snmp(daemon, tool, options, *arguments, fails=False, address=None, modules=""):
    """Runs one of Net-SNMP's tools, which must succeed or fail as is said; returns what it says."""
    address = address or f"udp:127.0.0.1:{daemon.snmp_port}"
    command = [tool, "-t", "3", "-r", "2", "-On", "-M", str(MODULES), "-m", modules, *options, address, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode != 0) == fails, (command, done.stdout, done.stderr)
    return done.stdout + (done.stderr if fails else "")


class Process:
    """A child whose output is kept, and which never outlives the test."""

    def __init__(self, command, **options):
        self.errors = []
        self.child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", **options
        )
        self.reader = threading.Thread(target=self._read_errors, daemon=True)
        self.reader.start()

    def _read_errors(self):
        for line in self.child.stderr:
            self.errors.append(line)

    @property
    def pid(self):
        return self.child.pid

    def alive(self):
        return self.child.poll() is None

    def kill(self, with_signal=signal.SIGKILL):
        if self.alive():
            self.child.send_signal(with_signal)
        return self.child.wait(timeout=60)

    def stop(self):
        """Stops it as an administrator would; returns the exit status."""
        return self.kill(signal.SIGTERM)

    def resident_kilobytes(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")


class TrapReceiver(Process):
    """`snmptrapd`, with what it got in a file; `modules` are the MIB modules that it knows names of."""

    def __init__(self, directory, config="disableAuthorization yes\n", modules="ALL", options=(), port=None):
        self.port, self.log = port or free_port(), directory / "traps"
        file = directory / "snmptrapd.conf"
        file.write_text(config)
        super().__init__(
            ["snmptrapd", "-f", "-C", "-c", str(file), "-n", "-M", str(MODULES), "-m", modules, *options, "-Lf", str(self.log),
             f"udp:127.0.0.1:{self.port}"],
            env={**os.environ, "SNMP_PERSISTENT_DIR": str(directory / "snmptrapd")},
        )
        wait_until(lambda: "NET-SNMP version" in self.text(), what="snmptrapd")

    def text(self):
        return self.log.read_text() if self.log.exists() else ""

    def got(self, text):
        return text in self.text()


class Managed:
    """What has a store socket and an SNMP port."""

    def ctl(self, *words, expect=0, store=None):
        """Runs `mip4ctl` with `words`; returns what it printed."""
        store = store or f"unix:{self.directory}/store.sock"
        done = subprocess.run(
            [MIP4CTL, "--store", store, *words], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
        )
        assert done.returncode == expect, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def rows(self, *words, expect=0):
        """The rows that `mip4ctl -o json WORDS` prints."""
        return json.loads(self.ctl("-o", "json", *words, expect=expect))["rows"]

    def snmp(self, tool, *arguments, version="2c", community="public", options=("-OQUe",)):
        """Runs one of Net-SNMP's tools with our modules; returns its lines."""
        done = subprocess.run(
            [tool, "-v", version, "-c", community, "-M", str(MODULES), "-m", "ALL", "-t", "5", "-r", "1", *options,
             f"udp:127.0.0.1:{self.snmp_port}", *arguments],
            capture_output=True, text=True, timeout=300,
        )
        assert done.returncode == 0, (tool, arguments, done.stdout, done.stderr)
        return done.stdout.splitlines()

    def snmp_value(self, oid):
        """One value, without its type."""
        (line,) = self.snmp("snmpget", oid, options=("-OQUev",))
        return line.strip().strip('"')

    def counted(self, name, role="home-agent"):
        """A counter of all agents of a role."""
        return sum(row["values"].get(name, 0) for row in self.rows("show", "statistics") if row["role"] == role)

    def ended(self, number, seconds=60):
        """The operation with that number, once it has ended."""
        def row():
            rows = [row for row in self.rows("show", "operations") if row["id"] == number]
            return rows[0] if rows and rows[0]["state"] in ("done", "failed", "cancelled") else None
        return wait_until(row, seconds=seconds, what="the end of the operation")

    def counter(self, name):
        return int(self.snmp_value(f"MIP-MIB::{name}.0"))


class Lab(Process, Managed):
    """`mip4d lab`, ready."""

    def __init__(self, directory, nodes=5, words=()):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.snmp_port = free_port()
        self.mip_port = free_port()
        super().__init__(
            [MIP4D, "lab", "--nodes", str(nodes), "--directory", str(self.directory),
             "--snmp", f"127.0.0.1:{self.snmp_port}", "--mip-port", str(self.mip_port), *words]
        )
        self.ready = self.child.stdout.readline()
        assert self.ready.startswith("ready"), (self.ready, self.errors)


class Daemon(Process, Managed):
    """`mip4d run` with a home agent, a store and SNMP, started by hand."""

    def __init__(self, directory, associations=(), extra="", config=None, port=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.snmp_port = free_port()
        self.mip_port = port or free_port()
        text = config or CONFIG.format(
            directory=self.directory, snmp_port=self.snmp_port, mip_port=self.mip_port
        )
        self.config = self.directory / "mip4d.toml"
        self.config.write_text(text + extra + "".join(ASSOCIATION.format(**one) for one in associations))
        self.config.chmod(0o600)
        self.child = None

    def spawn(self, prefix=()):
        """Starts it."""
        super().__init__([*prefix, MIP4D, "run", "--config", str(self.config)])

    def start(self, prefix=()):
        """Starts it and waits until it serves."""
        self.spawn(prefix)
        wait_until(self.serving, what="`mip4d run` serving")
        return self

    def serving(self):
        assert self.alive(), self.errors
        if not (self.directory / "store.sock").exists():
            return False
        done = subprocess.run(
            [MIP4CTL, "--store", f"unix:{self.directory}/store.sock", "-o", "json", "show", "status"],
            capture_output=True, text=True, timeout=30,
        )
        if done.returncode != 0:
            return False
        pids = [row.get("process_id") for row in json.loads(done.stdout)["rows"] if row.get("state") in ("serving", "draining")]
        return self.served_pid() in pids

    def served_pid(self):
        """The daemon's own process: a tracer may stand between."""
        children = pathlib.Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        name = pathlib.Path(f"/proc/{self.pid}/comm").read_text().strip()
        return self.pid if name == "mip4d" else int(children[0])

    def stop(self):
        return None if self.child is None else super().stop()
