"""Registrations, denials, and how soon others see them."""

import os
import signal
import socket
import statistics
import subprocess
import time

from common import BINDINGS, RUNS, cpu_seconds, echo_cpu, free_port, home, home_agent, measure, met, middle
from node import Node


def rows_of(served):
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


def loaded(pid, *words):
    """One `regload`: what it says, and the CPU µs that `pid` spent on each reply."""
    before = cpu_seconds(pid)
    one = measure("regload", *words)
    spent = cpu_seconds(pid) - before
    return one, spent / max(one["accepted"] + one["denied"], 1) * 1e6


def registrations(folder):
    """Durable registrations a second, 64 outstanding, beside bare append and fdatasync of the same rows."""
    served = home_agent(folder / "registrations")
    rate, bare, sync50, sync99, cpu, echo, paced = [], [], [], [], [], [], []
    row = sum(len(line) for line in rows_of(served))
    for _ in range(RUNS):
        one, spent = loaded(served.pid, f"127.0.0.1:{served.mip_port}", 1000, 64, 3)
        rate.append(one["per_second"])
        cpu.append(spent)
        two = measure("appendref", served.directory, row, 64, 3)
        bare.append(two["per_second"])
        sync50.append(two["fdatasync_p50_us"])
        sync99.append(two["fdatasync_p99_us"])
        for figures, spent in zip((echo, paced), echo_cpu()):
            figures.append(spent)
    served.stop()
    share = statistics.median(rate) / statistics.median(bare)
    times, paced_times = (statistics.median(cpu) / statistics.median(figures) for figures in (echo, paced))
    print("| registrations, 64 outstanding | min / median / max |\n|---|---|")
    print(f"| durable registrations a second | {middle(rate)} |")
    print(f"| bare append of {row} octets + fdatasync, batches of 64 | {middle(bare)} |")
    print(f"| **ratio** (budget 0.70) | {share:.2f}, {met(share >= 0.7)} |")
    print(f"| fdatasync p50 µs | {middle(sync50)} |\n| fdatasync p99 µs | {middle(sync99)} |")
    print(f"| CPU µs a registration | {middle(cpu, 1)} |\n| CPU µs an echoed datagram (tokio) | {middle(echo, 1)} |")
    print(f"| **ratio** (budget 4) | {times:.1f}, {met(times <= 4)} |")
    print(f"| CPU µs an echoed request, by the same load generator | {middle(paced, 1)} |\n| ratio | {paced_times:.1f} |\n")


SYNC_DELAYS = (0, 1000, 2000, 4000, 8000)
"""Microseconds added to each fdatasync: from what a flash disk behind a cache takes to what a magnetic one does."""


def slower(delay):
    """The words before a command whose syncs take so much longer."""
    return ["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync",
            "-e", f"inject=fdatasync:delay_exit={delay}"]


def registrations_by_disk(folder):
    """As `registrations`, on disks that take longer: home agent and bare append both have their syncs delayed."""
    print("| added to each fdatasync | fdatasync p50 µs | bare append, batches of 64, a second | registrations a second | ratio (budget 0.70) |")
    print("|---|---|---|---|---|")
    for delay in SYNC_DELAYS:
        served = home_agent(folder / f"disk-{delay}", prefix=slower(delay))
        row = sum(len(line) for line in rows_of(served))
        rate, bare, sync = [], [], []
        for _ in range(3):
            rate.append(measure("regload", f"127.0.0.1:{served.mip_port}", 1000, 64, 3)["per_second"])
            two = measure("appendref", served.directory, row, 64, 3, prefix=slower(delay))
            bare.append(two["per_second"])
            sync.append(two["fdatasync_p50_us"])
        # The tracer does not pass signals on; it ends with what it traces.
        os.kill(served.served_pid(), signal.SIGTERM)
        served.child.wait(timeout=60)
        share = statistics.median(rate) / statistics.median(bare)
        print(f"| {delay / 1000:g} ms | {statistics.median(sync):,.0f} | {middle(bare)} | {middle(rate)} | {share:.2f}, {met(share >= 0.7)} |", flush=True)
    print()


def denials(folder):
    """Requests with a wrong authenticator, beside those that are accepted, in turns."""
    served = home_agent(folder / "denials")
    address = f"127.0.0.1:{served.mip_port}"
    figures = {"accepted": ([], []), "denied": ([], [])}
    for _ in range(RUNS):
        for name, words in (("accepted", ()), ("denied", ("deny",))):
            one, spent = loaded(served.pid, address, 1000, 64, 2, *words)
            figures[name][0].append(one["per_second"])
            figures[name][1].append(spent)
    served.stop()
    print("| requests, 64 outstanding | a second | CPU µs each |\n|---|---|---|")
    for name, (rate, cpu) in figures.items():
        print(f"| {name} | {middle(rate)} | {middle(cpu, 1)} |")
    share = statistics.median(figures["denied"][1]) / statistics.median(figures["accepted"][1])
    print(f"| **CPU of a denial / of an acceptance** (budget: less than 1) | | {share:.2f}, {met(share < 1)} |\n")


FOREIGN_AGENT = """
[foreign-agent]
address = "127.0.0.2"
port = {port}
home-agent-port = {port}
"""


def relayed(folder):
    """Registrations through a foreign agent, in one process with the home agent, beside direct ones."""
    port = free_port()
    served = home_agent(folder / "relayed", extra=FOREIGN_AGENT.format(port=port), port=port)
    figures = {"direct": ([], []), "through a foreign agent": ([], [])}
    ways = {"direct": (f"127.0.0.1:{port}",), "through a foreign agent": (f"127.0.0.2:{port}", "home-agent=127.0.0.1")}
    for _ in range(RUNS):
        for name, (address, *words) in ways.items():
            one, spent = loaded(served.pid, address, 1000, 64, 2, *words)
            figures[name][0].append(one["per_second"])
            figures[name][1].append(spent)
    served.stop()
    print("| registrations, 64 outstanding | a second | CPU µs each, both agents |\n|---|---|---|")
    for name, (rate, cpu) in figures.items():
        print(f"| {name} | {middle(rate)} | {middle(cpu, 1)} |")
    print()


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
    print(f"| p50 | {waits[150]:.2f} |\n| p99 | {waits[297]:.2f} |")
    print(f"| budget (5 × fdatasync p50 + 10 ms) | {budget:.2f}, {met(waits[297] <= budget)} |\n")


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
