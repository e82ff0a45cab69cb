"""A mobile node written by hand: Scapy for the messages, hmac for the authenticators.

It shares nothing with the programs under test.
"""

import hashlib
import hmac
import itertools
import socket
import struct
import time

from scapy.layers.mobileip import MobileIP, MobileIPRRP, MobileIPRRQ

NTP_EPOCH = 2_208_988_800
KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
FLAG_SIMULTANEOUS = 0x80


def identification(at=None):
    """64 bits of NTP time (RFC 5944 §5.7.1)."""
    at = time.time() if at is None else at
    return (int(at + NTP_EPOCH) << 32) | int((at % 1) * 2**32)


def hmac_md5(key, octets):
    return hmac.new(key, octets, hashlib.md5).digest()


def keyed_md5(key, octets):
    """Prefix and suffix (RFC 5944 §3.5.1)."""
    return hashlib.md5(key + octets + key).digest()


def extension(kind, body):
    return struct.pack("!BB", kind, len(body)) + body


def authenticated(message, kind, spi, key=KEY, mac=hmac_md5):
    """Appends an authentication extension over all that stands before its authenticator."""
    covered = message + struct.pack("!BBI", kind, 4 + len(mac(key, b"")), spi)
    return covered + mac(key, covered)


class Node:
    """Registers one home address over UDP."""

    def __init__(self, home_agent, home_address, spi=1000, key=KEY, mac=hmac_md5, nai=None, source="127.0.0.1"):
        self.home_agent = home_agent
        self.home_address = home_address
        self.care_of_address = source
        self.spi, self.key, self.mac, self.nai = spi, key, mac, nai
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((source, 0))
        self.socket.settimeout(3)

    def request(self, lifetime=600, at=None, flags=0x20, care_of_address=None, home_agent=None, **fields):
        """The octets of a Registration Request; `flags` D by default, being co-located."""
        message = bytes(MobileIP() / MobileIPRRQ(
            flags=flags, lifetime=lifetime, homeaddr=self.home_address,
            haaddr=home_agent or self.home_agent[0],
            coaddr=care_of_address or self.care_of_address,
            id=identification(at), **fields,
        ))
        if self.nai:
            message += extension(131, self.nai.encode())
        return authenticated(message, 32, self.spi, self.key, self.mac)

    def exchange(self, octets):
        """Sends `octets`, returns the reply; `None` if none comes."""
        self.socket.sendto(octets, self.home_agent)
        try:
            answer, _ = self.socket.recvfrom(4096)
        except socket.timeout:
            return None
        return Reply(answer)

    def register(self, **fields):
        return self.exchange(self.request(**fields))


class Reply:
    """A Registration Reply, read by Scapy."""

    def __init__(self, octets):
        self.octets = octets
        parsed = MobileIP(octets)
        assert parsed.type == 3, octets.hex()
        fields = parsed[MobileIPRRP]
        self.code, self.lifetime = fields.code, fields.lifetime
        self.home_address, self.home_agent = fields.homeaddr, fields.haaddr
        self.identification = fields.id

    def extensions(self):
        """Pairs of type and body; none of those in a reply is long."""
        rest, found = self.octets[20:], []
        while rest:
            if rest[0] == 0:
                rest = rest[1:]
                continue
            found.append((rest[0], rest[2:2 + rest[1]]))
            rest = rest[2 + rest[1]:]
        return found

    def is_authentic(self, key=KEY, mac=hmac_md5):
        """Whether the last extension is a Mobile-Home authentication over the rest."""
        length = len(mac(key, b""))
        kind, body = self.extensions()[-1]
        return kind == 32 and body[4:] == mac(key, self.octets[:-length])


#: More violations within a minute than this are a burst.
BURST = 100
HOSTS = itertools.cycle(f"127.9.{net}.{host}" for net in range(4) for host in range(1, 251))


def forge(home_agent, home, count):
    """So many requests with a wrong key, each answered; of hosts of their own, as each may ask only so often."""
    for _ in range(count):
        forger = Node(home_agent, home, key=bytes(16), source=next(HOSTS))
        assert forger.exchange(forger.request()).code == 131
        forger.socket.close()
