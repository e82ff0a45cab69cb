"""Nonsense at every door: nothing dies, nothing grows, everything is counted."""

import json
import random
import socket
import subprocess

import pytest

from harness import MIP4CTL, MIP4D, free_port, wait_until
from node import KEY, Node

HOME = "10.99.0.7"
ONE = {"peer": HOME, "spi": 1000, "algorithm": "hmac-md5", "key": KEY.hex()}
DATAGRAMS = 100_000


def mutated(rng, seeds):
    """Random octets, or a seed with some octets flipped, cut, repeated or with wild lengths."""
    if rng.random() < 0.2:
        return rng.randbytes(rng.randrange(0, 200))
    octets = bytearray(rng.choice(seeds))
    for _ in range(rng.randrange(1, 6)):
        kind = rng.randrange(5)
        at = rng.randrange(len(octets)) if octets else 0
        if kind == 0 and octets:
            octets[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and octets:
            octets[at] = rng.choice((0, 1, 0x7F, 0x80, 0x84, 0xFF))
        elif kind == 2:
            del octets[at:]
        elif kind == 3:
            octets[at:at] = rng.randbytes(rng.randrange(1, 20))
        elif len(octets) < 1000:
            octets += octets[at:]
    return bytes(octets[:1400])


def flood(port, seeds, seed, count, pause):
    """Sends `count` mutated datagrams; `pause` is called after every burst of 50."""
    rng = random.Random(seed)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        for number in range(count):
            sender.sendto(mutated(rng, seeds), ("127.0.0.1", port))
            if number % 50 == 49:
                pause()
                while True:
                    try:
                        sender.recv(65536)
                    except BlockingIOError:
                        break


def queued(port):
    """Octets that wait in the receive queue of a UDP port of 127.0.0.1, and datagrams dropped there."""
    for line in open("/proc/net/udp"):
        fields = line.split()
        if fields[0] != "sl" and fields[1] == f"0100007F:{port:04X}":
            return int(fields[4].split(":")[1], 16), int(fields[-1])
    raise AssertionError(f"no socket on port {port}")


def drained(port):
    return lambda: wait_until(lambda: queued(port)[0] < 100_000, what="the queue draining")


def tlv(tag, *parts):
    body = b"".join(parts)
    assert len(body) < 128
    return bytes((tag, len(body))) + body


def snmp_seeds():
    """A GET, a GETBULK and a discovery of version 3, in BER by hand."""
    name = tlv(0x06, bytes.fromhex("2b06010201010300"))
    varbinds = tlv(0x30, tlv(0x30, name, tlv(0x05)))

    def pdu(tag, second, third):
        return tlv(tag, tlv(2, b"\x0a\x0b\x0c\x0d"), tlv(2, bytes((second,))), tlv(2, bytes((third,))), varbinds)

    def v2c(body):
        return tlv(0x30, tlv(2, b"\x01"), tlv(4, b"public"), body)

    usm = tlv(0x30, tlv(4), tlv(2, b"\0"), tlv(2, b"\0"), tlv(4), tlv(4), tlv(4))
    header = tlv(0x30, tlv(2, b"\x4a\x69"), tlv(2, b"\x05\xdc"), tlv(4, b"\x04"), tlv(2, b"\x03"))
    v3 = tlv(0x30, tlv(2, b"\x03"), header, tlv(4, usm), tlv(0x30, tlv(4), tlv(4), pdu(0xA0, 0, 0)))
    return [v2c(pdu(0xA0, 0, 0)), v2c(pdu(0xA5, 0, 10)), v3]


def test_random_and_mutated_datagrams_at_the_mobile_ip_port(daemon):
    served = daemon(associations=[ONE]).start()
    node = Node(("127.0.0.1", served.mip_port), HOME)
    assert node.register(lifetime=1700).code == 0
    seeds = [node.request(), node.request(lifetime=0), b"\x03" + bytes(19), b"\x07" + bytes(23), b"\x12" + bytes(30),
             b"\x16" + bytes(23), b"\x17" + bytes(23)]
    before_rows = len(served.rows("show", "nodes"))
    flood(served.mip_port, seeds, seed=1, count=2_000, pause=drained(served.mip_port))
    warm = served.resident_kilobytes()
    flood(served.mip_port, seeds, seed=2, count=DATAGRAMS, pause=drained(served.mip_port))
    wait_until(lambda: queued(served.mip_port)[0] == 0)
    assert served.alive()
    assert served.resident_kilobytes() < warm + 16_384
    assert len(served.rows("show", "nodes")) <= before_rows + 1
    sent = 1 + 2_000 + DATAGRAMS
    values = wait_until(lambda: accounted(served, sent - queued(served.mip_port)[1]), what="every datagram counted")
    # No revocation, notification or answer to one is authentic here: each is discarded (RFC 3543, RFC 6098).
    taken = ("haRegRequestsReceived", "revocationsDiscarded", "revocationsAcknowledged", "revocationAcknowledgmentsUnexpected",
             "notificationsDiscarded", "notificationAcknowledgementsUnexpected")
    for what in ("revocations", "notifications"):
        assert 0 < values[f"{what}Received"] <= values[f"{what}Discarded"], values
    handled = sum(values.get(name, 0) for name in taken)
    dropped = sum(
        value for name, value in values.items()
        if name.startswith("datagrams") and name not in ("datagramsReceived",)
    )
    assert handled + dropped == values["datagramsReceived"], values
    assert node.register().code in (0, 133)


def accounted(served, expected):
    """The home agent's counters, once they say that `expected` datagrams arrived."""
    rows = served.rows("show", "statistics")
    (values,) = [row["values"] for row in rows if row["role"] == "home-agent"]
    return values if values.get("datagramsReceived", 0) == expected else None


def test_random_and_mutated_datagrams_at_the_snmp_port(daemon):
    served = daemon(associations=[ONE]).start()
    flood(served.snmp_port, snmp_seeds(), seed=3, count=2_000, pause=drained(served.snmp_port))
    warm = served.resident_kilobytes()
    flood(served.snmp_port, snmp_seeds(), seed=4, count=DATAGRAMS, pause=drained(served.snmp_port))
    wait_until(lambda: queued(served.snmp_port)[0] == 0)
    assert served.alive()
    assert served.resident_kilobytes() < warm + 16_384
    packets = int(served.snmp_value("SNMPv2-MIB::snmpInPkts.0"))
    assert packets == 2_000 + DATAGRAMS + 1 - queued(served.snmp_port)[1]
    assert int(served.snmp_value("SNMPv2-MIB::snmpInASNParseErrs.0")) > 1_000


GOOD = """[store]
path = "{0}/store"
socket = "{0}/store.sock"
[home-agent]
address = "127.0.0.1"
"""


@pytest.mark.parametrize(
    "line, words",
    [
        ('maximum-lifetime = 5', ["maximum-lifetime", "unknown"]),
        ('max-lifetime = "long"', ["max-lifetime", "expected"]),
        ("max-lifetime = 70000", ["max-lifetime"]),
        ('port = 0x1ffff', ["port"]),
        ("[home-agent", ["expected"]),
        ('[[association]]\npeer = "10.99.0.7"\nspi = 1000\nalgorithm = "rot13"\nkey = "hex:00"', ["algorithm", "hmac-md5"]),
        ('[[association]]\npeer = "10.99.0.7"\nspi = 12\nkey = "hex:00112233445566778899aabbccddeeff"', ["spi"]),
        ('[[association]]\npeer = "10.99.0.7"\nspi = 1000\nkey = "hex:0g"', ["key", "hex"]),
        ('[snmp]\nlisten = ["tcp:127.0.0.1"]', ["listen"]),
        ("[home-agents]", ["home-agents"]),
    ],
)
def test_a_wrong_configuration_names_file_line_and_key(tmp_path, line, words):
    config = tmp_path / "mip4d.toml"
    config.write_text(GOOD.format(tmp_path) + line + "\n")
    config.chmod(0o600)
    done = subprocess.run([MIP4D, "check", "--config", str(config)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 5, (done.stdout, done.stderr)
    assert f"{config}:" in done.stderr
    for word in words:
        assert word in done.stderr
    place = done.stderr.split(f"{config}:")[1].split(":")
    assert int(place[0]) >= 6 and int(place[1].split()[0]) >= 1
    assert "0011223344" not in done.stderr


def test_no_configuration_file_is_words(tmp_path):
    done = subprocess.run([MIP4D, "run", "--config", str(tmp_path / "none.toml")], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "none.toml" in done.stderr and "panicked" not in done.stderr


@pytest.mark.parametrize(
    "words, status",
    [
        (["show", "nonsense"], 2),
        (["--store", "unix:/nonexistent/store.sock", "show", "bindings"], 3),
        (["--store", "gopher://x", "show", "bindings"], 2),
        (["show", "bindings", "--home-address", "10.0.0"], 2),
    ],
)
def test_mip4ctl_errors_stay_json(words, status):
    done = subprocess.run([MIP4CTL, "-o", "json", *words], capture_output=True, text=True, timeout=30)
    assert done.returncode == status, (done.stdout, done.stderr)
    assert json.loads(done.stdout)["error"]["code"] == status


def test_a_selector_that_matches_nothing_says_so(lab):
    running = lab(nodes=2)
    running.ctl("show", "bindings", "--home-address", "10.250.0.1", expect=4)


def test_a_second_daemon_on_the_same_store_is_refused(daemon):
    served = daemon(associations=[ONE]).start()
    config = served.directory / "second.toml"
    config.write_text(served.config.read_text().replace(f"port = {served.mip_port}", f"port = {free_port()}").replace(
        f":{served.snmp_port}", f":{free_port()}"))
    config.chmod(0o600)
    second = subprocess.run([MIP4D, "run", "--config", str(config)], capture_output=True, text=True, timeout=30)
    assert second.returncode == 3, second.stderr
    assert f"in use by process {served.pid}" in second.stderr and "panicked" not in second.stderr
    assert served.alive()
