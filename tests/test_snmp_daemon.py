"""SNMP of `mip4d run`: users and targets that outlive it, notifications, transports, bursts."""

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess

import pytest

from harness import (
    ASSOCIATION, MIP, MIP4D, WRITER, WRITING_USER, Daemon, Process, TrapReceiver, free_port, snmp as run, snmp_user, v3,
    wait_until,
)
from node import KEY, Node

BOOTS = ".1.3.6.1.6.3.10.2.1.2.0"
UPTIME = ".1.3.6.1.2.1.1.3.0"
LOCATION = ".1.3.6.1.2.1.1.6.0"
ADDRESS = ".1.3.6.1.6.3.12.1.2.1"
#: `mip4ExtStoreAge.0`
STORE_AGE = ".1.3.6.1.4.1.8072.9999.9999.434.1.5.3.0"

SECURITY = ["1.3.6.1", "1.3.6.1.6.3.12", "1.3.6.1.6.3.13", "1.3.6.1.6.3.15", "1.3.6.1.6.3.16"]
USERS = snmp_user("boss", write=True, view=SECURITY) + """
[[snmp.user]]
name = "narrow"
auth = "SHA-256"
auth-password = "authentication"
context = "here"
""" + WRITING_USER

BOSS = v3("boss", auth="SHA-256", priv="AES")


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


OTHER_HOME_AGENT = """
[daemon]
name = "two"
[store]
connect = "unix:{directory}/store.sock"
[home-agent]
address = "127.0.0.2"
port = {port}
"""
ENABLE, ENTITIES, BINDINGS, BINDING_COUNT = (f".{MIP}.{rest}" for rest in ("1.1.2.0", "1.1.1.0", "1.6.3.1.1.1", "1.6.3.27.0"))


def association(peer):
    return ASSOCIATION.format(peer=peer, spi=1000, algorithm="hmac-md5", key=KEY.hex())


def bound(daemon, context):
    """The home addresses in `haMobilityBindingTable`, by the index of its rows, and what the scalar counts."""
    named = [*WRITER, "-n", context]
    walked = run(daemon, "snmpbulkwalk", named, BINDINGS)
    addresses = [".".join(index.split(".")[:4]) for index in re.findall(rf"^{re.escape(BINDINGS)}\.([\d.]+) = ", walked, re.M)]
    counted = int(run(daemon, "snmpget", ["-Oqv", *named], BINDING_COUNT))
    assert counted == len(addresses), walked
    return addresses


def test_each_daemon_of_the_store_has_a_context_with_its_rows_alone(made, tmp_path):
    first, second = "10.99.1.1", "10.99.2.1"
    made.config.write_text(made.config.read_text() + association(first))
    made.start()
    port, config = free_port(), tmp_path / "two.toml"
    config.write_text(OTHER_HOME_AGENT.format(directory=made.directory, port=port) + association(second))
    config.chmod(0o600)
    two = Process([MIP4D, "run", "--config", str(config)])
    try:
        state_of = lambda: {row["name"]: row["state"] for row in made.rows("show", "status")}
        wait_until(lambda: state_of().get("two") == "serving", what="the other home agent")
        here, there = Node(("127.0.0.1", made.mip_port), first), Node(("127.0.0.2", port), second)
        assert here.register(lifetime=1800).code == 0 and there.register(lifetime=1800).code == 0
        # Contexts follow the daemons within a second.
        wait_until(lambda: "two" in run(made, "snmpwalk", WRITER, ".1.3.6.1.6.3.16.1.1"), what="the context of the other one")
        assert bound(made, "") == [first, second]
        assert bound(made, "here") == [first]
        assert bound(made, "two") == [second]
        # mipEnable in a context is the switch of that daemon.
        run(made, "snmpset", [*WRITER, "-n", "two"], ENABLE, "i", "2")
        wait_until(lambda: there.register(lifetime=1800) is None, what="silence")
        assert here.register(lifetime=1800).code == 0
        value = lambda context: run(made, "snmpget", ["-Oqv", *WRITER, "-n", context], ENABLE).strip()
        assert [value(context) for context in ("", "here", "two")] == ["1", "1", "2"]
        # A daemon that has ended has left its rows.
        assert two.stop() == 0
        assert bound(made, "two") == [second]
    finally:
        two.kill()


NEWCOMERS = """
[[snmp.community]]
name = "newcomer"
[[snmp.user]]
name = "fresh"
auth = "SHA-256"
auth-password = "authentication"
[[snmp.target]]
name = "traps"
address = "udp:127.0.0.1:{port}"
version = "2c"
community = "newcomer"
"""


def unanswered(daemon, options):
    return run(daemon, "snmpget", ["-r0", "-t1", *options], UPTIME, fails=True)


def test_a_new_file_is_acted_on_without_a_restart(made, tmp_path):
    made.start()
    traps = TrapReceiver(tmp_path, modules="", options=("-On",))
    run(made, "snmpset", BOSS, f"{ADDRESS}.9.{index('kept')}", "i", "5", f"{ADDRESS}.4.{index('kept')}", "i", "77")
    run(made, "snmpset", BOSS, f"{ADDRESS}.9.{index('away')}", "i", "5", f"{ADDRESS}.8.{index('away')}", "i", "2")
    boots, started = (run(made, "snmpget", ["-Oqvt", *BOSS], oid) for oid in (BOOTS, UPTIME))
    before = made.config.read_text()
    text = before.replace('name = "public"', 'name = "people"').replace('name = "narrow"', 'name = "broad"')
    text = text.replace('context = "here"\n', "").replace("[snmp]\n", '[snmp]\nlocation = "rack 9"\nauthentication-traps = true\n')
    text = text.replace('listen = ["udp:', f'listen = ["udp:127.0.0.1:{free_port()}", "udp:')
    made.config.write_text(text + NEWCOMERS.format(port=traps.port))
    made.child.send_signal(signal.SIGHUP)
    fresh = v3("fresh", "authNoPriv", "SHA-256")
    wait_until(lambda: any("reloaded" in line for line in made.errors), what="the new file")
    try:
        for asker in (fresh, BOSS, v3("broad", "authNoPriv", "SHA-256"), ["-v2c", "-c", "people"], ["-v1", "-c", "newcomer"]):
            assert "rack 9" in run(made, "snmpget", asker, LOCATION)
        assert "Unknown user" in unanswered(made, v3("narrow", "authNoPriv", "SHA-256"))
        unanswered(made, ["-v2c", "-c", "public"])
        # The target of the new file is told of that.
        wait_until(lambda: traps.got(FAILURE), what="authenticationFailure at the new target")
        assert not traps.got(COLD) and not traps.got(WARM), "it has not started anew"
        assert run(made, "snmpget", ["-Oqvt", *BOSS], BOOTS) == boots
        assert int(run(made, "snmpget", ["-Oqvt", *BOSS], UPTIME)) > int(started)
        # What was SET stays, the volatile row included.
        assert "INTEGER: 77" in run(made, "snmpget", BOSS, f"{ADDRESS}.4.{index('kept')}")
        assert "INTEGER: 2" in run(made, "snmpget", BOSS, f"{ADDRESS}.8.{index('away')}")
        # What cannot change is said, and stays.
        assert any("`[snmp] listen` has changed: that takes a restart" in line for line in made.errors), made.errors
        # A wrong file changes nothing, though only its last line is wrong.
        made.config.write_text(before + '[[snmp.target]]\nname = "x"\naddress = "udp:127.0.0.1:9"\nuser = "nobody"\n')
        made.child.send_signal(signal.SIGHUP)
        wait_until(lambda: any("there is no user `nobody`" in line for line in made.errors), what="the error")
        assert "rack 9" in run(made, "snmpget", fresh, LOCATION)
    finally:
        traps.kill()


def test_a_user_that_is_added_is_served_after_a_reload(made, tmp_path):
    made.start()
    for kind in ("auth", "priv"):
        (tmp_path / kind).write_text(f"{kind}-password-of-late\n")
        (tmp_path / kind).chmod(0o600)
    late = v3("late", auth="SHA-256", priv="AES", auth_password="auth-password-of-late", priv_password="priv-password-of-late")
    assert "Unknown user" in unanswered(made, late)
    command = [MIP4D, "snmp", "user", "add", "late", "--config", str(made.config), "--auth-password-file", str(tmp_path / "auth"),
               "--priv-password-file", str(tmp_path / "priv")]
    assert subprocess.run(command, timeout=60, check=False, stdout=subprocess.DEVNULL).returncode == 0
    made.child.send_signal(signal.SIGHUP)
    wait_until(lambda: any("reloaded" in line for line in made.errors), what="the new user")
    assert "Timeticks" in run(made, "snmpget", late, UPTIME)
    # A SET that is kept does not undo it.
    run(made, "snmpset", BOSS, LOCATION, "s", "rack 7")
    assert [user["name"] for user in state(made)["users"]] == ["late"]
    subprocess.run([MIP4D, "snmp", "user", "delete", "late", "--config", str(made.config)], timeout=60, check=True, stdout=subprocess.DEVNULL)
    made.child.send_signal(signal.SIGHUP)
    wait_until(lambda: sum("reloaded" in line for line in made.errors) == 2, what="the user to be gone")
    assert "Unknown user" in unanswered(made, late)


def test_a_short_request_goes_before_long_ones_that_wait(made):
    """A GET that arrives behind twenty GETBULKs of somebody who walks is answered before most of them."""
    made.start()
    bulk = bytes.fromhex("302402010104067075626c6963a5170201010201000202") + (500).to_bytes(2, "big") + bytes.fromhex("300b300906052b060106030500")
    stamped = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for client in stamped:
        client.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        client.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), 16 << 20)
        client.settimeout(20)
        client.connect(("127.0.0.1", made.snmp_port))
    walker, prober = stamped
    walker.send(bulk)
    assert len(arrived(walker)[0]) > 1024, "it is known for long answers from here on"
    os.kill(made.pid, signal.SIGSTOP)
    for _ in range(20):
        walker.send(bulk)
    prober.send(GET)
    os.kill(made.pid, signal.SIGCONT)
    _, answered_at = arrived(prober)
    walks = [arrived(walker)[1] for _ in range(20)]
    assert sum(at < answered_at for at in walks) <= 1


#: The time at which the kernel got a datagram comes with it (socket(7)).
SO_TIMESTAMPNS = 35


def arrived(client):
    """A datagram, and when the kernel had it."""
    octets, ancillary, _, _ = client.recvmsg(65536, 64)
    (stamp,) = [data for _, kind, data in ancillary if kind == SO_TIMESTAMPNS]
    seconds, nanoseconds = struct.unpack("qq", stamp[:16])
    return octets, seconds * 10**9 + nanoseconds


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
    port = free_port()
    made.config.write_text(made.config.read_text() + TARGETS.format(port=port))
    change(made, "[snmp]\n", "[snmp]\nauthentication-traps = true\n")
    made.start()
    made.stop()
    receiver = TrapReceiver(tmp_path, TRAPD.format(engine=state(made)["engine_id"]), modules="", options=("-On",), port=port)
    log = receiver.log
    try:
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


def remote(made):
    """`made` with a store that another process has; that process, not started."""
    text = made.config.read_text()
    store = text[text.index("[store]"):text.index("[snmp]")]
    owner = Daemon(made.directory / "owner", config=store.replace(f"{made.directory}/store", f"{made.directory}/owner/store"))
    change(made, store, f'[store]\nconnect = "unix:{owner.directory}/store.sock"\n')
    change(made, "[snmp]\n", f'[snmp]\nstate-file = "{made.directory}/engine.json"\n')
    return owner


def test_nothing_answers_before_the_store_is_there_and_then_all_does(made):
    """Silence rather than `noSuchObject` for rows that nobody has read yet."""
    owner = remote(made)
    start = lambda: Process([MIP4D, "run", "--config", str(made.config)])
    running = start()
    said = set()

    def answers():
        command = ["snmpget", "-On", "-m", "", "-v2c", "-c", "public", "-r0", "-t1", f"udp:127.0.0.1:{made.snmp_port}", ENTITIES]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        said.add(done.stdout)
        return done.returncode == 0

    def answers_in_the_end():
        nonlocal running
        if not running.alive():
            # It gave up, and is started again as a unit would be.
            running = start()
        return answers()

    try:
        for _ in range(3):
            assert not answers()
        owner.start()
        wait_until(answers_in_the_end, what="an answer")
        assert not any("No Such" in text for text in said), said
    finally:
        running.kill()
        owner.stop()


def test_rows_stay_while_the_store_is_out_of_touch(made):
    owner = remote(made)
    owner.start()
    running = Process([MIP4D, "run", "--config", str(made.config)])
    ask = ["-v2c", "-c", "public"]
    try:
        wait_until(lambda: run_quietly(made, ask, ENTITIES), what="an answer")
        before = run(made, "snmpwalk", ask, f".{MIP}.1.1")
        assert owner.kill() != 0
        wait_until(lambda: int(run(made, "snmpget", ["-Oqv", *ask], STORE_AGE)) > 0, what="the store to be out of touch")
        for _ in range(5):
            assert run(made, "snmpwalk", ask, f".{MIP}.1.1") == before
        owner.start()
        wait_until(lambda: int(run(made, "snmpget", ["-Oqv", *ask], STORE_AGE)) == 0, what="the store to be back")
        assert run(made, "snmpwalk", ask, f".{MIP}.1.1") == before
    finally:
        running.kill()
        owner.stop()


def run_quietly(daemon, options, oid):
    command = ["snmpget", "-On", "-m", "", "-r0", "-t1", *options, f"udp:127.0.0.1:{daemon.snmp_port}", oid]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def nice_values(pid):
    """Those of all threads of a process, by the name of the thread."""
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/stat")
    stats = [task.read_text().rpartition(")") for task in tasks]
    return {before.partition("(")[2]: int(after.split()[16]) for before, _, after in stats}


def may_be_nice():
    """Whether this machine lets us raise what a thread may have: root in a container may lack it."""
    return subprocess.run(["nice", "-n", "-10", "true"], capture_output=True, text=True).stderr == ""


@pytest.mark.parametrize("user", [None, "nobody"])
def test_threads_that_answer_go_before_those_that_compute(daemon, user):
    made = daemon(extra=f'[daemon]\nuser = "{user}"\n' if user else "")
    if user:
        # What its folder holds is made before it is another user's.
        shutil.chown(made.directory, user, "nogroup")
        for parent in made.directory.parents:
            if parent.stat().st_uid == os.geteuid() and parent != pathlib.Path("/tmp"):
                parent.chmod(parent.stat().st_mode | 0o011)
    made.start()
    nice = nice_values(made.served_pid())
    assert {name: value for name, value in nice.items() if value < 0} == ({"snmp-1": -10} if may_be_nice() else {})
    # Whatever was kept for that is not in effect any more (CAP_SYS_NICE).
    status = pathlib.Path(f"/proc/{made.served_pid()}/status").read_text()
    assert int(re.search(r"CapEff:\t(.*)", status)[1], 16) & 1 << 23 == 0
