"""A registration that was answered with code 0 is there after a crash, with the right time left."""

import pathlib
import random
import re
import subprocess
import sys
import time

import pytest

from harness import wait_until
from node import KEY

NODES = 64
LOOP = str(pathlib.Path(__file__).parent / "register_loop.py")


def homes():
    return [f"10.99.{1 + number // 250}.{1 + number % 250}" for number in range(NODES)]


@pytest.fixture
def home_agent(daemon):
    return daemon(associations=[{"peer": home, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()} for home in homes()])


def registering(served, seconds):
    """64 nodes in a process of their own, which outlives the home agent's death."""
    return subprocess.Popen(
        [sys.executable, LOOP, str(served.mip_port), str(NODES), str(seconds)], stdout=subprocess.PIPE, text=True
    )


def acknowledged(output):
    """The last acknowledged registration of each home address."""
    last = {}
    for line in output.splitlines():
        home, identification, lifetime, at = line.split()
        last[home] = (int(identification), int(lifetime), float(at))
    return last


def crash_and_compare(home_agent, rng):
    home_agent.start()
    seconds = rng.uniform(0.3, 1.2)
    loop = registering(home_agent, seconds + 0.3)
    first = loop.stdout.readline()  # On a busy machine it takes its time to start.
    time.sleep(seconds)
    home_agent.kill()
    # By the same reader: what it has taken ahead of the first line is there nowhere else.
    last = acknowledged(first + loop.stdout.read())
    loop.wait(timeout=30)
    home_agent.start()
    rows = {row["home_address"]: row for row in home_agent.rows("show", "bindings")}
    now = time.time()
    for home, (identification, lifetime, at) in last.items():
        row = rows[home]
        kept = row["identification_high"] << 32 | row["identification_low"]
        assert kept >= identification, f"{home}: an acknowledged registration is gone"
        assert row["lifetime_granted"] == lifetime
        if kept == identification:
            assert abs(row["time_remaining_seconds"] - (lifetime - (now - at))) <= 3
    home_agent.stop()
    return len(last)


def test_acknowledged_registrations_survive_kill(home_agent):
    rng = random.Random(5944)
    assert sum(crash_and_compare(home_agent, rng) for _ in range(10)) > 10 * NODES / 2


def test_soak_acknowledged_registrations_survive_kill(home_agent):
    rng = random.Random(3344)
    assert sum(crash_and_compare(home_agent, rng) for _ in range(200)) > 200 * NODES / 2


def test_no_reply_leaves_before_a_sync_that_covers_its_row(home_agent, tmp_path):
    """A recorder of system calls sees every write, sync and reply in their order."""
    record = tmp_path / "calls"
    home_agent.start(prefix=[
        "strace", "-f", "-v", "-y", "-xx", "-s", "1048576", "-o", str(record),
        "-e", "trace=write,writev,pwrite64,pwritev,fdatasync,fsync,sendto,sendmsg,sendmmsg",
    ])
    loop = registering(home_agent, 3)
    loop.communicate(timeout=60)
    home_agent.kill()
    subprocess.run(["pkill", "-9", "-f", str(home_agent.config)], check=False)
    wait_until(lambda: not home_agent.alive())
    replies = check_order(record.read_text(errors="replace").splitlines())
    assert replies > 100


CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")


def events(lines):
    """(thread, kind, call, arguments) with kind `start` or `end`, in the order they happened."""
    pending = {}
    for line in lines:
        if match := RESUMED.match(line):
            thread, call, rest = match.groups()
            yield thread, "end", call, pending.pop(thread, "") + rest
        elif match := CALL.match(line):
            thread, call, arguments = match.groups()
            yield thread, "start", call, arguments
            if arguments.endswith("<unfinished ...>"):
                pending[thread] = arguments.removesuffix("<unfinished ...>")
            else:
                yield thread, "end", call, arguments


def strings(arguments):
    """The strings among the arguments: one of a write, one for each datagram of a send."""
    found = re.findall(r'"((?:\\x[0-9a-f]{2})*)"', arguments)
    return [bytes.fromhex(text.replace("\\x", "")) for text in found]


def check_order(lines):
    """Asserts that each accepting reply follows a finished sync that started after its row was written."""
    written, syncing, durable = {}, {}, set()
    replies = 0
    for clock, (thread, kind, call, arguments) in enumerate(events(lines)):
        file = path_of(arguments)
        if "sync" in call and kind == "start":
            syncing[thread] = clock
        elif "sync" in call and arguments.rstrip().endswith("= 0"):
            started = syncing.pop(thread)
            durable |= {row for row, (at, where) in written.items() if at < started and where == file}
        elif "write" in call and kind == "end" and "/store/" in file:
            for number in re.findall(rb'"identification":(\d+)', b"".join(strings(arguments))):
                written.setdefault(int(number), (clock, file))
        elif call.startswith("send") and kind == "start":
            for message in strings(arguments):
                if len(message) >= 20 and message[:2] == b"\x03\x00":
                    number = int.from_bytes(message[12:20])
                    assert number in durable, f"a reply left before its row was synced: {number:x}"
                    replies += 1
    return replies


def path_of(arguments):
    """The file behind the first argument; `-xx` escapes it too."""
    match = re.match(r"\d+<([^>]*)>", arguments)
    text = match.group(1) if match else ""
    return bytes.fromhex(text.replace("\\x", "")).decode() if text.startswith("\\x") else text
