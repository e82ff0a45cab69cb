"""A gateway foreign agent written by hand from the figures of RFC 4857 and RFC 3543; it shares nothing with the programs.

Beneath it stand foreign agents that are under test. It believes what `figures` reads and what Python's `hmac` proves.
"""

import socket
import struct
import threading

import figures
from node import authenticated, extension, hmac_md5
from region import HOME_AGENT, HOME_SPI, NODE_SPI, key_of
from regional_node import (
    FOREIGN_FOREIGN, GFA_IP_ADDRESS, HIERARCHICAL_FOREIGN_AGENT, MOBILE_GATEWAY, REGIONAL_REGISTRATION_LIFETIME, address_of,
    generalized, packed,
)
from revoking import SUPPORT, seconds, support


def proves(found, key):
    """Whether an extension of `figures.decode` authenticates all that stands before it."""
    return found["authenticator"] == hmac_md5(key, found["covered"])


def one(extensions, kind, subtype=None):
    """The extension of that kind, if it is there exactly once."""
    found = [it for it in extensions if it["type"] == kind and it.get("subtype") == subtype]
    return found[0] if len(found) == 1 else None


def up_to_home(octets, extensions):
    """What node and home agent say to each other: up to and with the Mobile-Home authentication."""
    proof = one(extensions, 32)
    return octets[:len(proof["covered"]) + len(proof["authenticator"])]


class HandGateway(threading.Thread):
    """Relays home registrations, answers regional ones, revokes and is revoked; `seen` is what arrived.

    `spoil` may change what is sent to a foreign agent: a function of the octets and what kind of answer it is.
    """

    def __init__(self, address, port, agent, spi, revokes=True, regional_lifetime=120):
        super().__init__(daemon=True)
        self.address, self.port, self.agent, self.spi = address, port, agent, spi
        self.revokes, self.regional_lifetime = revokes, regional_lifetime
        self.spoil = lambda kind, octets: octets
        self.seen, self.waiting, self.negotiated = [], {}, {}
        self.acknowledged, self.refused = [], []
        self.changed = threading.Condition()
        self.is_over = False
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.socket.settimeout(0.2)

    def run(self):
        handlers = {1: self.on_request, 3: self.on_reply, 18: self.on_regional, 7: self.on_revocation, 15: self.on_acknowledgment}
        while not self.is_over:
            try:
                octets, source = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            fields, extensions = figures.decode(octets)
            with self.changed:
                self.seen.append((fields, extensions, source))
                handlers[fields["type"]](octets, fields, extensions, source)
                self.changed.notify_all()

    def stop(self):
        self.is_over = True
        self.join()
        self.socket.close()

    def wait(self, condition, seconds=20):
        """Waits until something that has happened makes `condition` true."""
        with self.changed:
            assert self.changed.wait_for(condition, timeout=seconds), (self.seen[-1:], self.acknowledged, self.refused)

    def of_type(self, kind):
        return [(fields, extensions) for fields, extensions, _ in self.seen if fields["type"] == kind]

    def is_of_agent(self, extensions, source):
        """§5.2, §11: where the node is stands behind everything else, under the Foreign-Foreign authentication."""
        hierarchical, proof = extensions[-2:]
        return (
            source[0] == self.agent and hierarchical["type"] == HIERARCHICAL_FOREIGN_AGENT
            and hierarchical["fa_ip_address"] == self.agent
            and (proof["type"], proof.get("subtype"), proof["spi"]) == (36, FOREIGN_FOREIGN, self.spi)
            and proves(proof, key_of(self.agent)))

    def for_agent(self, octets, offered):
        """What is for the foreign agent alone: revocation, if it has offered that."""
        if not (self.revokes and offered):
            return octets
        self.negotiated[self.agent] = offered["timestamp"]
        return generalized(octets + support(seconds()), FOREIGN_FOREIGN, self.spi, key_of(self.agent))

    def on_request(self, octets, fields, extensions, source):
        if not self.is_of_agent(extensions, source) or not proves(one(extensions, 33), key_of("node")):
            self.refused.append(fields)
            return
        self.waiting[fields["identification"] & 0xFFFFFFFF] = (source, one(extensions, SUPPORT))
        message = authenticated(up_to_home(octets, extensions), 34, HOME_SPI, key_of("home"))
        self.socket.sendto(message, (fields["home_agent"], self.port))

    def on_reply(self, octets, fields, extensions, source):
        octets = up_to_home(octets, extensions)
        to, offered = self.waiting.pop(fields["identification"] & 0xFFFFFFFF)
        octets += extension(REGIONAL_REGISTRATION_LIFETIME, struct.pack("!HI", 0, self.regional_lifetime))
        octets = authenticated(octets, 33, NODE_SPI, key_of("node"))
        self.answer("reply", self.for_agent(octets, offered if fields["code"] == 0 else None), to)

    def on_regional(self, octets, fields, extensions, source):
        of_node = one(extensions, 36, MOBILE_GATEWAY)
        if not self.is_of_agent(extensions, source) or not of_node or not proves(of_node, key_of("node")):
            self.refused.append(fields)
            return
        home, gateway = packed(fields["home_address"]), packed(fields["gfa_ip_address"])
        reply = struct.pack("!BBH4s4sQ", 19, 0, self.regional_lifetime, home, gateway, fields["identification"])
        reply = generalized(reply, MOBILE_GATEWAY, NODE_SPI, key_of("node"))
        self.answer("regional", self.for_agent(reply, one(extensions, SUPPORT)), source)

    def on_revocation(self, octets, fields, extensions, source):
        """A foreign agent revokes a visitor: the gateway is its home domain, itself the foreign domain."""
        proof = one(extensions, 36, FOREIGN_FOREIGN)
        right = (
            proof and proves(proof, key_of(self.agent)) and source[0] == self.agent and fields["A"] == 0
            and (fields["home_domain_address"], fields["foreign_domain_address"]) == (self.address, self.agent))
        if not right:
            self.refused.append(fields)
            return
        answer = struct.pack("!BBH4sI", 15, 0, 0x8000 if fields["I"] else 0, packed(fields["home_address"]), fields["revocation_identifier"])
        self.answer("acknowledgment", generalized(answer, FOREIGN_FOREIGN, self.spi, key_of(self.agent)), source)

    def on_acknowledgment(self, octets, fields, extensions, source):
        proof = one(extensions, 36, FOREIGN_FOREIGN)
        valid = bool(proof) and proves(proof, key_of(self.agent)) and source[0] == self.agent
        (self.acknowledged if valid else self.refused).append(fields)

    def answer(self, kind, octets, to):
        octets = self.spoil(kind, octets)
        if octets:
            self.socket.sendto(octets, to)

    def revocation(self, home, a=1, i=1, gateway=None, agent=None, identifier=None, key=None):
        """The octets of a Registration Revocation (RFC 3543 §3.3) for the foreign agent."""
        flags = (0x8000 if a else 0) | (0x4000 if i else 0)
        octets = struct.pack(
            "!BBH4s4s4sI", 7, 0, flags, packed(home), packed(gateway or self.address), packed(agent or self.agent),
            seconds() if identifier is None else identifier)
        return generalized(octets, FOREIGN_FOREIGN, self.spi, key or key_of(self.agent))

    def send(self, octets):
        self.socket.sendto(octets, (self.agent, self.port))


def dynamic_request(node, key=None, names=None):
    """A request without a care-of address, as a gateway that assigns itself passes it on (RFC 4857 §7.3)."""
    message = node.request(flags=0, care_of_address="0.0.0.0", home_agent=HOME_AGENT)
    if names:
        message += extension(GFA_IP_ADDRESS, bytes(2) + packed(names))
    return authenticated(message, 34, HOME_SPI, key) if key else message


__all__ = ["HandGateway", "address_of", "dynamic_request", "one"]
