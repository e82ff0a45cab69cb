"""The golden octets of the crate `wire`, judged by programs that know nothing of it.

A Rust test holds the crate to `wire/goldens/*.hex`; here `tshark`, Scapy, Python's own `hmac`, and
a decoder drawn from the figures of the RFCs say what these octets mean.
"""

import hashlib
import hmac
import os
import pathlib
import subprocess

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.mobileip import MobileIP, MobileIPRRP, MobileIPRRQ
from scapy.packet import Raw
from scapy.utils import checksum

import figures

GOLDENS = pathlib.Path(__file__).parent.parent / "wire" / "goldens"
NAMES = sorted(path.stem for path in GOLDENS.glob("*.hex"))

HOME_ADDRESS, HOME_AGENT = "10.99.0.7", "192.0.2.1"
CARE_OF_ADDRESS, GATEWAY = "198.51.100.9", "203.0.113.5"
IDENTIFICATION = 0xEEAF19C080000000
MOBILE_HOME_KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
FOREIGN_KEY = b"foreign and home"


def octets(name):
    return bytes.fromhex((GOLDENS / f"{name}.hex").read_text())


def tshark(message, folder, *fields, icmp=False):
    """What `tshark` says of a message: one list of values a field."""
    (folder / "octets.txt").write_text(f"000000 {message.hex(' ')}\n")
    capture = folder / "octets.pcap"
    header = ["-i", "1"] if icmp else ["-u", "434,434"]
    subprocess.run(
        ["text2pcap", "-q", *header, folder / "octets.txt", capture],
        check=True,
        capture_output=True,
    )
    command = ["tshark", "-r", capture, "-T", "fields", "-E", "aggregator=;", "-E", "separator=/t"]
    for field in fields:
        command += ["-e", field]
    environment = {**os.environ, "TZ": "UTC"}
    result = subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=60, env=environment
    )
    (line,) = result.stdout.splitlines()
    values = line.split("\t")
    assert len(values) == len(fields)
    # Newer ones write booleans in words.
    values = [value.replace("True", "1").replace("False", "0") for value in values]
    return {field: value.split(";") if value else [] for field, value in zip(fields, values)}


# What `tshark` must say, golden by golden.
REQUEST = {
    "mip.type": ["1"],
    "mip.flags": ["0x22"],
    "mip.life": ["1800"],
    "mip.homeaddr": [HOME_ADDRESS],
    "mip.haaddr": [HOME_AGENT],
    "mip.coa": [CARE_OF_ADDRESS],
    "mip.ident": ["Nov 23, 2026 20:00:00.500000000 UTC"],
}
REPLY = {
    "mip.type": ["3"],
    "mip.life": ["600"],
    "mip.homeaddr": [HOME_ADDRESS],
    "mip.haaddr": [HOME_AGENT],
    "mip.ident": ["Nov 23, 2026 20:00:00.500000000 UTC"],
}
SAYS = {
    "registration-request": {
        **REQUEST,
        "mip.ext.type": ["131", "32"],
        "mip.ext.len": ["17", "20"],
        "mip.nai": ["node7@example.net"],
        "mip.auth.spi": ["0x000003e8"],
    },
    "registration-request-relayed": {
        **REQUEST,
        "mip.ext.type": ["131", "32", "137", "34"],
        "mip.auth.spi": ["0x000003e8", "0x000007d0"],
        "mip.ext.rev.i": ["1"],
        "mip.ext.rev.reserved": ["0x0000"],
        "mip.ext.rev.tstamp": ["1000000"],
    },
    "registration-request-keyed-md5": {**REQUEST, "mip.ext.len": ["20"]},
    "registration-request-hmac-sha1": {**REQUEST, "mip.ext.len": ["24"]},
    "registration-request-hmac-sha256": {**REQUEST, "mip.ext.len": ["36"]},
    "registration-request-full": {
        **REQUEST,
        "mip.flags": ["0xff"],
        "mip.ext.type": ["144", "148", "38", "134", "32", "130", "132", "33"],
        "mip.ext.len": ["6", "6", "14", "14", "20", "0", "4", "20"],
        "mip.ext.utrq.f": ["1"],
        "mip.ext.utrq.r": ["0"],
        "mip.ext.utrq.encaptype": ["47"],
        "mip.ext.mne.subtype": ["0"],
        "mip.ext.mne.prefix_length": ["24"],
        "mip.ext.mne.prefix": ["10.1.2.0"],
        "mip.ext.cvse.vendor_id": ["9"],
        "mip.ext.cvse.vendor_type": ["0x000e"],
        "mip.ext.cvse.vendor_value": [b"critical".hex()],
        "mip.ext.nvse.vendor_id": ["9"],
        "mip.ext.nvse.vendor_type": ["14"],
        "mip.ext.nvse.vendor_value": [b"normal".hex()],
        "mip.auth.spi": ["0x000003e8", "0x000007d0"],
    },
    "registration-reply": {
        **REPLY,
        "mip.code": ["0"],
        "mip.ext.type": ["131", "32"],
        "mip.nai": ["node7@example.net"],
        "mip.auth.spi": ["0x000003e8"],
    },
    "registration-reply-denied": {
        **REPLY,
        "mip.code": ["133"],
        "mip.ext.type": ["145", "44", "32", "45"],
        "mip.ext.msgstr.subtype": ["1"],
        "mip.ext.msgstr.text": ["clock is off"],
        "mip.ext.utrp.code": ["64"],
        "mip.ext.utrp.f": ["1"],
        "mip.ext.utrp.keepalive": ["110"],
        "mip.extension": ["0047"],
    },
    "registration-reply-regional": {
        **REPLY,
        "mip.code": ["1"],
        "mip.ext.type": ["46", "148", "32", "141", "142", "136"],
        "mip.ext.len": ["6", "8", "20", "10", "6", "15"],
        "mip.ext.mne.subtype": ["1"],
        "mip.ext.mne.code": ["2"],
        "mip.ext.mne.prefix_length": ["24"],
        "mip.ext.mne.prefix": ["10.1.2.0"],
    },
    "revocation": {
        "mip.type": ["7"],
        "mip.rev.reserved": ["0x00"],
        "mip.flags2": ["0xc000"],
        "mip.rev.a": ["1"],
        "mip.rev.i": ["1"],
        "mip.rev.reserved2": ["0x0000"],
        "mip.homeaddr": [HOME_ADDRESS],
        "mip.rev.hda": [HOME_AGENT],
        "mip.rev.fda": [CARE_OF_ADDRESS],
        "mip.revid": ["1000007"],
        "mip.ext.type": ["34"],
        "mip.auth.spi": ["0x000007d0"],
    },
    "revocation-acknowledgment": {
        "mip.type": ["15"],
        "mip.flags2": ["0x8000"],
        "mip.ack.i": ["1"],
        "mip.ack.reserved2": ["0x0000"],
        "mip.homeaddr": [HOME_ADDRESS],
        "mip.revid": ["1000007"],
        "mip.ext.type": ["34"],
        "mip.auth.spi": ["0x000007d0"],
    },
    "tunnel-data": {
        "mip.type": ["4"],
        "mip.nattt.nexthdr": ["4"],
        "mip.nattt.reserved": ["0x0000"],
    },
    "icmp-agent-advertisement": {
        "icmp.type": ["9"],
        "icmp.code": ["16"],
        "icmp.checksum.status": ["1"],
        "icmp.num_addrs": ["2"],
        "icmp.addr_entry_size": ["2"],
        "icmp.lifetime": ["1800"],
        "icmp.router_address": [HOME_AGENT, GATEWAY],
        "icmp.pref_level": ["0", "-7"],
        "icmp.mip.type": ["16", "19", "24", "136", "0"],
        "icmp.mip.length": ["14", "2", "4", "15"],
        "icmp.mip.seq": ["258"],
        "icmp.mip.life": ["600"],
        "icmp.mip.flags": ["0x9560"],
        "icmp.mip.r": ["1"],
        "icmp.mip.f": ["1"],
        "icmp.mip.g": ["1"],
        "icmp.mip.rt": ["1"],
        "icmp.mip.x": ["1"],
        "icmp.mip.b": ["0"],
        "icmp.mip.h": ["0"],
        "icmp.mip.m": ["0"],
        "icmp.mip.u": ["0"],
        "icmp.mip.coa": [CARE_OF_ADDRESS, GATEWAY],
        "icmp.mip.prefixlength": ["24", "28"],
        "icmp.mip.challenge": ["01020304"],
    },
    "icmp-agent-solicitation": {
        "icmp.type": ["10"],
        "icmp.code": ["0"],
        "icmp.checksum.status": ["1"],
    },
}

# `tshark` does not know these: it calls message types 18, 19, 22 and 23 malformed, and takes the
# long layout of the extensions 139 and 48 for the simple one.
BEYOND_TSHARK = {
    "notification",
    "notification-acknowledgement",
    "regional-registration-reply",
    "regional-registration-request",
    "registration-request-long",
}


# What it sets where a message is malformed, or an expert looks twice.
MARKS = ["_ws.malformed", "_ws.expert.message"]


def test_every_golden_has_a_judge():
    assert set(NAMES) == set(SAYS) | BEYOND_TSHARK
    assert not set(SAYS) & BEYOND_TSHARK


@pytest.mark.parametrize("name", sorted(SAYS))
def test_tshark(name, tmp_path):
    want = SAYS[name]
    said = tshark(octets(name), tmp_path, *want, *MARKS, icmp=name.startswith("icmp-"))
    assert {field: said[field] for field in want} == want
    assert [said[mark] for mark in MARKS] == [[], []]


def test_tshark_marks_what_is_malformed(tmp_path):
    said = tshark(octets("registration-request")[:-1], tmp_path, *MARKS)
    assert any(said[mark] for mark in MARKS)


def as_datagram(name):
    """A golden in an IP datagram, dissected anew from octets."""
    inner = octets(name)
    if name.startswith("icmp-"):
        return IP(bytes(IP(dst="127.0.0.1", proto=1) / Raw(inner)))
    return IP(bytes(IP(dst="127.0.0.1") / UDP(sport=434, dport=434) / Raw(inner)))


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("registration-")])
def test_scapy(name):
    datagram = as_datagram(name)
    if octets(name)[0] == 1:
        message = datagram[MobileIPRRQ]
        assert message.flags == (0xFF if name.endswith("full") else 0x22)
        assert message.lifetime == 1800
        assert message.coaddr == CARE_OF_ADDRESS
    else:
        message = datagram[MobileIPRRP]
        code = {"registration-reply": 0, "registration-reply-denied": 133}.get(name, 1)
        assert message.code == code
        assert message.lifetime == 600
    assert (message.homeaddr, message.haaddr) == (HOME_ADDRESS, HOME_AGENT)
    assert message.id == IDENTIFICATION


def test_scapy_finds_the_nai_and_the_authenticator():
    """By the layout of RFC 5944 section 3.5.2, on what Scapy leaves of the request."""
    request = as_datagram("registration-request")
    rest = bytes(request[MobileIPRRQ].payload)
    assert rest[:2] == b"\x83\x11" and rest[2:19] == b"node7@example.net"
    assert rest[19:25] == bytes([32, 20, 0, 0, 3, 232])
    covered = bytes(request[MobileIP])[: -len(rest[25:])]
    assert hmac.digest(MOBILE_HOME_KEY, covered, "md5") == rest[25:]


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("icmp-")])
def test_scapy_agrees_on_the_checksum(name):
    datagram = as_datagram(name)
    assert datagram[ICMP].type == octets(name)[0]
    assert checksum(octets(name)) == 0
    del datagram[ICMP].chksum
    assert bytes(datagram[ICMP]) == octets(name)


def authenticator(name, extension):
    """What the Authenticator of an extension must be (RFC 5944 section 3.5.1)."""
    covered = extension["covered"]
    if extension["type"] != 32:
        return hmac.digest(FOREIGN_KEY, covered, "md5")
    if name.endswith("keyed-md5"):
        return hashlib.md5(MOBILE_HOME_KEY + covered + MOBILE_HOME_KEY).digest()
    digest = {"sha1": "sha1", "sha256": "sha256"}.get(name.rpartition("hmac-")[2], "md5")
    return hmac.digest(MOBILE_HOME_KEY, covered, digest)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if not name.startswith(("icmp-", "tunnel-"))]
)
def test_authenticators(name):
    _, extensions = figures.decode(octets(name))
    found = [extension for extension in extensions if "authenticator" in extension]
    assert found
    for extension in found:
        assert extension["authenticator"] == authenticator(name, extension)


def decoded(name):
    fields, extensions = figures.decode(octets(name))
    for extension in extensions:
        del extension["covered"]
        if "authenticator" in extension:
            del extension["authenticator"]
        for reserved in [field for field in extension if field.startswith("reserved")]:
            assert extension.pop(reserved) == 0
    return fields, extensions


NO_FLAGS = dict.fromkeys("SBDMGrTx", 0)


def test_regional_registration_request():
    fields, extensions = decoded("regional-registration-request")
    assert fields == {
        **NO_FLAGS,
        "type": 18,
        "G": 1,
        "lifetime": 300,
        "home_address": HOME_ADDRESS,
        "gfa_ip_address": GATEWAY,
        "care_of_address": CARE_OF_ADDRESS,
        "identification": IDENTIFICATION,
    }
    assert extensions == [
        {"type": 36, "subtype": 3, "length": 20, "spi": 3000},
        {"type": 140, "length": 6, "fa_ip_address": CARE_OF_ADDRESS},
        {"type": 36, "subtype": 2, "length": 20, "spi": 3001},
    ]


def test_regional_registration_reply():
    fields, extensions = decoded("regional-registration-reply")
    assert fields == {
        "type": 19,
        "code": 193,
        "lifetime": 0xFFFF,
        "home_address": HOME_ADDRESS,
        "gfa_ip_address": GATEWAY,
        "identification": IDENTIFICATION,
    }
    assert extensions == [{"type": 36, "subtype": 3, "length": 20, "spi": 3000}]


NOTIFIED = {
    "home_address": HOME_ADDRESS,
    "home_agent_address": HOME_AGENT,
    "care_of_address": CARE_OF_ADDRESS,
    "identification": IDENTIFICATION,
}


def test_notification():
    fields, extensions = decoded("notification")
    assert fields == {"type": 22, "MD": 0, "A": 1, "reserved": 0, **NOTIFIED}
    text = "maintenance at 22:00 ☾".encode()
    assert extensions == [
        {"type": 145, "length": 1 + len(text), "subtype": 1, "text": text},
        {"type": 32, "length": 20, "spi": 1000},
    ]


def test_notification_acknowledgement():
    fields, extensions = decoded("notification-acknowledgement")
    assert fields == {"type": 23, "MD": 2, "code": 197, "reserved": 0, **NOTIFIED}
    assert extensions == [{"type": 32, "length": 20, "spi": 1000}]


def test_extensions_of_the_long_layout():
    fields, extensions = decoded("registration-request-long")
    assert (fields["type"], fields["D"], fields["T"]) == (1, 1, 1)
    assert extensions == [
        {"type": 139, "subtype": 1, "length": 4, "ha_address": HOME_AGENT},
        {"type": 48, "subtype": 0, "length": 4, "key_identifier": 0x01020304},
        {"type": 32, "length": 20, "spi": 1000},
    ]


def test_regional_extensions_of_a_reply():
    _, extensions = decoded("registration-reply-regional")
    assert [extension["type"] for extension in extensions] == [46, 148, 32, 141, 142, 136]
    gateway, network, _, style, lifetime, nai = extensions
    assert gateway["gfa_ip_address"] == GATEWAY
    assert (network["subtype"], network["code"], network["prefix"]) == (1, 2, "10.1.2.0")
    assert (style["style"], style["initial_identification"]) == (1, IDENTIFICATION)
    assert lifetime["lifetime"] == 300
    assert (nai["subtype"], nai["nai"]) == (1, b"ha@example.net")


def test_revocation():
    fields, _ = decoded("revocation")
    assert (fields["A"], fields["I"], fields["reserved2"]) == (1, 1, 0)
    fields, _ = decoded("revocation-acknowledgment")
    assert (fields["I"], fields["reserved2"], fields["revocation_identifier"]) == (1, 0, 1000007)
