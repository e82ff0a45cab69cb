"""Floods, wrong clocks and carriers' habits, at a running home agent."""

import os
import pathlib
import re
import subprocess
import time

from harness import MIP4CTL, wait_until
from node import KEY, Node, keyed_md5

HOUR = 3600


def homes(count):
    return [f"10.99.7.{1 + number}" for number in range(count)]


def association(home):
    return {"peer": home, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()}


def processor_seconds(pid):
    """User and system time of a process."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cost(served, node, count, **fields):
    """What so many requests cost the home agent, and the codes that they got."""
    before = processor_seconds(served.served_pid())
    codes = {node.register(**fields).code for _ in range(count)}
    return processor_seconds(served.served_pid()) - before, codes


def test_a_denial_costs_less_than_an_acceptance(daemon):
    served = daemon(associations=[association(home) for home in homes(1)]).start()
    node = Node(("127.0.0.1", served.mip_port), homes(1)[0])
    accepted, codes = cost(served, node, 600)
    assert codes == {0}
    denied, codes = cost(served, node, 600, at=time.time() - HOUR)
    assert codes == {133}
    wrong_key = Node(("127.0.0.1", served.mip_port), homes(1)[0], key=bytes(16))
    forged, codes = cost(served, wrong_key, 600)
    assert codes == {131}
    print(f"processor seconds of 600 requests: accepted {accepted}, denied {denied}, forged {forged}")
    assert denied < accepted and forged < accepted


def test_denials_do_not_sync(daemon, tmp_path):
    """An acceptance waits for a sync of its own; denials ride with the counters, five times a second."""
    record = tmp_path / "calls"
    served = daemon(associations=[association(home) for home in homes(1)])
    served.start(prefix=["strace", "-f", "-o", str(record), "-e", "trace=fdatasync,fsync"])
    node = Node(("127.0.0.1", served.mip_port), homes(1)[0])

    def syncs():
        return len(re.findall(r"fdatasync|fsync", record.read_text(errors="replace")))

    before, began = syncs(), time.monotonic()
    assert {node.register(at=time.time() - HOUR).code for _ in range(300)} == {133}
    denied, took = syncs() - before, time.monotonic() - began
    before = syncs()
    assert {node.register().code for _ in range(300)} == {0}
    accepted = syncs() - before
    print(f"300 denials: {denied} syncs in {took:.1f} s; 300 acceptances: {accepted}")
    assert accepted >= 300
    # Each moment of the counters and of the heartbeat may be two lines of the record.
    assert denied < 2 * 30 * (took + 1)
    child = served.served_pid()
    os.kill(child, 9)
    wait_until(lambda: not served.alive(), what="the tracer to end")


def test_a_flood_of_strangers_grows_nothing_and_limits_hold(daemon):
    served = daemon(associations=[association(home) for home in homes(1)],
                    extra="max-requests-per-second-of-peer = 20\n").start()
    stranger = Node(("127.0.0.1", served.mip_port), "10.98.0.1", source="127.0.0.9")
    for number in range(2000):
        stranger.home_address = f"10.98.{number // 250}.{1 + number % 250}"
        stranger.socket.sendto(stranger.request(), stranger.home_agent)

    def counted():
        (row,) = [row for row in served.rows("show", "statistics") if row["role"] == "home-agent"]
        values = row["values"]
        return values if values.get("datagramsReceived", 0) >= 2000 else None

    values = wait_until(counted, what="the flood to be counted")
    assert values["datagramsRateLimited"] >= 1000
    assert served.rows("show", "bindings") == [] and served.rows("show", "nodes") == []
    # Another peer has a limit of its own.
    node = Node(("127.0.0.1", served.mip_port), homes(1)[0])
    assert node.register().code == 0


def test_a_home_agent_says_when_most_nodes_disagree_with_its_clock(daemon):
    served = daemon(associations=[association(home) for home in homes(4)]).start()
    nodes = [Node(("127.0.0.1", served.mip_port), home) for home in homes(4)]

    def clock(word):
        def is_so():
            (row,) = served.rows("show", "status")
            return row if row["clock"] == word else None
        return wait_until(is_so, what=f"the clock to be {word}")

    assert [node.register().code for node in nodes] == [0] * 4
    assert clock("good")["clock_nodes"] >= 3
    assert [node.register(at=time.time() + HOUR).code for node in nodes] == [133] * 4
    row = clock("suspect")
    assert abs(row["clock_offset_milliseconds"] - HOUR * 1000) < 5000
    assert "ALARM" in served.ctl("show", "status")
    assert "set the clock of the home agent" in served.ctl("explain", homes(1)[0])
    wait_until(lambda: any("disagree with the clock" in line for line in served.errors), what="the log")


CARRIER = """
shared-home-addresses = ["1.1.1.1/32"]
"""
ROUTER = """
[[association]]
peer = "{nai}"
spi = {spi}
allow-reserved-spi = true
algorithm = "keyed-md5"
key = "ascii:VzWNeMo"
"""


def test_many_routers_have_the_same_dummy_home_address(daemon):
    routers = {"one@fleet.example": 101, "two@fleet.example": 256, "three@fleet.example": 256}
    text = CARRIER + "".join(ROUTER.format(nai=nai, spi=spi) for nai, spi in routers.items())
    served = daemon(associations=[], extra=text)
    served.config.write_text(served.config.read_text().replace("max-lifetime = 1800", "max-lifetime = 65535"))
    served.start()
    assert any("reserved SPI 101" in line for line in served.errors), "a warning"
    for number, (nai, spi) in enumerate(routers.items()):
        node = Node(("127.0.0.1", served.mip_port), "1.1.1.1", spi=spi, key=b"VzWNeMo", mac=keyed_md5, nai=nai,
                    source=f"127.0.0.{21 + number}")
        reply = node.register(lifetime=65534)
        assert (reply.code, reply.lifetime) == (0, 65534) and reply.is_authentic(b"VzWNeMo", keyed_md5)
    rows = served.rows("show", "bindings", "--home-address", "1.1.1.1")
    assert {row["nai"] for row in rows} == set(routers)
    assert {row["home_address"] for row in rows} == {"1.1.1.1"}
    assert len(served.rows("show", "bindings", "--nai", "two@*", "--care-of", "127.0.0.22")) == 1


def test_reserved_spis_need_a_switch(daemon, tmp_path):
    served = daemon(associations=[]).start()
    key = tmp_path / "key"
    key.write_text("ascii:VzWNeMo\n")
    key.chmod(0o600)
    words = ["association", "add", "10.99.7.1", "--spi", "101", "--algorithm", "keyed-md5", "--key-file", str(key)]
    served.ctl(*words, expect=2)
    done = subprocess.run([MIP4CTL, "--store", f"unix:{served.directory}/store.sock", *words, "--allow-reserved-spi"],
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and "SPI 101 is reserved" in done.stderr, done.stderr
    node = Node(("127.0.0.1", served.mip_port), "10.99.7.1", spi=101, key=b"VzWNeMo", mac=keyed_md5)
    node.socket.settimeout(0.5)
    wait_until(lambda: (answer := node.register()) and answer.code == 0, what="the reserved SPI to work")
    served.ctl("association", "delete", "10.99.7.1", "--spi", "101")

