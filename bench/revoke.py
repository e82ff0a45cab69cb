"""An operation on very many bindings: how fast they are revoked, and what it takes."""

import json
import subprocess
import time

from common import Daemon, KEY, ROOT, cpu_seconds, free_port, loadgen, measure, met, middle, resident_octets, started

BINDINGS = 100_000
RUNS = 3
HOME_AGENT, FOREIGN_AGENT = "127.0.0.1", "127.0.0.2"
REVOCATION = """[home-agent.revocation]
port = "of-registration"
inform = false
[daemon]
name = "bench"
"""


def revoke(folder):
    """Revokes 100,000 bindings unpaced, acknowledged on loopback, beside bare appends of the same rows."""
    rates, cpu, before, most, after = [], [], [], [], []
    for number in range(RUNS):
        one = run(folder / f"revoke{number}")
        for figures, value in zip((rates, cpu, before, most, after), one):
            figures.append(value)
    bare = measure("appendref", folder, 1000, 64, 3)
    rate = sorted(rates)[len(rates) // 2]
    print(f"| revoke {BINDINGS:,} bindings, unpaced, acknowledged on loopback | min / median / max |\n|---|---|")
    print(f"| revoked a second, from the operation's row to its end | {middle(rates)} |")
    print(f"| **budget** 5,000/s | {met(rate >= 5000)} |")
    print(f"| CPU µs of the home agent for each | {middle(cpu, 1)} |")
    print(f"| resident before, octets a binding | {middle([value / BINDINGS for value in before])} |")
    print(f"| resident at most, of that before | {middle([b / a for a, b in zip(before, most)], 2)} |")
    print(f"| resident after, of that before | {middle([b / a for a, b in zip(before, after)], 2)} |")
    print(f"| bare append of 1,000 octets + fdatasync, batches of 64, a second | {bare['per_second']:,.0f} |")
    print(f"| fdatasync p50 µs | {bare['fdatasync_p50_us']:,.0f} |\n")


def run(folder):
    """One run on a store of its own."""
    port = free_port()
    association = {"peer": FOREIGN_AGENT, "spi": 2000, "algorithm": "hmac-md5", "key": KEY.hex()}
    daemon = Daemon(folder, associations=[association], extra=REVOCATION)
    subprocess.run(
        [ROOT / "target/release/examples/bindings", str(daemon.directory / "store"), str(BINDINGS), "bench",
         HOME_AGENT, f"through={FOREIGN_AGENT}:{port}"], check=True)
    started(daemon)
    peer = subprocess.Popen(
        loadgen("revack", f"{FOREIGN_AGENT}:{port}", BINDINGS, 120), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert peer.stderr.readline() == "ready\n"
    before, spent = resident_octets(daemon.pid), cpu_seconds(daemon.pid)
    most, begun = before, time.perf_counter()
    (operation,) = daemon.rows("revoke", "binding", "--all", "--yes")
    waiting = subprocess.Popen(
        [str(ROOT / "target/release/mip4ctl"), "--store", f"unix:{daemon.directory}/store.sock", "-o", "json",
         "wait", "operation", str(operation["id"]), "--timeout", "120s"], stdout=subprocess.PIPE, text=True)
    while waiting.poll() is None:
        most = max(most, resident_octets(daemon.pid))
        time.sleep(0.02)
    elapsed = time.perf_counter() - begun
    (ended,) = json.loads(waiting.stdout.read())["rows"]
    said = json.loads(peer.communicate(timeout=130)[0])
    assert ended["results"] == {"acknowledged": BINDINGS} and said["acknowledged"] == BINDINGS, (ended, said)
    spent = (cpu_seconds(daemon.pid) - spent) / BINDINGS * 1e6
    time.sleep(2)  # What was freed goes back, the store is folded.
    after = resident_octets(daemon.pid)
    daemon.stop()
    return BINDINGS / elapsed, spent, before, most, after
