"""The SNMP engine beside Net-SNMP's agent: GET, GETNEXT, GETBULK, SNMPv3."""

import json
import statistics
import subprocess
import time

from common import (
    AUTH_PASSWORD, BIG_TABLE, BINDINGS, PRIV_PASSWORD, RUNS, SYS_UP_TIME, USER, Echo, Snmpd, cpu_seconds, filled, home_agent,
    loadgen, measure, met, middle, pin,
)

median = statistics.median


def get(folder):
    """GET sysUpTime.0, 32 outstanding, server and load generator on a core each."""
    running = filled(folder / "get", 10)
    pin(running.pid, 0)
    reference = Snmpd(folder / "snmpd-get", 10)
    ours, theirs, echoes = [], [], []
    load = ("-o", SYS_UP_TIME, "-n", 32, "-t", 1.5)
    for _ in range(RUNS):
        ours.append(measure("snmpload", "get", f"127.0.0.1:{running.snmp_port}", *load, core=1)["rps"])
        theirs.append(measure("snmpload", "get", f"127.0.0.1:{reference.port}", *load, core=1)["rps"])
        echo = Echo(core=0)
        echoes.append(measure("snmpload", "get", f"127.0.0.1:{echo.port}", *load, "--raw", core=1)["rps"])
        echo.stop()
    running.stop()
    reference.stop()
    times, share = median(ours) / median(theirs), median(ours) / median(echoes)
    print("| GET, 32 outstanding | per second, min / median / max |\n|---|---|")
    print(f"| ours | {middle(ours)} |\n| snmpd | {middle(theirs)} |\n| bare tokio echo | {middle(echoes)} |")
    print(f"| **ours / snmpd** (budget 4) | {times:.1f}, {met(times >= 4)} |")
    print(f"| **ours / echo** (budget 0.55) | {share:.2f}, {met(share >= 0.55)} |\n")


def get_v3(folder):
    """GET at authPriv (SHA-256, AES-128), 32 outstanding, a core each."""
    running = filled(folder / "get3", 10, extra=USER)
    pin(running.pid, 0)
    reference = Snmpd(folder / "snmpd-get3", 10)
    load = ("bench", AUTH_PASSWORD, PRIV_PASSWORD, "sha256", "aes", "get", SYS_UP_TIME, 32, 1.5)
    figures = {"ours": (running.snmp_port, running.pid, [], []), "snmpd": (reference.port, reference.pid, [], [])}
    for _ in range(RUNS):
        for port, pid, rates, cpus in figures.values():
            before = cpu_seconds(pid)
            one = measure("snmpload3", f"127.0.0.1:{port}", *load, core=1)
            assert one["ok"] and not one["reports"], one
            rates.append(one["rps"])
            cpus.append((cpu_seconds(pid) - before) / one["ok"] * 1e6)
    running.stop()
    reference.stop()
    print("| GET, authPriv, 32 outstanding | per second | server CPU µs each |\n|---|---|---|")
    for name, (_, _, rates, cpus) in figures.items():
        print(f"| {name} | {middle(rates)} | {middle(cpus, 1)} |")
    times = median(figures["ours"][2]) / median(figures["snmpd"][2])
    less = median(figures["snmpd"][3]) / median(figures["ours"][3])
    print(f"| **ours / snmpd** (budget 3) | {times:.1f}, {met(times >= 3)} | 1/{less:.1f} |\n")


def walked(port, pid, columns, *words, seconds=30, core=None):
    """One walk: variables a second, and the CPU µs of `pid` for each."""
    before = cpu_seconds(pid)
    one = measure("snmpload", "walk", f"127.0.0.1:{port}", "-o", columns, "--max-secs", seconds, *words, core=core)
    assert one["status"] in ("complete", "time-limit") and not one["noninc"] and not one["bad"], one
    return one["vbs"] / one["secs"], (cpu_seconds(pid) - before) / one["vbs"] * 1e6


def pair(running, reference, *words, rows, seconds=30, core=1):
    """The same walk of both, in turns, by a walker on `core`: rates and CPUs of ours and theirs."""
    ours, theirs, our_cpu, their_cpu = [], [], [], []
    # A short walk is over before it can be measured: it goes as often as makes 100,000 rows.
    repeats = max(1, 100_000 // rows // 4)
    for _ in range(RUNS):
        for port, oid, pid, rates, cpus in (
            (running.snmp_port, BINDINGS, running.pid, ours, our_cpu),
            (reference.port, BIG_TABLE, reference.pid, theirs, their_cpu),
        ):
            each = [walked(port, pid, oid, *words, seconds=seconds, core=core) for _ in range(repeats)]
            rates.append(median(rate for rate, _ in each))
            cpus.append(sum(cpu for _, cpu in each) / repeats)
    return ours, theirs, our_cpu, their_cpu


def ceiling():
    """Variables a second that one walker would get of a server that costs nothing: 50 for each datagram of an echo."""
    echo = Echo(core=0)
    load = ("get", f"127.0.0.1:{echo.port}", "-o", SYS_UP_TIME, "-n", 1, "-t", 1.5, "--raw")
    rates = [50 * measure("snmpload", *load, core=1)["rps"] for _ in range(RUNS)]
    echo.stop()
    return rates


WALKERS = {"1 walker": (1, 1), "1 walker on the server's core": (1, 0), "4 walkers": (4, 1)}
"""How many, and their core."""


def walk(folder):
    """GETBULK walks, repetitions 50, of tables with as many rows; one walker, and four that keep the server busy."""
    print("| walk, GETBULK 50 | ours vb/s | snmpd vb/s | ratio | ours µs CPU/vb | snmpd µs CPU/vb | ratio |\n|---|---|---|---|---|---|---|")
    for rows in (1_000, 10_000, 100_000):
        running = filled(folder / f"walk{rows}", rows)
        pin(running.pid, 0)
        reference = Snmpd(folder / f"snmpd{rows}", rows)
        for who in WALKERS if rows == 100_000 else ("1 walker",):
            walkers, core = WALKERS[who]
            words = ("-m", "bulk", "-r", 50, "-n", walkers)
            ours, theirs, our_cpu, their_cpu = pair(running, reference, *words, rows=rows, seconds=6, core=core)
            if who == "1 walker":
                most = ceiling()
                print(f"| {rows:,} rows, 1 walker of an echo | {middle(most)} | | {median(most) / median(theirs):.1f} at most | | | |")
            ratio = median(ours) / median(theirs)
            our, their = median(our_cpu), median(their_cpu)
            budget = f" (budget 5: {met(ratio >= 5)})" if rows == 100_000 else ""
            cpu_budget = f" (budget 1/7: {met(their >= 7 * our)})" if rows == 100_000 else ""
            name = f"{rows:,} rows, {who}"
            print(
                f"| {name} | {middle(ours)} | {middle(theirs)} | {ratio:.1f}{budget} | {our:.2f} | {their:.2f} "
                f"| 1/{their / our:.1f}{cpu_budget} |", flush=True,
            )
        running.stop()
        reference.stop()
    print()


def walk_next(folder):
    """GETNEXT walks of 1,000 rows, the server on one core."""
    running = filled(folder / "next", 1_000)
    pin(running.pid, 0)
    reference = Snmpd(folder / "snmpd-next", 1_000)
    print("| walk, GETNEXT | ours a second | snmpd a second | ratio | ours µs CPU | snmpd µs CPU | ratio |\n|---|---|---|---|---|---|---|")
    for who, (walkers, core) in {**WALKERS, "32 walkers": (32, 1)}.items():
        ours, theirs, our_cpu, their_cpu = pair(running, reference, "-m", "next", "-n", walkers, rows=25_000, core=core)
        ratio, our, their = median(ours) / median(theirs), median(our_cpu), median(their_cpu)
        print(
            f"| {who} | {middle(ours)} | {middle(theirs)} | {ratio:.1f} (budget 2: {met(ratio >= 2)}) "
            f"| {our:.1f} | {their:.1f} | 1/{their / our:.1f} |", flush=True,
        )
    running.stop()
    reference.stop()
    print()


SELECTIONS = {
    "whole table": BINDINGS,
    "one column": f"{BINDINGS}.1.8",
    "three columns, row by row": ",".join(f"{BINDINGS}.1.{column}" for column in (3, 7, 8)),
}


def walk_rows(folder):
    """What a variable costs in tables of 1,000 to 1,000,000 rows: whole, and by column."""
    print("| walk, GETBULK 50 | rows | vb/s | rows/s | µs CPU/vb |\n|---|---|---|---|---|")
    cpu = {}
    for rows in (1_000, 10_000, 100_000, 1_000_000):
        running = filled(folder / f"rows{rows}", rows)
        pin(running.pid, 0)
        for name, columns in SELECTIONS.items():
            # A whole walk of a million rows is 12,000,000 variables, which says enough.
            repeats = 1 if rows == 1_000_000 and name == "whole table" else max(3, 30_000 // rows)
            walk = ("-m", "bulk", "-r", 50)
            each = [walked(running.snmp_port, running.pid, columns, *walk, seconds=60, core=1) for _ in range(repeats)]
            rate, spent = median(rate for rate, _ in each), median(spent for _, spent in each)
            per_row = {"whole table": 12}.get(name, columns.count(",") + 1)
            print(f"| {name} | {rows:,} | {rate:,.0f} | {rate / per_row:,.0f} | {spent:.3f} |", flush=True)
            cpu[name, rows] = spent
        running.stop()
    small, large = cpu["whole table", 1_000], cpu["whole table", 1_000_000]
    holds = large <= 1.3 * small or large - small <= 0.25
    print(f"\nWhole table, 1,000,000 rows against 1,000: {large / small:.2f} ×, {large - small:+.3f} µs (budget 1.3 × or 0.25 µs more: {met(holds)})\n")


CHANGING = 10_000


def churn(folder):
    """A prober's GETs, at rest and while four walkers walk and 10,000 bindings a second change."""
    nodes = 10_000
    running = home_agent(folder / "churn", nodes=nodes)
    changing = ["regload", f"127.0.0.1:{running.mip_port}", nodes, 512]
    measure(*changing, 3)  # all of them are there
    print("| four walkers, changes, and a prober | bindings changed a second (10,000 wanted) | p99 at rest, µs | p99 under load, µs | ratio (budget 5) |")
    print("|---|---|---|---|---|")
    walks, odd = 0, 0
    # Nodes and managers have processors of their own elsewhere. Here they would take those of the server: so nodes give way to it, and
    # walkers to both.
    for name, priorities in (("load generators get what the server leaves (nice 5 and 19)", (5, 19)), ("load generators at the same priority", (0, 0))):
        rounds = [under_load(running, changing, *priorities) for _ in range(RUNS)]
        idle, loaded, changed, said = zip(*rounds)
        walks += sum(one["reqs"] for each in said for one in each)
        odd += sum(one["noninc"] + one["unequal"] + one["bad"] for each in said for one in each)
        times = median(loaded) / median(idle)
        print(f"| {name} | {middle(changed)} | {middle(idle)} | {middle(loaded)} | **{times:.1f}**, {met(times <= 5)} |", flush=True)
    running.stop()
    print(f"\nPDUs of the walkers: {walks:,}; out of order, malformed or of two revisions: {odd}\n")


def under_load(running, changing, nodes, walkers):
    """The prober's p99 at rest and under load, the changes a second, and what the walkers say; the priorities of nodes and walkers."""
    target = f"127.0.0.1:{running.snmp_port}"
    # At a fixed rate: a closed loop would ask less often when it matters.
    probe = ("get", target, "-o", SYS_UP_TIME, "-n", 1, "-t", 3, "--every-us", 1000)
    idle = measure("snmpload", *probe)["p99us"]
    column = f"{BINDINGS}.1.5"
    walk = ("walk", target, "-o", f"{column},{column}", "--same", "--again", "-m", "bulk", "-r", 25, "--max-secs", 5)
    commands = [(nodes, loadgen(*changing, 6, f"rate={CHANGING}")), *4 * [(walkers, loadgen("snmpload", *walk))]]
    load = [subprocess.Popen(["nice", "-n", str(priority), *command], stdout=subprocess.PIPE, text=True) for priority, command in commands]
    time.sleep(1)
    loaded = measure("snmpload", *probe)["p99us"]
    renewals, *said = [json.loads(one.communicate()[0].splitlines()[-1]) for one in load]
    return idle, loaded, renewals["per_second"], said
