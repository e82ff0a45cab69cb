"""Agents that revoke and are revoked (RFC 3543), written by hand: Scapy for the messages, hmac for the authenticators.

They share nothing with the programs under test.
"""

import socket
import struct
import threading
import time

from scapy.fields import BitField, ByteField, IntField, IPField
from scapy.layers.mobileip import MobileIP, MobileIPRRP
from scapy.packet import Packet, bind_layers

from node import KEY, NTP_EPOCH, authenticated, extension, hmac_md5

FOREIGN_HOME = 34
SUPPORT = 137
SPI = 2000
INFORM = 0x8000


class Revocation(Packet):
    """Registration Revocation (§3.3), after its type."""

    name = "Registration Revocation"
    fields_desc = [
        ByteField("reserved", 0), BitField("a", 0, 1), BitField("i", 0, 1), BitField("reserved2", 0, 14),
        IPField("homeaddr", "0.0.0.0"), IPField("hda", "0.0.0.0"), IPField("fda", "0.0.0.0"), IntField("id", 0),
    ]


class Acknowledgment(Packet):
    """Registration Revocation Acknowledgment (§3.4), after its type."""

    name = "Registration Revocation Acknowledgment"
    fields_desc = [
        ByteField("reserved", 0), BitField("i", 0, 1), BitField("reserved2", 0, 15),
        IPField("homeaddr", "0.0.0.0"), IntField("id", 0),
    ]


bind_layers(MobileIP, Revocation, type=7)
bind_layers(MobileIP, Acknowledgment, type=15)


def seconds(at=None):
    """A timestamp of 32 bits, which counts seconds since 1900."""
    return int((time.time() if at is None else at) + NTP_EPOCH) & 0xFFFFFFFF


def support(timestamp=None, inform=True):
    """The Revocation Support Extension (§3.2)."""
    flags = INFORM if inform else 0
    return extension(SUPPORT, struct.pack("!HI", flags, seconds() if timestamp is None else timestamp))


def is_authentic(octets, fixed, key=KEY):
    """Whether the last extension behind a fixed part is a Foreign-Home authentication over the rest."""
    if len(octets) < fixed + 22 or octets[-22] != FOREIGN_HOME:
        return False
    return octets[-16:] == hmac_md5(key, octets[:-16])


class Agent:
    """One side of a Foreign-Home association, at an address of the loopback interface."""

    def __init__(self, address, other, port=0, key=KEY, spi=SPI):
        self.address, self.other, self.key, self.spi = address, other, key, spi
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:  # Bursts of a program are larger than what a socket holds by default.
            self.socket.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        except OSError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind((address, port))
        self.socket.settimeout(5)

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def signed(self, octets):
        return authenticated(octets, FOREIGN_HOME, self.spi, self.key)

    def send(self, octets, to=None):
        self.socket.sendto(octets, to or self.other)

    def receive(self, kind, timeout=5):
        """The next message of that type, authenticated or not; `None` if none comes."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                octets, _ = self.socket.recvfrom(4096)
            except socket.timeout:
                return None
            if octets[0] == kind:
                return octets
        return None

    def revocation(self, home, *, a, home_agent, foreign, i=1, identifier=None, sign=True):
        """The octets of a revocation."""
        octets = bytes(MobileIP(type=7) / Revocation(
            a=a, i=i, homeaddr=home, hda=home_agent, fda=foreign,
            id=seconds() if identifier is None else identifier))
        return self.signed(octets) if sign else octets

    def acknowledgment(self, octets, i=1):
        """What acknowledges the revocation in `octets`."""
        asked = MobileIP(octets)[Revocation]
        answer = MobileIP(type=15) / Acknowledgment(i=i & asked.i, homeaddr=asked.homeaddr, id=asked.id)
        return self.signed(bytes(answer))

    def close(self):
        self.socket.close()


class ForeignAgent(Agent):
    """Registers nodes at a home agent as if it had relayed their requests."""

    def register(self, node, lifetime=600, timestamp=None, inform=True):
        """Sends a request of `node` on, with an offer of revocation; returns the reply."""
        request = node.request(
            flags=0, lifetime=lifetime, care_of_address=self.address, home_agent=self.other[0])
        self.send(self.signed(request + support(timestamp, inform)))
        octets = self.receive(3)
        assert octets and is_authentic(octets, 20), octets
        return MobileIP(octets)[MobileIPRRP]

    def revoke(self, home, **fields):
        """Revokes a binding (§4.2.3.1); the octets, so that they can be sent again."""
        octets = self.revocation(
            home, a=fields.pop("a", 0), home_agent=fields.pop("home_agent", self.other[0]),
            foreign=fields.pop("foreign", self.address), **fields)
        self.send(octets)
        return octets


class HomeAgent(Agent):
    """Grants what foreign agents relay, and offers revocation."""

    def grant(self, octets, source, lifetime=300, timestamp=None, inform=True):
        """Answers a relayed request: accepted, signed for the node and for the foreign agent."""
        home = socket.inet_ntoa(octets[4:8])
        reply = bytes(MobileIP() / MobileIPRRP(
            code=0, lifetime=lifetime, homeaddr=home, haaddr=self.address,
            id=int.from_bytes(octets[16:24], "big")))
        reply = authenticated(reply, 32, 1000)
        self.send(self.signed(reply + support(timestamp, inform)), source)

    def request(self, timeout=10):
        """The next relayed request, and where it came from."""
        self.socket.settimeout(timeout)
        while True:
            octets, source = self.socket.recvfrom(4096)
            if octets[0] == 1:
                return octets, source

    def revoke(self, home, foreign_agent, **fields):
        """Revokes a visitor of the foreign agent at that address and port (§4.2.2.1)."""
        octets = self.revocation(
            home, a=fields.pop("a", 1), home_agent=fields.pop("home_agent", self.address),
            foreign=fields.pop("foreign", foreign_agent[0]), **fields)
        self.send(octets, foreign_agent)
        return octets


class Acknowledger(threading.Thread):
    """Answers revocations of a home agent as `decide(home)` says, and keeps a log to compare with.

    `decide` returns `yes`, `no` for silence, or `forged` for an acknowledgment whose authenticator is wrong.
    """

    def __init__(self, agent, decide):
        super().__init__(daemon=True)
        self.agent, self.decide = agent, decide
        self.asked, self.acknowledged, self.unauthentic = {}, {}, 0
        self.is_over = False
        self.enough, self.then, self.reached = None, None, threading.Event()
        agent.socket.settimeout(0.2)

    def when(self, enough, then):
        """Has `then` called between two answers, as soon as so many nodes were acknowledged; returns what is set after that."""
        self.then, self.enough = then, enough
        return self.reached

    def run(self):
        while not self.is_over:
            try:
                octets, source = self.agent.socket.recvfrom(4096)
            except socket.timeout:
                continue
            if octets[0] == 7:
                self.answer(octets, source)

    def answer(self, octets, source):
        # By hand: Scapy takes longer than the program under test.
        if not is_authentic(octets, 20, self.agent.key):
            self.unauthentic += 1
            return
        home, identifier = socket.inet_ntoa(octets[4:8]), octets[16:20]
        self.asked.setdefault(home, []).append(identifier)
        decision = self.decide(home)
        if decision == "no":
            return
        answer = self.agent.signed(b"\x0f\0\0\0" + octets[4:8] + identifier)
        if decision == "forged":
            answer = answer[:-1] + bytes([answer[-1] ^ 1])
        else:
            self.acknowledged.setdefault(home, []).append(identifier)
        self.agent.send(answer, source)
        if self.enough is not None and len(self.acknowledged) >= self.enough and not self.reached.is_set():
            self.then()
            self.reached.set()

    def stop(self):
        self.is_over = True
        self.join()
        self.agent.close()
