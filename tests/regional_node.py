"""Regional registration written by hand, from the figures of RFC 4857: types 18 and 19 and their extensions.

It shares nothing with the programs under test. Scapy has no such messages, so `struct` reads and writes them.
"""

import ipaddress
import struct

from node import KEY, Node, authenticated, extension, hmac_md5, identification

GFA_IP_ADDRESS = 46
HIERARCHICAL_FOREIGN_AGENT = 140
REPLAY_PROTECTION_STYLE = 141
REGIONAL_REGISTRATION_LIFETIME = 142
FOREIGN_FOREIGN, MOBILE_GATEWAY = 2, 3


def packed(address):
    return ipaddress.IPv4Address(address).packed


def address_of(octets):
    return str(ipaddress.IPv4Address(octets))


def generalized(message, subtype, spi, key, mac=hmac_md5):
    """Appends extension 36 (RFC 4721 §5): Type, Sub-Type, Length of 16 bits, SPI, authenticator."""
    covered = message + struct.pack("!BBHI", 36, subtype, 4 + len(mac(key, b"")), spi)
    return covered + mac(key, covered)


def hierarchical(message, foreign_agent):
    """Appends §9.2: two reserved octets and an address."""
    return message + extension(HIERARCHICAL_FOREIGN_AGENT, bytes(2) + packed(foreign_agent))


def regional_request(home, gateway, care_of, lifetime=300, flags=0, at=None, nonce=None):
    """The 24 octets of §10.1."""
    stamp = identification(at)
    if nonce is not None:
        stamp = (nonce << 32) | (stamp & 0xFFFFFFFF)
    return struct.pack("!BBH4s4s4sQ", 18, flags, lifetime, packed(home), packed(gateway), packed(care_of), stamp)


def walk(octets):
    """Extensions as (type, sub-type or None, body), by the layouts of RFC 5944 §1.9 to §1.11."""
    found, at = [], 0
    while at < len(octets):
        kind = octets[at]
        if kind == 0:
            at += 1
        elif kind == 36:
            subtype, length = struct.unpack_from("!BH", octets, at + 1)
            found.append((kind, subtype, octets[at + 4:at + 4 + length]))
            at += 4 + length
        else:
            length = octets[at + 1]
            found.append((kind, None, octets[at + 2:at + 2 + length]))
            at += 2 + length
    assert at == len(octets), "an extension is cut short"
    return found


class RegionalReply:
    """The 20 octets of §10.2, and what follows them."""

    def __init__(self, octets):
        self.octets = octets
        kind, self.code, self.lifetime, home, gateway, self.identification = struct.unpack_from("!BBH4s4sQ", octets)
        assert kind == 19, octets.hex()
        self.home_address, self.gateway = address_of(home), address_of(gateway)
        self.extensions = walk(octets[20:])

    def is_authentic(self, key, mac=hmac_md5):
        """Whether the last extension is a Mobile-Gateway authentication over the rest."""
        kind, subtype, body = self.extensions[-1]
        covered = self.octets[:-len(mac(key, b""))]
        return (kind, subtype) == (36, MOBILE_GATEWAY) and body[4:] == mac(key, covered)


class RegionalNode(Node):
    """A node that registers at home through a gateway, and then regionally."""

    def __init__(self, agent, home_address, gateway, gateway_key, gateway_spi=3000, **options):
        super().__init__(agent, home_address, **options)
        self.gateway, self.gateway_key, self.gateway_spi = gateway, gateway_key, gateway_spi

    def register_at_home(self, home_agent, care_of=None, lifetime=600, style=None):
        """Sends a Registration Request for the gateway; returns the reply with its extensions."""
        message = self.request(lifetime=lifetime, flags=0, care_of_address=care_of or self.gateway, home_agent=home_agent)
        if style is not None:
            message += extension(REPLAY_PROTECTION_STYLE, struct.pack("!HQ", style, 0))
        message = authenticated(message, 33, self.gateway_spi, self.gateway_key)
        return self.exchange(message)

    def regional(self, care_of="0.0.0.0", gateway=None, key=None, **fields):
        """The octets of a Regional Registration Request."""
        message = regional_request(self.home_address, gateway or self.gateway, care_of, **fields)
        return generalized(message, MOBILE_GATEWAY, self.gateway_spi, key or self.gateway_key)

    def ask(self, octets, to=None):
        """Sends `octets`, returns what comes back; `None` if nothing does."""
        self.socket.sendto(octets, to or self.home_agent)
        try:
            answer, _ = self.socket.recvfrom(4096)
        except TimeoutError:
            return None
        return RegionalReply(answer)

    def register_regionally(self, agent=None, **fields):
        return self.ask(self.regional(**fields), agent)


__all__ = ["KEY", "RegionalNode", "RegionalReply", "generalized", "hierarchical", "regional_request", "walk"]
