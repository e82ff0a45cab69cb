"""A home agent with a million bindings: memory, restart, many that end at once."""

import socket
import subprocess
import time

from common import BINDING_COUNT, ROOT, cpu_seconds, filled, resident_octets, started
from registrations import get_request, last_unsigned

MILLION = 1_000_000
EXPIRING = 100_000
AHEAD = 300
"""Seconds from the start of the filling until they end: it must be over by then, and the home agent serve."""


def store(folder):
    """The store alone: `million`, which prints its own figures."""
    done = subprocess.run(
        [ROOT / "target/release/examples/million", str(folder / "million")], capture_output=True, text=True, check=True
    )
    print("| the store, 1,000,000 bindings | |\n|---|---|")
    for line in done.stdout.splitlines():
        print(f"| {line[:44].strip()} | {line[44:].strip()} |")
    print()


def home_agent_of_a_million(folder):
    """Starts with a million bindings, answers, and loses 100,000 of them in one second."""
    daemon = filled(folder / "million-ha", MILLION, expires_in=AHEAD, expiring=EXPIRING, start=False)
    begun = time.monotonic()
    started(daemon)
    serving = time.monotonic() - begun
    octets = resident_octets(daemon.pid)
    print("| home agent, 1,000,000 bindings | |\n|---|---|")
    print(f"| from exec to serving SNMP and registrations | {serving:.1f} s (budget of the store alone: 5 s) |")
    print(f"| memory of the process, octets a binding | {octets / MILLION:.0f} |")
    expiry = expire(daemon)
    print(f"| 100,000 of them end in one millisecond: until all are gone | {expiry['seconds']:.2f} s, {EXPIRING / expiry['seconds']:,.0f}/s |")
    print(f"| CPU µs for each | {expiry['cpu'] / EXPIRING * 1e6:.1f} |")
    print(f"| slowest GET meanwhile | {expiry['slowest'] * 1e3:.1f} ms |")
    daemon.stop()
    begun = time.monotonic()
    started(daemon)
    print(f"| from exec to serving after that, 900,000 | {time.monotonic() - begun:.1f} s |\n")
    daemon.stop()


def expire(daemon):
    """Polls the count of bindings until the last that ends is gone."""
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.connect(("127.0.0.1", daemon.snmp_port))
    asker.settimeout(10)
    request = get_request(BINDING_COUNT)

    def count():
        asker.send(request)
        return last_unsigned(asker.recv(2048))

    assert count() == MILLION, "some have ended already; start earlier"
    while count() == MILLION:
        time.sleep(0.01)
    begun, cpu, slowest = time.monotonic(), cpu_seconds(daemon.pid), 0
    while True:
        asked = time.monotonic()
        left = count()
        slowest = max(slowest, time.monotonic() - asked)
        if left == MILLION - EXPIRING:
            break
        time.sleep(0.005)
    return {"seconds": time.monotonic() - begun, "cpu": cpu_seconds(daemon.pid) - cpu, "slowest": slowest}
