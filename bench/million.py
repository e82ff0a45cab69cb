"""A home agent with a million bindings: memory, restart, many that end at once."""

import os
import pathlib
import socket
import subprocess
import time

from common import BINDING_COUNT, KEY, ROOT, cpu_seconds, filled, resident_octets
from node import Node
from registrations import get_request, last_unsigned

MILLION = 1_000_000
EXPIRING = 100_000
AHEAD = 120
"""Seconds from the filling of the last rows until they end: by then there is a checkpoint, and the home agent serves."""
PATIENCE = 600
HOME = "10.250.0.1"
ASSOCIATION = f"""
[[association]]
peer = "{HOME}"
spi = 1000
key = "hex:{KEY.hex()}"
"""


def all_cpu_seconds(pid):
    """What a process has spent, threads that have ended included."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def store(folder):
    """The store alone: `million`, which prints its own figures."""
    done = subprocess.run(
        [ROOT / "target/release/examples/million", str(folder / "million")], capture_output=True, text=True, check=True
    )
    print("| the store, 1,000,000 bindings | |\n|---|---|")
    for line in done.stdout.splitlines():
        print(f"| {line[:44].strip()} | {line[44:].strip()} |")
    print()


class Asker:
    """Asks a daemon how many bindings it has."""

    def __init__(self, daemon, patience=10):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", daemon.snmp_port))
        self.socket.settimeout(patience)
        self.request = get_request(BINDING_COUNT)

    def count(self):
        self.socket.send(self.request)
        return last_unsigned(self.socket.recv(2048))


def serving_after(daemon, bindings):
    """Starts it; the seconds until a registration is answered and a GET shows all bindings, and the CPU seconds."""
    begun = time.monotonic()
    daemon.spawn()
    asker, node = Asker(daemon, 0.5), Node(("127.0.0.1", daemon.mip_port), HOME)
    node.socket.settimeout(0.2)
    # A node that is not bound says so: that is answered after a commit, and leaves the count as it is.
    while time.monotonic() < begun + PATIENCE:
        assert daemon.alive(), daemon.errors
        try:
            reply = node.register(lifetime=0)
            found = asker.count() if reply is not None and reply.code == 0 else None
            assert not found or found >= bindings, "some have ended already: the machine is too busy for this"
            if found == bindings:
                return time.monotonic() - begun, all_cpu_seconds(daemon.pid)
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"nothing serves within {PATIENCE} s: {daemon.errors}")


def home_agent_of_a_million(folder):
    """Starts with a million bindings, answers, and loses 100,000 of them in one second."""
    daemon = filled(folder / "million-ha", MILLION, expires_in=AHEAD, expiring=EXPIRING, extra=ASSOCIATION, start=False)
    serving, cpu = serving_after(daemon, MILLION)
    octets = resident_octets(daemon.pid)
    print("| home agent, 1,000,000 bindings (3,000,000 rows) | |\n|---|---|")
    print(f"| from exec to serving SNMP and registrations | {serving:.1f} s; {cpu:.1f} s of CPU |")
    print(f"| memory of the process, octets a binding with the rows of its node | {octets / MILLION:.0f} |", flush=True)
    expiry = expire(daemon)
    print(f"| 100,000 of them end in one millisecond: until all are gone | {expiry['seconds']:.2f} s, {EXPIRING / expiry['seconds']:,.0f}/s |")
    print(f"| CPU µs for each | {expiry['cpu'] / EXPIRING * 1e6:.1f} |")
    print(f"| slowest GET meanwhile | {expiry['slowest_get'] * 1e3:.1f} ms |")
    print(f"| slowest registration meanwhile, of {expiry['registrations']} one after the other | {expiry['slowest_registration'] * 1e3:.1f} ms |", flush=True)
    daemon.stop()
    serving, cpu = serving_after(daemon, MILLION - EXPIRING)
    print(f"| from exec to serving after that, 900,000 | {serving:.1f} s; {cpu:.1f} s of CPU |", flush=True)
    daemon.kill()
    serving, cpu = serving_after(daemon, MILLION - EXPIRING)
    print(f"| and after a kill | {serving:.1f} s; {cpu:.1f} s of CPU |\n")
    daemon.stop()


def expire(daemon):
    """Polls the count of bindings until the last that ends is gone, and registers meanwhile."""
    asker, node = Asker(daemon), Node(("127.0.0.1", daemon.mip_port), HOME)
    node.socket.settimeout(10)
    assert asker.count() == MILLION, "some have ended already: the machine is too busy for this"
    while asker.count() == MILLION:
        time.sleep(0.01)
    begun, cpu = time.monotonic(), cpu_seconds(daemon.pid)
    figures = {"slowest_get": 0, "slowest_registration": 0, "registrations": 0}
    left = MILLION
    while left > MILLION - EXPIRING:
        asked = time.monotonic()
        left = asker.count()
        between = time.monotonic()
        assert node.register(lifetime=0).code == 0
        answered = time.monotonic()
        figures["slowest_get"] = max(figures["slowest_get"], between - asked)
        figures["slowest_registration"] = max(figures["slowest_registration"], answered - between)
        figures["registrations"] += 1
    return {"seconds": time.monotonic() - begun, "cpu": cpu_seconds(daemon.pid) - cpu, **figures}
