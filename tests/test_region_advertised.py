"""What a foreign agent of a region says on its link, as the region is changed (RFC 4857 §4.3, §7; RFC 3846 §3)."""

import ipaddress

import pytest

from harness import wait_until
from netns import Site
import figures

STORE, AGENT, GATEWAY, OTHER = "10.0.0.1", "10.1.0.1", "10.0.0.9", "10.0.0.10"
ALL_ONES = "255.255.255.255"
HOME = """
[store]
path = "{directory}/store"
socket = "{directory}/store.sock"
[home-agent]
address = "10.0.0.1"
"""
FOREIGN = """
[store]
connect = "unix:{directory}/store.sock"
[foreign-agent]
address = "10.1.0.1"
[[advertise]]
interface = "eth0"
max-interval = 4
min-interval = 3
lifetime = 5
"""
#: The I bit says that the domain supports regional registrations (§4.3).
REGIONAL = 0x0020


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    try:
        site.host("ha1", "home", STORE)
        site.host("fa1", "one", AGENT)
        site.daemon("ha1", HOME.format(directory=site.directory)).start()
        site.daemon("fa1", FOREIGN.format(directory=site.directory)).start()
        yield site
    finally:
        site.close()


def advertised(octets):
    """Flags, care-of addresses and FA-NAI of an agent advertisement, by the figures of RFC 5944 §2.1 and RFC 3846 §3."""
    assert octets[0] == 9
    at = 8 + octets[4] * octets[5] * 4
    flags, addresses, nai = None, [], None
    while at < len(octets):
        kind = octets[at]
        if kind == 0:
            at += 1
            continue
        length = octets[at + 1]
        body = octets[at + 2:at + 2 + length]
        if kind == 16:
            flags = int.from_bytes(body[4:6], "big")
            addresses = [str(ipaddress.IPv4Address(body[start:start + 4])) for start in range(6, length, 4)]
        elif kind == 136:
            fields, rest = figures.read(figures.EXTENSIONS[136], octets[at:at + 2 + length])
            assert rest == b""
            nai = (fields["subtype"], fields["nai"])
        at += 2 + length
    return flags, addresses, nai


def heard(site):
    """The next advertisement on the link, heard by a raw socket there."""
    code = (
        "import socket\n"
        "one = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))\n"
        "one.bind(('br-one', 0)); one.settimeout(30)\n"
        "while True:\n"
        "    octets = one.recv(2048)\n"
        "    if octets[9] == 1 and octets[20] == 9:\n"
        "        print(octets[20:int.from_bytes(octets[2:4], 'big')].hex()); break\n")
    return advertised(bytes.fromhex(site.run("core", "/usr/bin/python3", "-c", code)))


def until(site, expected):
    """Waits for an advertisement with these care-of addresses and FA-NAI; the next ones say so."""
    return wait_until(lambda: (lambda it: it if it[1:] == expected else None)(heard(site)), seconds=90, what=f"{expected} advertised")


def test_a_region_is_advertised_as_it_is_configured(site):
    flags, addresses, nai = heard(site)
    assert addresses == [AGENT] and nai is None and not flags & REGIONAL

    site.ctl("regional", "set", "gateway", GATEWAY)
    site.ctl("regional", "set", "gateway", OTHER)
    site.ctl("regional", "set", "foreign-agent", AGENT, "--gateway", GATEWAY, "--nai", "fa1@region.example", "--spi", "5000")
    site.ctl("regional", "commit", "--force", "--reason", "its gateway starts later")
    flags, *_ = until(site, ([AGENT, GATEWAY], (3, b"fa1@region.example")))
    assert flags & REGIONAL

    # It is moved to another gateway.
    site.ctl("regional", "set", "foreign-agent", AGENT, "--gateway", OTHER)
    site.ctl("regional", "commit", "--force")
    until(site, ([AGENT, OTHER], (3, b"fa1@region.example")))

    # Dynamic assignment on, and off again: all ones where a gateway would be (§7).
    site.ctl("regional", "set", "foreign-agent", AGENT, "--assignment", "dynamic")
    refused = site.ctl("regional", "commit", "--force", expect=5)
    assert f"gateway {OTHER} is not `dynamic`" in refused, "which nothing can force"
    site.ctl("regional", "set", "gateway", OTHER, "--dynamic", "yes")
    site.ctl("regional", "commit", "--force")
    flags, *_ = until(site, ([AGENT, ALL_ONES], (3, b"fa1@region.example")))
    assert flags & REGIONAL
    site.ctl("regional", "rollback")
    until(site, ([AGENT, OTHER], (3, b"fa1@region.example")))

    site.ctl("regional", "delete", "foreign-agent", AGENT)
    site.ctl("regional", "commit", "--force")
    flags, *_ = until(site, ([AGENT], None))
    assert not flags & REGIONAL
