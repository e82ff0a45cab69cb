"""What the tasks share: programs that are measured, load generators, references, figures."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
os.environ.setdefault("MIP4_BIN_DIR", str(ROOT / "target" / "release"))

from harness import Daemon, free_port, wait_until  # noqa: E402
from node import KEY  # noqa: E402

LOADGEN = ROOT / "bench" / "target" / "release"
RUNS = 5
SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
BINDINGS = "1.3.6.1.2.1.44.1.6.3.1"
BINDING_COUNT = "1.3.6.1.2.1.44.1.6.3.27.0"
BIG_TABLE = "1.3.6.1.4.1.99999.1"
AUTH_PASSWORD, PRIV_PASSWORD = "authentication", "privacy-privacy"
USER = f"""
[[snmp.user]]
name = "bench"
auth = "SHA-256"
auth-password = "{AUTH_PASSWORD}"
priv = "AES"
priv-password = "{PRIV_PASSWORD}"
"""


def build():
    packages = [word for name in ("daemons", "cli", "store") for word in ("-p", name)]
    subprocess.run(["cargo", "build", "--release", *packages, "--bins", "--examples"], cwd=ROOT, check=True)
    subprocess.run(["cargo", "build", "--release", "-p", "loadgen"], cwd=ROOT / "bench", check=True)


def loadgen(program, *words, core=None, prefix=()):
    """The command of a load generator, on a core of its own if one is named."""
    prefix = prefix if core is None else ["taskset", "-c", str(core), *prefix]
    return [*prefix, str(LOADGEN / program), *map(str, words)]


def measure(program, *words, core=None, prefix=()):
    """Runs a load generator; returns what it says."""
    done = subprocess.run(loadgen(program, *words, core=core, prefix=prefix), capture_output=True, text=True)
    assert done.returncode == 0, (program, words, done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def cpu_seconds(pid):
    """What all threads of a process have spent, to the nanosecond."""
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def resident_octets(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def middle(values, digits=0):
    low, median, high = min(values), statistics.median(values), max(values)
    return f"{low:,.{digits}f} / {median:,.{digits}f} / {high:,.{digits}f}"


def met(holds):
    return "met" if holds else "**not met**"


def home(node):
    return f"10.99.{(node + 1) >> 8}.{(node + 1) & 255}"


def associations(nodes):
    return [{"peer": home(n), "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()} for n in range(nodes)]


def home_agent(folder, nodes=1000, extra="", prefix=(), **options):
    """`mip4d run` that knows so many nodes."""
    return Daemon(folder, associations=associations(nodes), extra=extra, **options).start(prefix)


def filled(folder, rows, expires_in=None, expiring=None, extra="", start=True):
    """`mip4d run` with so many bindings, which nobody renews."""
    extra += '[daemon]\nname = "bench"\n'
    daemon = Daemon(folder, extra=extra)
    words = [daemon.directory / "store", rows, "bench", "127.0.0.1"]
    words += [expires_in] if expires_in is not None else []
    words += [expiring] if expiring is not None else []
    subprocess.run([ROOT / "target/release/examples/bindings", *map(str, words)], check=True)
    return started(daemon) if start else daemon


def started(daemon):
    """Starts a daemon that may take its time, as with a million bindings on a busy machine."""
    try:
        daemon.start()
    except AssertionError:
        wait_until(daemon.serving, seconds=600, what="`mip4d run` serving")
    return daemon


def pin(pid, core):
    """Keeps all threads of a process on one core."""
    subprocess.run(["taskset", "-a", "-cp", str(core), str(pid)], check=True, stdout=subprocess.DEVNULL)


class Echo:
    """A bare tokio echo: what a UDP server on this machine cannot beat."""

    def __init__(self, core=None):
        self.port = free_port()
        prefix = [] if core is None else ["taskset", "-c", str(core)]
        self.child = subprocess.Popen([*prefix, str(LOADGEN / "echo_udp"), f"127.0.0.1:{self.port}", "tokio1", "20"])
        time.sleep(0.3)

    @property
    def pid(self):
        return self.child.pid

    def stop(self):
        self.child.kill()
        self.child.wait()


def echo_cpu():
    """CPU µs that a bare tokio echo spends on a datagram, 64 outstanding: of a client that does nothing else, and
    of the one that registers."""
    echo = Echo()
    address = f"127.0.0.1:{echo.port}"
    before = cpu_seconds(echo.pid)
    got = measure("snmpload", "get", address, "-o", SYS_UP_TIME, "-n", 64, "-t", 1, "--raw")
    between = cpu_seconds(echo.pid)
    registered = measure("regload", address, 1000, 64, 1, "echo")
    after = cpu_seconds(echo.pid)
    echo.stop()
    return (between - before) / max(got["ok"], 1) * 1e6, (after - between) / max(registered["accepted"], 1) * 1e6


class Snmpd:
    """Net-SNMP's agent with its table_container of the same shape."""

    def __init__(self, folder, rows):
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        flags = subprocess.run(["net-snmp-config", "--base-cflags"], capture_output=True, text=True, check=True)
        subprocess.run(
            ["gcc", "-w", "-O2", "-fPIC", "-shared", "-o", str(folder / "bigtable.so"),
             str(ROOT / "bench/snmpd/bigtable.c"), *flags.stdout.split()], check=True,
        )
        config = (ROOT / "bench/snmpd/snmpd.conf").read_text()
        config = config.replace("@PORT@", str(self.port)).replace("@FOLDER@", str(folder))
        config = config.replace("@AUTH@", AUTH_PASSWORD).replace("@PRIV@", PRIV_PASSWORD)
        (folder / "snmpd.conf").write_text(config)
        self.child = subprocess.Popen(
            ["taskset", "-c", "0", "snmpd", "-f", "-Lf", "/dev/null", "-C", "-c", str(folder / "snmpd.conf"), "-I", "-smux"],
            env={**os.environ, "BIG_ROWS": str(rows), "BIG_ROWS_IT": "10", "BIG_NO_TDATA": "1", "SNMP_PERSISTENT_DIR": str(folder)},
            stderr=subprocess.DEVNULL,
        )
        time.sleep(2 + rows / 100_000)

    @property
    def pid(self):
        return self.child.pid

    def stop(self):
        self.child.kill()
        self.child.wait()
