#!/usr/bin/python3
"""Measures what has a budget, each figure beside its reference in the same run.

    bench/run.py [registrations] [propagation] [get] [walk]

Builds release binaries, starts everything on loopback in a temporary folder,
prints tables in Markdown. Ratios count; absolute figures are this machine's.
"""

import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
os.environ.setdefault("MIP4_BIN_DIR", str(ROOT / "target" / "release"))

from harness import Daemon, Lab, free_port  # noqa: E402
from node import KEY, Node  # noqa: E402

LOADGEN = ROOT / "bench" / "target" / "release"
RUNS = 5
SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
BINDINGS = "1.3.6.1.2.1.44.1.6.3.1"
BIG_TABLE = "1.3.6.1.4.1.99999.1"


def build():
    subprocess.run(["cargo", "build", "--release", "--bins"], cwd=ROOT, check=True)
    subprocess.run(["cargo", "build", "--release"], cwd=ROOT / "bench", check=True)


def measure(program, *words, core=None):
    prefix = [] if core is None else ["taskset", "-c", str(core)]
    done = subprocess.run([*prefix, str(LOADGEN / program), *map(str, words)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def home(node):
    return f"10.99.{(node + 1) >> 8}.{(node + 1) & 255}"


def home_agent(folder, nodes=1000):
    associations = [{"peer": home(n), "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()} for n in range(nodes)]
    return Daemon(folder, associations=associations).start()


def middle(values):
    return f"{min(values):,.0f} / {statistics.median(values):,.0f} / {max(values):,.0f}"


def registrations(folder):
    """Durable registrations a second, 64 outstanding, beside bare append and fdatasync of the same rows."""
    served = home_agent(folder / "registrations")
    rate, bare, sync50, sync99, cpu, echo_cpu = [], [], [], [], [], []
    row = sum(len(line) for line in rows_of(served, folder))
    for _ in range(RUNS):
        before = cpu_seconds(served.pid)
        one = measure("regload", f"127.0.0.1:{served.mip_port}", 1000, 64, 3)
        assert one["denied"] == 0, one
        rate.append(one["per_second"])
        cpu.append((cpu_seconds(served.pid) - before) / max(one["accepted"], 1) * 1e6)
        two = measure("appendref", served.directory, row, 64, 3)
        bare.append(two["per_second"])
        sync50.append(two["fdatasync_p50_us"])
        sync99.append(two["fdatasync_p99_us"])
        echo_cpu.append(echo_load())
    served.stop()
    print("| registrations, 64 outstanding | min / median / max |\n|---|---|")
    print(f"| durable registrations a second | {middle(rate)} |")
    print(f"| bare append of {row} octets + fdatasync, batches of 64 | {middle(bare)} |")
    print(f"| **ratio** (budget 0.70) | {statistics.median(rate) / statistics.median(bare):.2f} |")
    print(f"| fdatasync p50 µs | {middle(sync50)} |\n| fdatasync p99 µs | {middle(sync99)} |")
    print(f"| CPU µs a registration | {middle(cpu)} |\n| CPU µs an echoed datagram (tokio) | {middle(echo_cpu)} |")
    print(f"| **ratio** (budget 4) | {statistics.median(cpu) / statistics.median(echo_cpu):.1f} |\n")


def rows_of(served, folder):
    """The two rows that a registration writes, as they are stored."""
    node = Node(("127.0.0.1", served.mip_port), home(0))
    assert node.register().code == 0
    done = subprocess.run(
        ["etcdctl", "--endpoints=unix://store.sock", "get", "--prefix", "/mip4/"], cwd=served.directory,
        capture_output=True, text=True, check=True, env={**os.environ, "ETCDCTL_API": "3"},
    )
    lines = done.stdout.splitlines()
    pairs = list(zip(lines[::2], lines[1::2]))
    return [key + value for key, value in pairs if home(0) in key and ("/bindings/" in key or "/nodes/" in key)]


def echo_load():
    """CPU µs that a bare tokio echo spends on a datagram."""
    port = free_port()
    echo = subprocess.Popen([str(LOADGEN / "echo_udp"), f"127.0.0.1:{port}", "tokio1", "10"])
    time.sleep(0.3)
    before = cpu_seconds(echo.pid)
    got = measure("snmpload", "get", f"127.0.0.1:{port}", "-o", SYS_UP_TIME, "-n", 32, "-t", 1, "--raw")
    spent = cpu_seconds(echo.pid) - before
    echo.kill()
    echo.wait()
    return spent / max(got["ok"], 1) * 1e6


def propagation(folder):
    """From the reply to the first GET that shows it."""
    served = home_agent(folder / "propagation", nodes=10)
    node = Node(("127.0.0.1", served.mip_port), home(0))
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.connect(("127.0.0.1", served.snmp_port))
    asker.settimeout(1)
    oid = f"{BINDINGS}.1.5.{home(0)}.127.0.0.1"
    request = get_request(oid)
    waits = []
    for _ in range(300):
        reply = node.register()
        begun = time.perf_counter()
        want = reply.identification & 0xFFFFFFFF
        while True:
            asker.send(request)
            if last_unsigned(asker.recv(2048)) == want:
                break
        waits.append((time.perf_counter() - begun) * 1e3)
        time.sleep(0.005)
    served.stop()
    waits.sort()
    two = measure("appendref", folder, 1000, 64, 2)
    budget = 5 * two["fdatasync_p50_us"] / 1000 + 10
    print("| propagation: reply sent → visible to GET | ms |\n|---|---|")
    print(f"| p50 | {waits[150]:.2f} |\n| p99 | {waits[297]:.2f} |\n| budget (5 × fdatasync p50 + 10 ms) | {budget:.2f} |\n")


def get_request(oid):
    from pyasn1.codec.ber import encoder
    from pysnmp.proto import api

    module = api.protoModules[api.protoVersion2c]
    pdu = module.GetRequestPDU()
    module.apiPDU.setDefaults(pdu)
    module.apiPDU.setVarBinds(pdu, [(oid, module.Null(""))])
    message = module.Message()
    module.apiMessage.setDefaults(message)
    module.apiMessage.setCommunity(message, "public")
    module.apiMessage.setPDU(message, pdu)
    return encoder.encode(message)


def last_unsigned(octets):
    """The value of the only varbind, an Unsigned32 at the end of the message."""
    for length in range(1, 6):
        if octets[-length - 2] == 0x42 and octets[-length - 1] == length:
            return int.from_bytes(octets[-length:], "big")
    return None


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
        (folder / "snmpd.conf").write_text(config.replace("@PORT@", str(self.port)).replace("@FOLDER@", str(folder)))
        self.child = subprocess.Popen(
            ["taskset", "-c", "0", "snmpd", "-f", "-Lf", "/dev/null", "-C", "-c", str(folder / "snmpd.conf"), "-I", "-smux"],
            env={**os.environ, "BIG_ROWS": str(rows), "BIG_ROWS_IT": "10"}, stderr=subprocess.DEVNULL,
        )
        time.sleep(2)

    def stop(self):
        self.child.kill()
        self.child.wait()


def get(folder):
    """GET sysUpTime.0, 32 outstanding, server and load generator on a core each."""
    running = Lab(folder / "get", nodes=10)
    subprocess.run(["taskset", "-a", "-cp", "0", str(running.pid)], check=True, stdout=subprocess.DEVNULL)
    reference = Snmpd(folder / "snmpd-get", 10)
    ours, theirs, echoes = [], [], []
    for _ in range(RUNS):
        load = ("-o", SYS_UP_TIME, "-n", 32, "-t", 1.5)
        ours.append(rate(measure("snmpload", "get", f"127.0.0.1:{running.snmp_port}", *load, core=1)))
        theirs.append(rate(measure("snmpload", "get", f"127.0.0.1:{reference.port}", *load, core=1)))
        port = free_port()
        echo = subprocess.Popen(["taskset", "-c", "0", str(LOADGEN / "echo_udp"), f"127.0.0.1:{port}", "tokio1", "10"])
        time.sleep(0.2)
        echoes.append(rate(measure("snmpload", "get", f"127.0.0.1:{port}", *load, "--raw", core=1)))
        echo.kill()
        echo.wait()
    running.stop()
    reference.stop()
    print("| GET, 32 outstanding | per second, min / median / max |\n|---|---|")
    print(f"| ours | {middle(ours)} |\n| snmpd | {middle(theirs)} |\n| bare tokio echo | {middle(echoes)} |")
    print(f"| **ours / snmpd** (budget 4) | {statistics.median(ours) / statistics.median(theirs):.1f} |")
    print(f"| **ours / echo** (budget 0.55) | {statistics.median(ours) / statistics.median(echoes):.2f} |\n")


def rate(result):
    return result["rps"]


def walk(folder):
    """GETBULK walks, repetitions 50, of tables with as many rows."""
    print("| walk, GETBULK 50 | ours vb/s | snmpd vb/s | ratio | ours µs CPU/vb | snmpd µs CPU/vb | ratio |\n|---|---|---|---|---|---|---|")
    for rows in (1_000, 10_000):
        running = Lab(folder / f"walk{rows}", nodes=rows)
        reference = Snmpd(folder / f"snmpd{rows}", rows)
        ours, theirs, our_cpu, their_cpu = [], [], [], []
        for _ in range(RUNS):
            for port, oid, pid, rates, cpus in (
                (running.snmp_port, BINDINGS, running.pid, ours, our_cpu),
                (reference.port, BIG_TABLE, reference.child.pid, theirs, their_cpu),
            ):
                before = cpu_seconds(pid)
                one = measure("snmpload", "walk", f"127.0.0.1:{port}", "-o", oid, "-m", "bulk", "-r", 50, "--max-secs", 20)
                count = variables(one)
                rates.append(count / seconds(one))
                cpus.append((cpu_seconds(pid) - before) / count * 1e6)
        running.stop()
        reference.stop()
        ratio = statistics.median(ours) / statistics.median(theirs)
        our, their = statistics.median(our_cpu), statistics.median(their_cpu)
        print(f"| {rows:,} rows | {middle(ours)} | {middle(theirs)} | {ratio:.1f} | {our:.2f} | {their:.2f} | 1/{their / our if our else 0:.1f} |")
    print()


def variables(result):
    return result["vbs"]


def seconds(result):
    return result["secs"]


def main():
    wanted = sys.argv[1:] or ["registrations", "propagation", "get", "walk"]
    build()
    with tempfile.TemporaryDirectory(dir=ROOT / "target") as folder:
        for name in wanted:
            {"registrations": registrations, "propagation": propagation, "get": get, "walk": walk}[name](pathlib.Path(folder))


if __name__ == "__main__":
    main()
