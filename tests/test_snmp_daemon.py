"""SNMP of `mip4d run`: users and targets that outlive it, notifications, transports, bursts."""

import concurrent.futures
import json
import os
import re
import socket
import subprocess

import pytest

from harness import MIP4D, MODULES, free_port, wait_until
from test_snmp_engine import v3

BOOTS = ".1.3.6.1.6.3.10.2.1.2.0"
UPTIME = ".1.3.6.1.2.1.1.3.0"
LOCATION = ".1.3.6.1.2.1.1.6.0"
ADDRESS = ".1.3.6.1.6.3.12.1.2.1"

USERS = """
[[snmp.user]]
name = "boss"
auth = "SHA-256"
auth-password = "authentication"
priv = "AES"
priv-password = "privacy-privacy"
access = "write"
view = ["1.3.6.1", "1.3.6.1.6.3.12", "1.3.6.1.6.3.13", "1.3.6.1.6.3.15", "1.3.6.1.6.3.16"]
[[snmp.user]]
name = "writer"
auth = "SHA-256"
auth-password = "authentication"
priv = "AES"
priv-password = "privacy-privacy"
access = "write"
[[snmp.user]]
name = "narrow"
auth = "SHA-256"
auth-password = "authentication"
context = "here"
"""

BOSS = v3("boss", auth="SHA-256", priv="AES")
WRITER = v3("writer", auth="SHA-256", priv="AES")


def run(daemon, name, options, *arguments, fails=False, address=None):
    address = address or f"udp:127.0.0.1:{daemon.snmp_port}"
    command = [name, "-t", "3", "-r", "2", "-On", "-M", str(MODULES), "-m", "", *options, address, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode != 0) == fails, (command, done.stdout, done.stderr)
    return done.stdout + (done.stderr if fails else "")


@pytest.fixture
def made(daemon):
    """A daemon with users, not started."""
    home_agent = daemon(extra=USERS)
    text = home_agent.config.read_text()
    home_agent.config.write_text(text.replace("[store]\n", '[daemon]\nname = "here"\n[store]\n', 1))
    return home_agent


def change(daemon, old, new):
    daemon.config.write_text(daemon.config.read_text().replace(old, new, 1))


def state(daemon):
    return json.loads((daemon.directory / "snmp-engine.json").read_text())


def index(name):
    return ".".join(str(octet) for octet in name.encode())


def test_what_is_set_survives_a_restart(made):
    made.start()
    run(made, "snmpset", BOSS, LOCATION, "s", "rack 7")
    run(made, "snmpset", BOSS, ".1.3.6.1.2.1.11.30.0", "i", "1")
    run(made, "snmpusm", BOSS, "create", "guest", "boss")
    run(made, "snmpusm", [*BOSS, "-Ca"], "passwd", "authentication", "another-secret", "guest")
    run(made, "snmpvacm", BOSS, "createSec2Group", "3", "guest", "guests")
    run(made, "snmpvacm", BOSS, "createView", "system", ".1.3.6.1.2.1.1")
    run(made, "snmpvacm", BOSS, "createAccess", "guests", "3", "3", "1", "system", "none", "none")
    guest = v3("guest", auth="SHA-256", priv="AES", auth_password="another-secret")
    assert "Timeticks" in run(made, "snmpget", guest, UPTIME)
    assert "No Such" in run(made, "snmpget", guest, BOOTS)
    row = index("away")
    run(made, "snmpset", BOSS, f"{ADDRESS}.9.{row}", "i", "5", f"{ADDRESS}.8.{row}", "i", "2")
    row = index("kept")
    run(made, "snmpset", BOSS, f"{ADDRESS}.9.{row}", "i", "5", f"{ADDRESS}.4.{row}", "i", "77")
    kept = made.directory / "snmp-engine.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert made.kill() != 0  # As if the power failed.
    made.start()
    assert "rack 7" in run(made, "snmpget", guest, LOCATION)
    assert "No Such" in run(made, "snmpget", guest, BOOTS)
    assert "INTEGER: 1" in run(made, "snmpget", BOSS, ".1.3.6.1.2.1.11.30.0")
    assert "INTEGER: 77" in run(made, "snmpget", BOSS, f"{ADDRESS}.4.{row}")
    assert "No Such" in run(made, "snmpget", BOSS, f"{ADDRESS}.8.{index('away')}")
    run(made, "snmpusm", BOSS, "delete", "guest")
    made.stop()
    assert [user["name"] for user in state(made).get("users", [])] == []
    made.start()
    assert "Unknown user" in run(made, "snmpget", guest, UPTIME, fails=True)


def test_writing_excludes_who_may_do_what_unless_it_is_named(made):
    made.start()
    run(made, "snmpset", WRITER, LOCATION, "s", "rack 8")
    group = ".1.3.6.1.6.3.16.1.2.1.5.3." + f"5.{index('guest')}"
    name = ".1.3.6.1.6.3.16.1.2.1.3.3." + f"5.{index('guest')}"
    for oid, kind, value in [(group, "i", "6"), (name, "s", "x"), (f"{ADDRESS}.9.{index('x')}", "i", "5")]:
        assert "noAccess" in run(made, "snmpset", WRITER, oid, kind, value, fails=True)
    run(made, "snmpset", BOSS, group, "i", "6")
    # A community reads, whatever it is called.
    assert "Reason" in run(made, "snmpset", ["-v2c", "-c", "public"], LOCATION, "s", "x", fails=True)
    # No read shows a community or a key.
    walked = run(made, "snmpwalk", BOSS, ".1.3.6.1.6.3")
    assert "public" not in walked and "authentication" not in walked
    assert ".1.3.6.1.6.3.18.1.1.1.3" in walked


def test_contexts_are_those_of_the_daemon(made):
    made.start()
    narrow = v3("narrow", "authNoPriv", "SHA-256")
    assert "INTEGER" in run(made, "snmpget", ["-n", "here", *narrow], BOOTS)
    assert "authorizationError" in run(made, "snmpget", narrow, BOOTS, fails=True)
    assert "context" in run(made, "snmpget", ["-n", "elsewhere", *narrow], BOOTS, fails=True).lower()


def answered(port, host, kind, message):
    """The answer to `message` from `host`, and where it came from."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as client:
        client.settimeout(20)
        client.connect((host, port)) if kind == socket.SOCK_STREAM else client.sendto(message, (host, port))
        if kind == socket.SOCK_STREAM:
            client.sendall(message)
        data, source = client.recvfrom(65536)
        return data, source[0] if source else host


#: GET of sysUpTime.0 by `public`, SNMPv2c, request-id 1.
GET = bytes.fromhex("302602010104067075626c6963a019020101020100020100300e300c06082b060102010103000500")


def test_every_transport_and_address(made):
    v4, v6, tcp = free_port(), free_port(), free_port(socket.SOCK_STREAM)
    listen = [f"udp:0.0.0.0:{v4}", f"tcp:127.0.0.1:{tcp}", f"tcp:[::1]:{tcp}", f"udp:[::]:{v6}"]
    if not os.path.exists("/proc/net/if_inet6") or "00000000000000000000000000000001" not in open("/proc/net/if_inet6").read():
        listen = listen[:2]
    change(made, f'listen = ["udp:127.0.0.1:{made.snmp_port}"]',
           "listen = " + json.dumps([f"udp:127.0.0.1:{made.snmp_port}", *listen]))
    made.start()
    for host in ("127.0.0.1", "127.0.0.5", "127.7.7.7"):
        data, source = answered(v4, host, socket.SOCK_DGRAM, GET)
        assert source == host and data[:1] == b"0"
    assert "Timeticks" in run(made, "snmpget", BOSS, UPTIME, address=f"tcp:127.0.0.1:{tcp}")
    walked = run(made, "snmpbulkwalk", BOSS, "-Cr50", ".1.3.6.1.6.3", address=f"tcp:127.0.0.1:{tcp}")
    assert walked == run(made, "snmpbulkwalk", BOSS, "-Cr50", ".1.3.6.1.6.3") or len(walked) > 1000
    if len(listen) == 4:
        assert "Timeticks" in run(made, "snmpget", BOSS, UPTIME, address=f"udp6:[::1]:{v6}")
        assert "Timeticks" in run(made, "snmpget", BOSS, UPTIME, address=f"tcp6:[::1]:{tcp}")
    # Messages in pieces, two at once, and what is none.
    with socket.create_connection(("127.0.0.1", tcp), timeout=20) as client:
        for octet in GET + GET[:20]:
            client.sendall(bytes([octet]))
        first = client.recv(65536)
        client.sendall(GET[20:])
        assert client.recv(65536) [:-6] == first[:-6]
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert client.recv(65536) == b""
    assert "Timeticks" in run(made, "snmpget", BOSS, UPTIME, address=f"tcp:127.0.0.1:{tcp}")


def granted(port):
    """The receive buffer that the system gave the socket of `port`, or None where it says nothing."""
    done = subprocess.run(["ss", "-uanm", f"sport = :{port}"], capture_output=True, text=True, check=False)
    found = re.search(r"rb(\d+)", done.stdout)
    return int(found.group(1)) if found else None


def test_a_burst_of_five_thousand_loses_none(made):
    made.start()
    buffer = granted(made.snmp_port)
    if buffer is not None and buffer < 4 << 20:
        pytest.skip("the system grants no large receive buffer here")
    count = 5000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), 16 << 20)
        client.connect(("127.0.0.1", made.snmp_port))
        client.settimeout(10)
        place = GET.index(bytes.fromhex("0201010201"))
        for number in range(count):
            # The request-id in two octets, and every length around it one more.
            message = bytearray(GET)
            message[place:place + 3] = bytes([2, 2, 0x10 + number // 256, number % 256])
            message[1] += 1
            message[message.index(0xA0) + 1] += 1
            client.send(message)
        seen = set()
        while len(seen) < count:
            data = client.recv(65536)
            place_there = data.index(0xA2) + 2
            seen.add(bytes(data[place_there:place_there + 4]))
    assert len(seen) == count


TARGETS = """
[[snmp.target]]
name = "trap-v1"
address = "udp:127.0.0.1:{port}"
version = "1"
community = "traps"
[[snmp.target]]
name = "trap-v2c"
address = "udp:127.0.0.1:{port}"
version = "2c"
community = "public"
[[snmp.target]]
name = "inform-v3"
address = "udp:127.0.0.1:{port}"
user = "boss"
inform = true
timeout = 1
retries = 20
[[snmp.target]]
name = "filtered"
address = "udp:127.0.0.1:{port}"
user = "writer"
exclude = ["1.3.6.1.6.3.1.1.5.1", "1.3.6.1.6.3.1.1.5.2"]
"""

TRAPD = """
authCommunity log traps
authCommunity log public
createUser boss SHA-256 authentication AES privacy-privacy
createUser -e 0x{engine} writer SHA-256 authentication AES privacy-privacy
authUser log boss authpriv
authUser log writer authpriv
format1 v1 %P %w.%q %v\\n
format2 v2 %P %V,%v\\n
"""
COLD, WARM, FAILURE = (f".1.3.6.1.6.3.1.1.5.{number}" for number in (1, 2, 5))


def test_notifications_of_the_configuration(made, tmp_path):
    port, log = free_port(), tmp_path / "trapd.log"
    made.config.write_text(made.config.read_text() + TARGETS.format(port=port))
    change(made, "[snmp]\n", "[snmp]\nauthentication-traps = true\n")
    made.start()
    made.stop()
    (tmp_path / "snmptrapd.conf").write_text(TRAPD.format(engine=state(made)["engine_id"]))
    command = ["snmptrapd", "-f", "-C", "-c", str(tmp_path / "snmptrapd.conf"), "-n", "-On", "-m", "", "-Lf", str(log)]
    environment = {**os.environ, "SNMP_PERSISTENT_FILE": str(tmp_path / "persistent.conf")}
    receiver = subprocess.Popen([*command, f"udp:127.0.0.1:{port}"], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, env=environment)
    try:
        wait_until(lambda: log.exists() and "NET-SNMP version" in log.read_text(), what="snmptrapd")
        made.start()  # With the same file as before.
        wait_until(lambda: log.read_text().count(WARM) >= 2 and "v1 TRAP" in log.read_text(), what="warmStart")
        made.stop()
        change(made, "max-lifetime = 1800", "max-lifetime = 1700")
        made.start()
        wait_until(lambda: log.read_text().count(COLD) >= 2, what="coldStart")
        assert "user writer" not in log.read_text(), "it wants no starts"
        run(made, "snmpget", ["-v2c", "-c", "wrong", "-r0", "-t1"], UPTIME, fails=True)
        wait_until(lambda: "user writer" in log.read_text(), what="authenticationFailure to the filtered one")
        wait_until(lambda: log.read_text().count(FAILURE) >= 3, what="authenticationFailure")
        # A community for traps is nobody's to ask with.
        run(made, "snmpget", ["-v2c", "-c", "traps", "-r0", "-t1"], UPTIME, fails=True)
        # A target made by SET gets them, too.
        assert "INFORM" in log.read_text()
    finally:
        receiver.kill()
        receiver.wait()


def test_concurrent_sets_are_all_or_nothing(made):
    """Of many that count the same lock, one wins each round."""
    made.start()
    lock = ".1.3.6.1.6.3.1.1.6.1.0"
    present = int(run(made, "snmpget", [*BOSS, "-Oqv"], lock))

    def attempt(_):
        done = subprocess.run(
            ["snmpset", "-t", "3", "-r", "2", "-m", "", *BOSS, f"udp:127.0.0.1:{made.snmp_port}", lock, "i", str(present)],
            capture_output=True, text=True, timeout=60, check=False,
        )
        return done.returncode == 0

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(attempt, range(8))).count(True) == 1
    assert int(run(made, "snmpget", [*BOSS, "-Oqv"], lock)) == (present + 1) % 2**31


def test_nothing_answers_before_the_store_is_there(made):
    """Silence rather than `noSuchObject` for rows that nobody has read yet."""
    text = made.config.read_text()
    store = text[text.index("[store]"):text.index("[snmp]")]
    change(made, store, f'[store]\nconnect = "unix:{made.directory}/none.sock"\n')
    change(made, "[snmp]\n", f'[snmp]\nstate-file = "{made.directory}/engine.json"\n')
    running = subprocess.Popen([MIP4D, "run", "--config", str(made.config)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(3):
            said = run(made, "snmpget", ["-v2c", "-c", "public", "-r0", "-t1"], UPTIME, fails=True)
            assert "No Such" not in said
    finally:
        running.kill()
        running.wait()
