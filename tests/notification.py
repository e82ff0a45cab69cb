"""Generic notifications (RFC 6098) by hand: the figures of §4.1 and §4.2 as Python's `struct` has them.

It shares nothing with the programs under test.
"""

import dataclasses
import socket
import struct
import time

from node import KEY, Node, Reply, authenticated, hmac_md5, identification

NOTIFICATION, ACKNOWLEDGEMENT = 22, 23
HOME_AGENT_TO_NODE, HOME_AGENT_TO_FOREIGN_AGENT, NODE_TO_HOME_AGENT = 0, 1, 2
NODE_TO_FOREIGN_AGENT, FOREIGN_AGENT_TO_NODE, FOREIGN_AGENT_TO_HOME_AGENT = 3, 4, 5
ANSWER = {0: 2, 2: 0, 1: 5, 5: 1, 3: 4, 4: 3}
MOBILE_HOME, MOBILE_FOREIGN, FOREIGN_HOME, MESSAGE_STRING = 32, 33, 34, 145
A_BIT = 0x8000

# Type, MD, then A and 15 reserved bits, or Code and 8 reserved bits; three addresses; 64 bits of Identification.
FIGURE = struct.Struct("!BBH4s4s4sQ")


@dataclasses.dataclass
class Message:
    kind: int
    direction: int
    flags: int  # of a notification
    code: int  # of an acknowledgement
    reserved: int
    home_address: str
    home_agent: str
    care_of_address: str
    identification: int
    extensions: list
    octets: bytes

    def texts(self):
        """Sub-type and text of each message string (RFC 4917 §3)."""
        return [(body[0], body[1:].decode()) for kind, body, _ in self.extensions if kind == MESSAGE_STRING]

    def signed(self, kind, key=KEY, mac=hmac_md5):
        """Whether there is exactly one authentication of that kind, over all that stands before it."""
        found = [(body, end) for extension, body, end in self.extensions if extension == kind]
        if len(found) != 1:
            return False
        body, end = found[0]
        length = len(mac(key, b""))
        return body[4:] == mac(key, self.octets[:end - length])


def decode(octets):
    """A message of type 22 or 23, with its extensions as type, body and where they end."""
    assert len(octets) >= FIGURE.size, octets.hex()
    kind, direction, word, home, agent, care_of, stamp = FIGURE.unpack_from(octets)
    assert kind in (NOTIFICATION, ACKNOWLEDGEMENT), kind
    found, at = [], FIGURE.size
    while at < len(octets):
        if octets[at] == 0:
            at += 1
            continue
        end = at + 2 + octets[at + 1]
        assert end <= len(octets), "an extension that is cut short"
        found.append((octets[at], octets[at + 2:end], end))
        at = end
    is_notification = kind == NOTIFICATION
    addresses = [socket.inet_ntoa(octets) for octets in (home, agent, care_of)]
    return Message(
        kind, direction, word & A_BIT if is_notification else 0, 0 if is_notification else word >> 8,
        word & 0x7FFF if is_notification else word & 0xFF, *addresses, stamp, found, octets)


def notification(direction, home, agent, care_of, text=None, flags=A_BIT, at=None, subtype=1, extra=b""):
    """A notification without its authentications."""
    octets = FIGURE.pack(NOTIFICATION, direction, flags, *map(socket.inet_aton, (home, agent, care_of)), identification(at))
    if text is not None:
        octets += struct.pack("!BBB", MESSAGE_STRING, 1 + len(text.encode()), subtype) + text.encode()
    return octets + extra


def acknowledgement(message, code=0, at=None):
    """An answer to a notification without its authentications; with `at`, that of a mismatch (§7.1.1)."""
    stamp = message.identification
    if at is not None:
        stamp = identification(at) & ~0xFFFFFFFF | stamp & 0xFFFFFFFF
    addresses = map(socket.inet_aton, (message.home_address, message.home_agent, message.care_of_address))
    return FIGURE.pack(ACKNOWLEDGEMENT, ANSWER[message.direction], code << 8, *addresses, stamp)


def clock_of(stamp):
    """Seconds since 1970 of the upper half of an Identification."""
    return (stamp >> 32) - 2_208_988_800


class Peer(Node):
    """A mobile node without a foreign agent, which is notified and notifies."""

    def receive(self, seconds=10):
        """The next message of type 22 or 23, and where it came from; registration replies are passed over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.socket.settimeout(max(0.1, end - time.monotonic()))
            try:
                octets, source = self.socket.recvfrom(4096)
            except socket.timeout:
                break
            if octets[0] in (NOTIFICATION, ACKNOWLEDGEMENT):
                return decode(octets), source
        raise AssertionError(f"no message within {seconds} s")

    def exchange(self, octets):
        """Sends a request, returns the reply; notifications that arrive meanwhile are passed over."""
        self.socket.sendto(octets, self.home_agent)
        self.socket.settimeout(3)
        try:
            answer = self.socket.recv(4096)
            while answer[0] in (NOTIFICATION, ACKNOWLEDGEMENT):
                answer = self.socket.recv(4096)
        except socket.timeout:
            return None
        return Reply(answer)

    def is_silent(self, seconds=0.5):
        """Whether nothing arrives for a while."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recvfrom(4096)
        except socket.timeout:
            return True
        return False

    def answer(self, message, source, code=0, at=None, kind=MOBILE_HOME):
        self.socket.sendto(authenticated(acknowledgement(message, code, at), kind, self.spi, self.key, self.mac), source)

    def notify(self, text, kind=MOBILE_HOME, direction=NODE_TO_HOME_AGENT, key=None, **fields):
        """Sends a notification, returns its octets."""
        octets = notification(direction, self.home_address, self.home_agent[0], self.care_of_address, text, **fields)
        if kind is not None:
            octets = authenticated(octets, kind, self.spi, key or self.key, self.mac)
        self.socket.sendto(octets, self.home_agent)
        return octets
